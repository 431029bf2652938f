import Catalog
import Ingestion
import JobModel
import ObjectStore
import PipelineDefinition
import Testing

@Suite("What an HTTP stream asks for")
struct HTTPRequestTests {
  private let cursor = Cursor(
    field: "updated_at", type: ColumnType("timestamptz"), start: "2024-01-01T00:00:00Z", lag: .seconds(600))
  private let query: [(name: String, value: ValueTemplate)] = [
    ("updated_since", ValueTemplate(parts: [.placeholder("cursor")]))
  ]

  @Test("begins at `start`, later at the cursor less the lag, and the cursor becomes the highest value")
  func cursors() async throws {
    try await PullFixture.with { fixture async throws in
      try await withClient { client async throws in
        let script: @Sendable (SourceServer.Request, Int) -> SourceServer.Response = { _, number in
          // The same instant order in three notations; the second page's is the highest.
          switch number {
          case 0: page([1], next: "\"t\"", at: "2024-02-01T10:00:00Z")
          case 1: page([2], at: "2024-02-01 13:30:00+02")
          default: page([3], at: "2024-02-01T11:29:59Z")
          }
        }
        try await SourceServer.serving(script) { server async throws in
          func pull(_ stored: String?, _ epoch: Int64) async -> PullOutcome {
            await carry(
              httpConnector(
                server.url, client, fixture, query: query, paginate: .token(path: "$.next", param: "t"), cursor: cursor,
                storedCursor: stored), in: fixture.context(epoch: epoch))
          }
          let first = await pull(nil, 1)
          #expect(first.error == nil)
          #expect(server.targets[0] == "/v2/invoices?updated_since=2024-01-01T00%3A00%3A00Z")
          #expect(server.targets[1] == "/v2/invoices?updated_since=2024-01-01T00%3A00%3A00Z&t=t")
          #expect(first.newCursor == "2024-02-01 13:30:00+02")
          let second = await pull(first.newCursor, 2)
          #expect(second.error == nil)
          #expect(server.targets[2] == "/v2/invoices?updated_since=2024-02-01T11%3A20%3A00Z")
          #expect(second.newCursor == nil, "a lower value never lowers the cursor")
        }
      }
    }
  }

  @Test("of a backfill asks for its range, whatever the cursor and its lag, and leaves the cursor where it is")
  func backfill() async throws {
    try await PullFixture.with { fixture async throws in
      try await withClient { client async throws in
        let query = self.query + [("updated_before", ValueTemplate(parts: [.placeholder("until")]))]
        let script: @Sendable (SourceServer.Request, Int) -> SourceServer.Response = { _, _ in
          page([1], at: "2030-01-01T00:00:00Z")
        }
        try await SourceServer.serving(script) { server async throws in
          func pull(_ range: CursorRange?, _ epoch: Int64) async -> PullOutcome {
            await carry(
              httpConnector(
                server.url, client, fixture, query: query, cursor: cursor, storedCursor: "2024-06-01T00:00:00Z",
                range: range), in: fixture.context(epoch: epoch))
          }
          let range = CursorRange(from: "2024-01-01T00:00:00Z", to: "2024-02-01T00:00:00Z")
          let backfill = await pull(range, 1)
          #expect(backfill.error == nil)
          #expect(backfill.newCursor == nil)
          let normal = await pull(nil, 2)
          #expect(normal.newCursor == "2030-01-01T00:00:00Z")
          #expect(
            server.targets == [
              "/v2/invoices?updated_since=2024-01-01T00%3A00%3A00Z&updated_before=2024-02-01T00%3A00%3A00Z",
              "/v2/invoices?updated_since=2024-05-31T23%3A50%3A00Z",
            ])
        }
      }
    }
  }

  @Test("keeps its begin in the checkpoint, whatever the cursor became meanwhile")
  func cursorOfResumed() async throws {
    try await PullFixture.with { fixture async throws in
      try await withClient { client async throws in
        let script: @Sendable (SourceServer.Request, Int) -> SourceServer.Response = { _, number in
          number == 0 ? page([1], next: "\"t\"", at: "2024-05-01T00:00:00Z") : page([2])
        }
        try await SourceServer.serving(script) { server async throws in
          func connector(_ stored: String?) -> HTTPConnector {
            httpConnector(
              server.url, client, fixture, query: query, paginate: .token(path: "$.next", param: "t"), cursor: cursor,
              storedCursor: stored)
          }
          let first = await carry(connector(nil), in: fixture.context(), limit: 1)
          let second = await carry(
            connector("2030-01-01T00:00:00Z"), from: first.steps[0].state, in: fixture.context(epoch: 2))
          #expect(second.error == nil)
          #expect(server.targets[1].contains("updated_since=2024-01-01T00%3A00%3A00Z"))
          #expect(second.newCursor == nil, "the cursor is at 2030 by now")
        }
      }
    }
  }

  @Test("is not followed in CSV of characters of two bytes", arguments: ["utf-16", "utf-16le", "utf-16be"])
  func wideCharacters(encoding: String) async throws {
    try await PullFixture.with { fixture async throws in
      try await withClient { client async throws in
        let outcome = await carry(
          httpConnector(
            "http://127.0.0.1:1", client, fixture, records: .csv(CSVFormat(encoding: encoding)), cursor: cursor),
          in: fixture.context())
        #expect(outcome.failure?.code == "not_supported")
        #expect(outcome.failure?.message.contains("a cursor (updated_at) cannot be followed in csv") == true)
      }
    }
  }

  @Test("is an event of the run when no record has the cursor's field in its type")
  func cursorMissing() async throws {
    try await PullFixture.with { fixture async throws in
      try await withClient { client async throws in
        try await SourceServer.serving({ _, _ in .text("{\"id\": 1}\nnot json\n{\"updated_at\": \"soon\"}\n") }) {
          server async throws in
          let outcome = await carry(
            httpConnector(server.url, client, fixture, records: .ndjson, cursor: cursor), in: fixture.context())
          #expect(outcome.error == nil)
          #expect(outcome.newCursor == nil)
          #expect(outcome.events.map(\.kind) == [.unreadCursor])
          #expect(outcome.events.first?.message.contains("none of 3 records has a timestamptz in updated_at") == true)
          #expect(outcome.objects.first?.records == 3)
        }
      }
    }
  }

  @Test(
    "carries its credentials, which are in no checkpoint and no manifest",
    arguments: [
      (HTTPAuth.bearer(ValueTemplate(parts: [.secret("s")])), "Bearer hunter2"),
      (
        .basic(user: ValueTemplate(literal: "me"), password: ValueTemplate(parts: [.secret("s")])),
        "Basic bWU6aHVudGVyMg=="
      ),
    ])
  func authorization(auth: HTTPAuth, header: String) async throws {
    let (request, outcome) = try await pullWithSecret(auth)
    #expect(request.headers["authorization"] == header)
    #expect(!"\(outcome.steps)".contains("hunter2"))
  }

  @Test("may carry them in a header or the query")
  func otherCredentials() async throws {
    let secret = ValueTemplate(parts: [.secret("s")])
    let (header, _) = try await pullWithSecret(.header(name: "X-Key", value: secret))
    #expect(header.headers["x-key"] == "hunter2")
    let (query, outcome) = try await pullWithSecret(.query(name: "api_key", value: secret))
    #expect(query.parameter("api_key") == "hunter2")
    #expect(!"\(outcome.steps)".contains("hunter2"))
  }

  /// The last of two pages, of which the first links to the second with every parameter that it was asked with.
  private func pullWithSecret(_ auth: HTTPAuth) async throws -> (SourceServer.Request, PullOutcome) {
    try await PullFixture.with { fixture async throws in
      try await withClient { client async throws in
        let script: @Sendable (SourceServer.Request, Int) -> SourceServer.Response = { request, number in
          number == 0
            ? page([1], next: "\"\(request.target)\(request.target.contains("?") ? "&" : "?")p=2\"") : page([2])
        }
        return try await SourceServer.serving(script) { server async throws in
          let outcome = await carry(
            httpConnector(
              server.url, client, fixture, paginate: .nextURL(path: "$.next"), auth: auth, secrets: ["s": "hunter2"]),
            in: fixture.context())
          #expect(outcome.error == nil)
          return (try #require(server.requests.last), outcome)
        }
      }
    }
  }

  @Test("names a secret or variable that this process lacks", arguments: ["secret", "environment"])
  func missingValue(kind: String) async throws {
    try await PullFixture.with { fixture async throws in
      try await withClient { client async throws in
        try await SourceServer.serving({ _, _ in page([1]) }) { server async throws in
          let part: ValueTemplate.Part = kind == "secret" ? .secret("NAME") : .environment("NAME")
          let outcome = await carry(
            httpConnector(server.url, client, fixture, auth: .bearer(ValueTemplate(parts: [part]))),
            in: fixture.context())
          #expect(outcome.failure?.code == "value_missing")
          #expect(outcome.failure?.message.contains("\(kind) NAME") == true)
          #expect(server.requests.isEmpty)
        }
      }
    }
  }

  @Test("comes no faster than `requests_per_second`")
  func limiter() async throws {
    try await PullFixture.with { fixture async throws in
      try await withClient { client async throws in
        try await SourceServer.serving({ _, number in number < 4 ? page([number]) : page([]) }) { server async throws in
          let outcome = await carry(
            httpConnector(
              server.url, client, fixture, paginate: .page(param: "page", start: 1), requestsPerSecond: 4,
              line: RequestPace(now: fixture.timing.now, reserve: Reservations(fixture.timing.now).reserve)),
            in: fixture.context())
          #expect(outcome.error == nil)
          #expect(fixture.sleeps == Array(repeating: .milliseconds(250), count: 4))
        }
      }
    }
  }
}
