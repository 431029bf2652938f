import Catalog
import Ingestion
import JobModel
import PipelineDefinition
import Testing

@testable import Ingestion

@Suite("A secret or a variable that a source repeats in its links")
struct SecretLinkTests {
  private static let secret = "TOP SECRET/42"

  @Test("in the query is in no checkpoint, and the next request has it again", arguments: [false, true])
  func query(isVariable: Bool) async throws {
    try await PullFixture.with { fixture async throws in
      try await withClient { client async throws in
        let script: @Sendable (SourceServer.Request, Int) -> SourceServer.Response = { request, number in
          page([number], next: number < 1 ? "\"\(request.target)&page=2\"" : "null")
        }
        try await SourceServer.serving(script) { server async throws in
          let part: ValueTemplate.Part = isVariable ? .environment("T") : .secret("t")
          let outcome = await carry(
            httpConnector(
              server.url, client, fixture, query: [("k2", ValueTemplate(parts: [part]))],
              paginate: .nextURL(path: "$.next"), secrets: ["t": Self.secret], variables: ["T": Self.secret]),
            in: fixture.context())
          #expect(outcome.error == nil)
          #expect(
            server.requests.map { $0.parameter("k2") } == [PageURL.encoded(Self.secret), PageURL.encoded(Self.secret)])
          #expect(server.requests.last?.parameter("page") == "2")
          #expect(!"\(outcome.steps)".contains("SECRET"))
        }
      }
    }
  }

  @Test("in the path is in no checkpoint, manifest, or message", arguments: [404, 200])
  func path(status: Int) async throws {
    try await PullFixture.with { fixture async throws in
      try await withClient { client async throws in
        let script: @Sendable (SourceServer.Request, Int) -> SourceServer.Response = { request, number in
          guard number > 0 else { return page([1], next: "\"\(request.path)?page=2\"") }
          return status == 200 ? page([2]) : .status(status)
        }
        try await SourceServer.serving(script) { server async throws in
          let outcome = await carry(
            httpConnector(
              server.url, client, fixture,
              pathTemplate: ValueTemplate(parts: [.literal("/v/"), .environment("T"), .literal("/items")]),
              paginate: .nextURL(path: "$.next"), variables: ["T": "TOPSECRET42"]), in: fixture.context())
          #expect(server.requests.map(\.path) == ["/v/TOPSECRET42/items", "/v/TOPSECRET42/items"])
          #expect(outcome.objects.first?.request == server.url + "/v/…/items")
          #expect(!"\(outcome.steps) \(String(describing: outcome.error))".contains("SECRET"))
          if status == 404 { #expect(outcome.failure?.message.contains("/v/…/items") == true) }
        }
      }
    }
  }

  @Test("and that a redirect copies to another host is not shown")
  func redirect() async throws {
    try await PullFixture.with { fixture async throws in
      try await withClient { client async throws in
        try await SourceServer.serving({ _, _ in page([1]) }) { other async throws in
          let away = other.url
          let script: @Sendable (SourceServer.Request, Int) -> SourceServer.Response = { request, _ in
            .status(302, headers: [("Location", away + request.path)])
          }
          try await SourceServer.serving(script) { server async throws in
            let outcome = await carry(
              httpConnector(
                server.url, client, fixture, pathTemplate: ValueTemplate(parts: [.literal("/v/"), .environment("T")]),
                redirects: .follow, variables: ["T": "TOPSECRET42"]), in: fixture.context())
            #expect(outcome.error == nil)
            #expect(outcome.objects.first?.request == away + "/v/…")
            #expect(!"\(outcome.steps)".contains("SECRET"))
          }
        }
      }
    }
  }

  @Test(
    "is found however it is encoded",
    arguments: [
      ("http://h/a%2fb%20c?x=a/b+c", "http://h/…?x=…"), ("http://h/a/b?x=a%2", "http://h/a/b?x=a%2"),
      ("http://h/%61%2Fb%20c", "http://h/…"),
    ])
  func encodings(text: String, shown: String) {
    #expect(PageURL.masking(text, ["a/b c"]) { _, _ in "…" } == shown)
  }
}
