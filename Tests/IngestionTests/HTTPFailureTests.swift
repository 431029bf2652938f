import Catalog
import Ingestion
import JobModel
import JobStore
import NIOCore
import ObjectStore
import PipelineDefinition
import Testing

@Suite("A source that misbehaves")
struct HTTPFailureTests {
  private let fewTries = HTTPRetry(max: 2)

  @Test(
    "and answers with a final status ends the pull at once, naming stream, path and page, and no query",
    arguments: [(404, "base_url"), (401, "billing/token"), (403, "billing/token"), (400, ""), (410, "base_url")])
  func finalStatus(code: Int, hint: String) async throws {
    try await PullFixture.with { fixture async throws in
      try await withClient { client async throws in
        try await SourceServer.serving({ _, number in number == 0 ? page([1], next: "\"t\"") : .status(code) }) {
          server async throws in
          let connector = httpConnector(
            server.url, client, fixture, query: [("key", ValueTemplate(parts: [.secret("billing/token")]))],
            paginate: .token(path: "$.next", param: "t"), secrets: ["billing/token": "s3cret"])
          let outcome = await carry(connector, in: fixture.context())
          let failure = try #require(outcome.failure)
          #expect(failure.code == "source_status")
          #expect(!failure.isTransient)
          #expect(failure.message.contains("billing.invoices"))
          #expect(failure.message.contains("answered \(code)"))
          #expect(failure.message.contains("/v2/invoices, page 2"))
          #expect(!failure.description.contains("s3cret") && !failure.message.contains("?"))
          if !hint.isEmpty { #expect(failure.hint?.contains(hint) == true) }
          #expect(server.requests.count == 2)
          #expect(fixture.sleeps.isEmpty)
          #expect(outcome.objects.first?.request.hasSuffix("/v2/invoices?key=…") == true, "a secret is in no manifest")
        }
      }
    }
  }

  @Test("and says 429 is waited for as it asks, in seconds or by date")
  func retryAfter() async throws {
    try await PullFixture.with { fixture async throws in
      try await withClient { client async throws in
        let script: @Sendable (SourceServer.Request, Int) -> SourceServer.Response = { _, number in
          switch number {
          case 0: .status(429, headers: [("Retry-After", "12")])
          case 1: .status(503, headers: [("Retry-After", "Sun, 06 Nov 1994 08:49:57 GMT")])
          default: page([1])
          }
        }
        try await SourceServer.serving(script) { server async throws in
          let outcome = await carry(httpConnector(server.url, client, fixture), in: fixture.context())
          #expect(outcome.error == nil)
          #expect(outcome.objects.count == 1)
          // The fixture's clock says 08:49:37.
          #expect(fixture.sleeps.reduce(.zero, +) == .seconds(12 + 20))
          #expect(fixture.notes.contains("waiting 12 s as the source asks"))
          #expect(fixture.notes.contains("waiting 20 s as the source asks"))
        }
      }
    }
  }

  @Test("and asks for more patience than `give_up_after` is given up")
  func tooLongAfter() async throws {
    try await PullFixture.with { fixture async throws in
      try await withClient { client async throws in
        try await SourceServer.serving({ _, _ in .status(429, headers: [("Retry-After", "3600")]) }) {
          server async throws in
          let outcome = await carry(httpConnector(server.url, client, fixture), in: fixture.context())
          let failure = try #require(outcome.failure)
          #expect(failure.code == "source_wait")
          #expect(
            failure.message.contains(
              "the source answered 429 and asks to wait 3600 s, until 1994-11-06T09:49:37Z, longer than `give_up_after`"
            ))
          #expect(failure.message.contains("(1800 s from the first try on) (/v2/invoices, page 1)"))
          #expect(failure.hint?.contains("sluice runs retry") == true)
          #expect(failure.hint?.contains("`retry: {give_up_after: 61m}`") == true)
          #expect(failure.hint?.contains("`retry_after: ignore`") == true)
          #expect(fixture.sleeps.isEmpty)
        }
      }
    }
  }

  @Test("and asks for more than 30 days is given up, whatever `give_up_after` allows")
  func monthsAfter() async throws {
    try await PullFixture.with { fixture async throws in
      try await withClient { client async throws in
        let date = "Friday, 06-Jan-95 08:49:37 GMT"
        try await SourceServer.serving({ _, _ in .status(503, headers: [("Retry-After", date)]) }) {
          server async throws in
          let outcome = await carry(
            httpConnector(server.url, client, fixture, retry: HTTPRetry(giveUpAfter: .seconds(100 * 86_400))),
            in: fixture.context())
          #expect(outcome.failure?.code == "source_wait")
          #expect(outcome.failure?.message.contains("until 1995-01-06T08:49:37Z, longer than 2592000 s") == true)
        }
      }
    }
  }

  @Test("and asks for a wait that would hold a slot for long gets it back")
  func snooze() async throws {
    try await PullFixture.with { fixture async throws in
      try await withClient { client async throws in
        try await SourceServer.serving({ _, _ in .status(429, headers: [("Retry-After", "600")]) }) {
          server async throws in
          let outcome = await carry(httpConnector(server.url, client, fixture), in: fixture.context())
          #expect(outcome.error as? JobSnooze == JobSnooze(.seconds(600)))
          #expect(
            fixture.notes.last
              == "waiting 600 s, since 1994-11-06T08:49:37Z until 1994-11-06T08:59:37Z, as the source asks")
        }
      }
    }
  }

  @Test("for a while is asked again, ever more slowly, and the pull goes on")
  func recovers() async throws {
    try await PullFixture.with { fixture async throws in
      try await withClient { client async throws in
        let script: @Sendable (SourceServer.Request, Int) -> SourceServer.Response = { _, number in
          switch number {
          case 1: .status(500)
          case 2: SourceServer.Response(hangsUp: true)
          case 3: .status(502)
          default: page([number], next: number == 0 ? "\"t\"" : "null")
          }
        }
        try await SourceServer.serving(script) { server async throws in
          let outcome = await carry(
            httpConnector(server.url, client, fixture, paginate: .token(path: "$.next", param: "t")),
            in: fixture.context())
          #expect(outcome.error == nil)
          #expect(outcome.objects.count == 2)
          #expect(fixture.sleeps == [.milliseconds(500), .seconds(1), .seconds(1), .seconds(1)])
        }
      }
    }
  }

  @Test("on page 2 for good fails there; the checkpoint goes on from there when it is well")
  func goesOn() async throws {
    try await PullFixture.with { fixture async throws in
      try await withClient { client async throws in
        let script: @Sendable (SourceServer.Request, Int) -> SourceServer.Response = { request, number in
          if request.parameter("t") == nil { return page([1, 2], next: "\"p2\"") }
          return number < 4 ? .status(500) : page([3])
        }
        try await SourceServer.serving(script) { server async throws in
          let connector = httpConnector(
            server.url, client, fixture, paginate: .token(path: "$.next", param: "t"), retry: fewTries)
          let first = await carry(connector, in: fixture.context(epoch: 1))
          #expect(first.failure?.message.contains("page 2), after 3 tries") == true)
          #expect(first.objects.count == 1)
          let state = try #require(first.steps.last?.state)
          let second = await carry(connector, from: state, in: fixture.context(epoch: 2))
          #expect(second.error == nil)
          #expect(second.objects.map(\.key) == ["raw/orders/billing/invoices/7/40-2-1.json"])
          #expect(server.targets.filter { $0 == "/v2/invoices" }.count == 1, "page 1 is not pulled again")
        }
      }
    }
  }

  @Test("and sends less than it announced leaves nothing, is asked again, and is named in the end")
  func truncated() async throws {
    try await PullFixture.with { fixture async throws in
      try await withClient { client async throws in
        let half = SourceServer.Response(body: Array("{\"data\": [1".utf8), announcedBytes: 400)
        try await SourceServer.serving({ _, _ in half }) { server async throws in
          let outcome = await carry(httpConnector(server.url, client, fixture, retry: fewTries), in: fixture.context())
          let failure = try #require(outcome.failure)
          #expect(failure.code == "source_truncated")
          #expect(failure.message.contains("after 11 of 400 bytes"))
          #expect(server.requests.count == 3)
          #expect(try await fixture.keys.isEmpty)
        }
      }
    }
  }

  @Test("and falls silent in the middle is not waited for")
  func silent() async throws {
    try await PullFixture.with { fixture async throws in
      try await withClient(silence: .milliseconds(200)) { client async throws in
        let stuck = SourceServer.Response(body: Array("{\"data\": [1".utf8), announcedBytes: 400, staysSilent: true)
        try await SourceServer.serving({ _, _ in stuck }) { server async throws in
          let outcome = await carry(
            httpConnector(server.url, client, fixture, retry: HTTPRetry(max: 1)), in: fixture.context())
          #expect(outcome.failure?.code == "source_truncated")
          #expect(server.requests.count == 2)
          #expect(try await fixture.keys.isEmpty)
        }
      }
    }
  }

  @Test(
    "by not being there is told as that",
    arguments: [
      ("127.0.0.1", "does not accept connections"), ("localhost", "does not accept connections"),
      ("no-such-host.invalid", "host name is not known"),
    ])
  func down(host: String, told: String) async throws {
    try await PullFixture.with { fixture async throws in
      try await withClient { client async throws in
        let port = try ClosedPort()
        let outcome = await carry(
          httpConnector("http://\(host):\(port.number)", client, fixture, retry: fewTries), in: fixture.context())
        let failure = try #require(outcome.failure)
        #expect(failure.code == "source_unreachable")
        #expect(failure.message.contains(told))
        #expect(fixture.sleeps.count == 2)
        _ = port
      }
    }
  }

  @Test(
    "with something else than was promised: the bytes are kept as broken, and nothing is tried again",
    arguments: [
      ("<!DOCTYPE html><p>Sign in", RecordFormat.json(path: "$.data[*]"), "HTML where JSON was promised"),
      ("<html>", .csv(CSVFormat()), "HTML where CSV was promised"),
      ("<html>", .ndjson, "HTML where NDJSON was promised"),
      ("{\"data\": [1, 2", .json(path: "$.data[*]"), "ends early"),
      ("{\"data\": [1, 2]} x", .json(path: "$.data[*]"), "invalid JSON at byte 17"),
      ("{\"error\": \"quota\"}", .json(path: "$.data[*]"), "nothing at $.data[*]"),
      ("", .json(path: "$"), "empty"),
      (
        "{\"id\": 1}\n{\"id\": 2}\n", .json(path: "$"),
        "invalid JSON at byte 10: another document begins there, as in NDJSON"
      ),
    ])
  func wrongDocument(body: String, format: RecordFormat, told: String) async throws {
    try await PullFixture.with { fixture async throws in
      try await withClient { client async throws in
        try await SourceServer.serving({ _, _ in .text(body) }) { server async throws in
          let outcome = await carry(httpConnector(server.url, client, fixture, records: format), in: fixture.context())
          let failure = try #require(outcome.failure)
          #expect(failure.code == "source_document")
          #expect(!failure.isTransient)
          #expect(failure.message.contains(told) && failure.message.contains("page 1"))
          #expect(server.requests.count == 1)
          let object = try #require(outcome.objects.first)
          #expect(object.broken?.contains(told) == true)
          #expect(try await fixture.text(object.key) == body)
        }
      }
    }
  }

  @Test("sends its own host's redirects, which are followed; another's never see the credentials")
  func redirects() async throws {
    try await PullFixture.with { fixture async throws in
      try await withClient { client async throws in
        try await SourceServer.serving({ _, _ in page([1]) }) { other async throws in
          let elsewhere = other.url
          let script: @Sendable (SourceServer.Request, Int) -> SourceServer.Response = { request, _ in
            switch request.path {
            case "/v2/invoices": .status(302, headers: [("Location", "/moved?x=1")])
            case "/moved": page([1])
            default: .status(307, headers: [("Location", elsewhere + "/stolen")])
            }
          }
          try await SourceServer.serving(script) { server async throws in
            let auth = HTTPAuth.bearer(ValueTemplate(parts: [.secret("token")]))
            let secrets = ["token": "abc"]
            let same = await carry(
              httpConnector(server.url, client, fixture, auth: auth, secrets: secrets), in: fixture.context())
            #expect(same.error == nil)
            #expect(server.requests.last?.headers["authorization"] == "Bearer abc")
            let leak = await carry(
              httpConnector(server.url, client, fixture, path: "/away", auth: auth, secrets: secrets),
              in: fixture.context(epoch: 2))
            #expect(leak.failure?.code == "source_elsewhere")
            #expect(other.requests.isEmpty)
            let open = await carry(
              httpConnector(server.url, client, fixture, path: "/away"), in: fixture.context(epoch: 3))
            #expect(open.failure?.code == "source_elsewhere")
            #expect(open.failure?.hint?.contains("redirects: follow") == true)
            #expect(other.requests.isEmpty)
          }
        }
      }
    }
  }

  @Test("keeps a drain waiting no longer than a second")
  func drain() async throws {
    try await PullFixture.with { fixture async throws in
      try await withClient { client async throws in
        let script: @Sendable (SourceServer.Request, Int) -> SourceServer.Response = { _, _ in
          fixture.drain()
          return .status(429, headers: [("Retry-After", "60")])
        }
        try await SourceServer.serving(script) { server async throws in
          let outcome = await carry(httpConnector(server.url, client, fixture), in: fixture.context())
          #expect(outcome.error as? JobYield == JobYield())
          #expect(fixture.sleeps.isEmpty)
        }
      }
    }
  }
}
