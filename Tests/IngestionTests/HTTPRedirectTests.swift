import Ingestion
import JobModel
import PipelineDefinition
import Synchronization
import Testing

@testable import Ingestion

@Suite("A redirect to another host")
struct HTTPRedirectTests {
  /// Every way in which a request can say who asks.
  enum Credential: CaseIterable {
    case bearer, basic, header, queryAuth, queryParameter, variable, body

    static let secret = ValueTemplate(parts: [.secret("s")])

    var auth: HTTPAuth? {
      switch self {
      case .bearer: .bearer(Self.secret)
      case .basic: .basic(user: ValueTemplate(literal: "me"), password: Self.secret)
      case .header: .header(name: "X-Key", value: Self.secret)
      case .queryAuth: .query(name: "api_key", value: Self.secret)
      case .queryParameter, .variable, .body: nil
      }
    }

    var query: [(name: String, value: ValueTemplate)] {
      switch self {
      case .queryParameter: [("token", Self.secret)]
      case .variable: [("token", ValueTemplate(parts: [.environment("TOKEN")]))]
      default: []
      }
    }

    var body: ValueTemplate? { self == .body ? Self.secret : nil }
  }

  private func pull(
    _ credential: Credential, follows: Bool, status: Int,
    _ test: (PullOutcome, SourceServer, SourceServer) async -> Void
  ) async throws {
    try await PullFixture.with { fixture async throws in
      try await withClient { client async throws in
        try await SourceServer.serving({ _, _ in page([1]) }) { other async throws in
          // The source leaks nothing by itself, but a careless one appends what it was asked with.
          let target = other.url + "/presigned?X-Signature=abc&token=its-own"
          let script: @Sendable (SourceServer.Request, Int) -> SourceServer.Response = { request, _ in
            let query = request.target.contains("?") ? "&" + request.target.drop { $0 != "?" }.dropFirst() : ""
            return .status(status, headers: [("Location", target + query)])
          }
          try await SourceServer.serving(script) { server async throws in
            let connector = httpConnector(
              server.url, client, fixture, method: credential.body == nil ? "GET" : "POST", query: credential.query,
              body: credential.body, redirects: follows ? .follow : .sameHost, auth: credential.auth,
              secrets: ["s": "hunter2"], variables: ["TOKEN": "hunter2"])
            await test(await carry(connector, in: fixture.context()), server, other)
          }
        }
      }
    }
  }

  @Test("is an error that names the setting, whatever the credentials", arguments: Credential.allCases)
  func refused(credential: Credential) async throws {
    try await pull(credential, follows: false, status: 307) { outcome, server, other in
      #expect(outcome.failure?.code == "source_elsewhere")
      #expect(outcome.failure?.isTransient == false)
      #expect(outcome.failure?.message.contains("billing.invoices") == true)
      #expect(outcome.failure?.hint?.contains("redirects: follow") == true)
      #expect(server.requests.count == 1)
      #expect(other.requests.isEmpty)
    }
  }

  @Test(
    "is followed without anything secret where the stream says so", arguments: Credential.allCases,
    [301, 302, 303, 307, 308])
  func followed(credential: Credential, status: Int) async throws {
    try await pull(credential, follows: true, status: status) { outcome, server, other in
      #expect(outcome.error == nil)
      #expect(outcome.objects.count == 1)
      let first = server.requests.first
      #expect("\(String(describing: first))".contains(credential == .basic ? "bWU6aHVudGVyMg==" : "hunter2"))
      let second = other.requests.first
      #expect(second?.method == "GET")
      #expect(second?.parameter("X-Signature") == "abc")
      #expect(second?.parameter("token") == "its-own", "a parameter of the target's own stays")
      #expect(second?.body == "")
      #expect(second?.headers["authorization"] == nil)
      #expect(!"\(other.requests)".contains("hunter2"))
      #expect(!"\(outcome.steps)".contains("hunter2"), "nor does the manifest say it")
    }
  }

  @Test(
    "is not followed where its address holds a secret of the request",
    arguments: [
      "/hun%2Fter2/x", "/x/hun/ter2", "/x?other=hun%2Fter2", "/x?next=https%3A%2F%2Fa%2Fhun%252Fter2", "/%68un%2fter2",
      "/x?code=bWU6aHVudGVyMg==",
    ])
  func disclosed(target: String) async throws {
    try await PullFixture.with { fixture async throws in
      try await withClient { client async throws in
        try await SourceServer.serving({ _, _ in page([1]) }) { other async throws in
          let away = other.url + target
          try await SourceServer.serving({ _, _ in .status(302, headers: [("Location", away)]) }) {
            server async throws in
            let outcome = await carry(
              httpConnector(
                server.url, client, fixture, pathTemplate: ValueTemplate(parts: [.literal("/v2/"), .secret("s")]),
                redirects: .follow, auth: .basic(user: ValueTemplate(literal: "me"), password: Credential.secret),
                secrets: ["s": target.contains("bWU6") ? "hunter2" : "hun/ter2"]), in: fixture.context())
            #expect(outcome.failure?.code == "source_elsewhere")
            #expect(outcome.failure?.isTransient == false)
            #expect(outcome.failure?.message.contains("/v2/…") == true, "\(outcome.failure?.message ?? "")")
            #expect(outcome.failure?.message.contains("ter") == false)
            #expect(server.requests.count == 1)
            #expect(other.requests.isEmpty)
          }
        }
      }
    }
  }

  @Test("and back again carries nothing either")
  func backAgain() async throws {
    try await PullFixture.with { fixture async throws in
      try await withClient { client async throws in
        let home = Mutex("")
        let bounce: @Sendable (SourceServer.Request, Int) -> SourceServer.Response = { _, _ in
          .status(302, headers: [("Location", home.withLock { $0 } + "/back")])
        }
        try await SourceServer.serving(bounce) { other async throws in
          let away = other.url + "/away"
          let script: @Sendable (SourceServer.Request, Int) -> SourceServer.Response = { request, _ in
            request.path == "/back" ? page([1]) : .status(302, headers: [("Location", away)])
          }
          try await SourceServer.serving(script) { server async throws in
            home.withLock { $0 = server.url }
            let outcome = await carry(
              httpConnector(
                server.url, client, fixture, redirects: .follow, auth: .bearer(ValueTemplate(parts: [.secret("s")])),
                secrets: ["s": "hunter2"]), in: fixture.context())
            #expect(outcome.error == nil)
            #expect(server.requests.map { $0.headers["authorization"] } == ["Bearer hunter2", nil])
          }
        }
      }
    }
  }

  @Test("in a link to the next page is refused where the request holds a secret", arguments: Credential.allCases)
  func links(credential: Credential) async throws {
    try await PullFixture.with { fixture async throws in
      try await withClient { client async throws in
        try await SourceServer.serving({ _, _ in page([2]) }) { other async throws in
          let away = other.url
          try await SourceServer.serving({ _, _ in page([1], next: "\"\(away)/2\"") }) { server async throws in
            let connector = httpConnector(
              server.url, client, fixture, method: credential.body == nil ? "GET" : "POST", query: credential.query,
              body: credential.body, paginate: .nextURL(path: "$.next"), redirects: .follow, auth: credential.auth,
              secrets: ["s": "hunter2"], variables: ["TOKEN": "hunter2"])
            let outcome = await carry(connector, in: fixture.context())
            #expect(outcome.failure?.code == "source_elsewhere")
            #expect(outcome.objects.count == 1)
            #expect(other.requests.isEmpty)
          }
        }
      }
    }
  }

  @Test(
    "is one to another scheme, name or port",
    arguments: [
      ("https://a.example/x", "http://a.example/y", false), ("https://a.example", "https://a.example:443/y", true),
      ("http://a.example", "http://A.Example:80", true), ("http://a.example", "http://a.example:8080", false),
      ("http://a.example", "http://b.example", false), ("http://a.example", "http://a.example.evil.example", false),
      ("http://a.example", "http://u:p@a.example/", true), ("http://a.example", "http://a.example@b.example/", false),
    ])
  func origins(left: String, right: String, isSame: Bool) throws {
    let (left, right) = (try #require(PageURL(left)), try #require(PageURL(right)))
    #expect((left.origin == right.origin) == isSame)
  }
}
