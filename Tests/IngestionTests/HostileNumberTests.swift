import JobModel
import PipelineDefinition
import Testing

@testable import Ingestion

@Suite("A number that is out of all range")
struct HostileNumberTests {
  private static let numbers = [
    "1e-9223372036854775808", "1e9223372036854775807", "-1e-9223372036854775808", "1e99999999999999999999", "1e+", "1e",
    "e1", "-", "+", "1e--5", "1e1000000", "nan", "inf", "0x1p99", "--1", "1e-9223372036854775809", "\u{0661}",
  ]

  @Test("is no value of a cursor", arguments: numbers, ["decimal(18,4)", "double", "bigint"])
  func cursorValue(text: String, type: String) {
    #expect(CursorValue(text, type: ColumnType(type)) == nil)
    var progress = CursorProgress(Cursor(field: "v", type: ColumnType(type)))
    progress.see(text)
    #expect(progress.highest == nil && progress.unreadable == 1)
  }

  @Test("in a record leaves the pull alone")
  func pulled() async throws {
    try await PullFixture.with { fixture async throws in
      try await withClient { client async throws in
        let records = "[{\"v\": 1e-9223372036854775808}, {\"v\": 7.5}, {\"v\": 1e9223372036854775807}]"
        try await SourceServer.serving({ _, _ in .json(records) }) { server async throws in
          let outcome = await carry(
            httpConnector(
              server.url, client, fixture, records: .json(path: "$[*]"),
              cursor: Cursor(field: "v", type: ColumnType("decimal(18,4)"))), in: fixture.context())
          #expect(outcome.error == nil)
          #expect(outcome.newCursor == "7.5")
        }
      }
    }
  }

  @Test("is still compared where it has many digits")
  func comparable() throws {
    let large = try #require(DecimalText("1e999999"))
    let small = try #require(DecimalText("1e-999999"))
    #expect(small < large)
    #expect(try #require(DecimalText("-1e999999")) < small)
  }

  @Test(
    "is no unnamed column of CSV",
    arguments: ["c-9223372036854775808", "c0", "c-1", "c9223372036854775808", "c", "c\u{0301}1"])
  func unnamedColumn(field: String) {
    var format = CSVFormat()
    format.header = false
    let scanner = CSVScanner(format, field: field)
    scanner.feed(Array("1,2\n".utf8))
    #expect(scanner.takeFieldValues() == [nil])
  }

  @Test(
    "is a wish for at most thirty days",
    arguments: [
      "9223372036854775807", "99999999999999999999", "3155760000", "1e5", "99999999999999999999.5",
      "Fri, 31 Dec 9999 23:59:60 GMT",
    ])
  func retryAfter(header: String) {
    for now in [Int64.min, 0, .max] {
      let delay = RetryAfter.delay(header, date: nil, now: now)
      #expect(delay ?? .zero <= RetryAfter.largest)
    }
    #expect(RetryAfter.delay(header, date: nil, now: 0) == (header == "1e5" ? nil : RetryAfter.largest))
  }

  @Test(
    "is no place of a page", arguments: [Pagination.page(param: "p", start: .max), .offset(param: "p", start: .max)])
  func pageNumber(pagination: Pagination) throws {
    let paginator = Paginator(pagination: pagination)
    let url = try #require(PageURL("http://a.example/"))
    #expect(throws: PaginationFault.tooLarge) {
      try paginator.place(after: paginator.start, report: BodyReport(bytes: 1, records: 1), links: [], url: url)
    }
  }

  @Test("of a page ends the pull with a reason")
  func pageNumberOfPull() async throws {
    try await PullFixture.with { fixture async throws in
      try await withClient { client async throws in
        try await SourceServer.serving({ _, number in page([number]) }) { server async throws in
          let outcome = await carry(
            httpConnector(server.url, client, fixture, paginate: .page(param: "p", start: .max - 1)),
            in: fixture.context())
          #expect(outcome.failure?.code == "source_link")
          #expect(outcome.failure?.message.contains("too large") == true)
          #expect(outcome.objects.count == 1)
        }
      }
    }
  }

  @Test("of bytes that are announced is no body", arguments: [-5, .max])
  func contentLength(length: Int) async throws {
    try await PullFixture.with { fixture async throws in
      try await withClient { client async throws in
        let lying = SourceServer.Response(body: Array("[]".utf8), announcedBytes: length)
        try await SourceServer.serving({ _, _ in lying }) { server async throws in
          let outcome = await carry(
            httpConnector(server.url, client, fixture, retry: HTTPRetry(max: 0)), in: fixture.context())
          #expect(["source_unreachable", "source_truncated", "source_body"].contains(outcome.failure?.code))
        }
      }
    }
  }

  @Test("as the port of a link or a redirect ends the pull with a reason", arguments: [true, false])
  func port(isRedirect: Bool) async throws {
    try await PullFixture.with { fixture async throws in
      try await withClient { client async throws in
        let target = "http://127.0.0.1:70000/"
        let response: SourceServer.Response =
          isRedirect ? .status(302, headers: [("Location", target)]) : page([1], next: "\"\(target)\"")
        try await SourceServer.serving({ _, _ in response }) { server async throws in
          let outcome = await carry(
            httpConnector(
              server.url, client, fixture, paginate: .nextURL(path: "$.next"), redirects: .follow,
              retry: HTTPRetry(max: 0)), in: fixture.context())
          #expect(outcome.failure?.code == (isRedirect ? "source_status" : "source_link"))
        }
        let base = await carry(httpConnector("http://127.0.0.1:70000", client, fixture), in: fixture.context(epoch: 2))
        #expect(base.failure?.code == "source_url")
      }
    }
  }

  @Test(
    "of requests a second makes no endless reservation", arguments: [Duration.zero, .nanoseconds(1), .seconds(1e9)])
  func pace(interval: Duration) {
    #expect((1...RequestPace.maximumBatch).contains(RequestPace.largestBatch(every: interval)))
  }

  @Test("of days ends a lag at the year 1")
  func lag() throws {
    for (type, begin) in [("timestamptz", "0001-01-01T00:00:00"), ("date", "0001-01-01")] {
      let cursor = Cursor(field: "v", type: ColumnType(type), lag: .milliseconds(Int64.max))
      #expect(try CursorProgress.begin(cursor, stored: "2024-01-01", label: "a.b") == begin)
    }
  }

  @Test("in a checkpoint is refused", arguments: ["9223372036854775807", "-1"])
  func checkpoint(number: String) throws {
    let state = try HTTPPullState().json
    #expect(throws: CheckpointCounts.self) {
      try HTTPPullState(json: state.replacing("\"page\":0", with: "\"page\":\(number)"))
    }
    #expect(throws: CheckpointCounts.self) {
      try HTTPPullState(json: state.replacing("\"recent\":\"\"", with: "\"recent\":\"\(number):aa\""))
    }
    #expect(throws: CheckpointCounts.self) {
      try FilesPullState(json: try FilesPullState().json.replacing("\"bytes\":0", with: "\"bytes\":\(number)"))
    }
  }
}
