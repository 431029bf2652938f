import JobModel
import PipelineDefinition
import Testing

@testable import Ingestion

@Suite("A cursor's value")
struct CursorTests {
  @Test(
    "is ordered in its type",
    arguments: [
      ("bigint", "9", "10"), ("bigint", "-10", "-9"), ("decimal(18,4)", "9.5", "10"), ("decimal(18,4)", "-2", "-1.5"),
      ("decimal(38,0)", "12345678901234567890123", "12345678901234567890124"), ("double", "1e-3", "0.01"),
      ("decimal(9,2)", "-0.5", "0"), ("decimal(9,2)", "0.05", "0.5"), ("date", "2024-02-29", "2024-03-01"),
      ("timestamptz", "2024-01-01T10:00:00+02:00", "2024-01-01T09:00:00Z"),
      ("timestamptz", "2024-01-01 10:00:00.1", "2024-01-01T10:00:00.11Z"),
      ("timestamptz", "1969-12-31T23:59:59Z", "1970-01-01"), ("text", "a", "b"), ("text", "Z", "a"),
      ("bigint", "9", " 10 "),
      ("uuid", "a0000000-0000-0000-0000-000000000000", "B0000000-0000-0000-0000-000000000000"),
    ])
  func ordered(type: String, low: String, high: String) throws {
    let type = ColumnType(type)
    let lower = try #require(CursorValue(low, type: type))
    let higher = try #require(CursorValue(high, type: type))
    #expect(lower < higher)
    #expect(!(higher < lower))
  }

  @Test(
    "that is none of its type is not taken",
    arguments: [
      ("bigint", "1.5"), ("bigint", ""), ("decimal(9,2)", "1,5"), ("decimal(9,2)", "."), ("date", "2024-02-30"),
      ("date", "2023-02-29"),
      ("timestamptz", "2024-01-01T25:00:00Z"), ("timestamptz", "2024-01-01T10:00:00+2"), ("timestamptz", "yesterday"),
      ("timestamptz", "2024-01-01T10:00:00Zx"), ("timestamptz", "1700000000"), ("text", ""),
      ("uuid", "17"), ("bigint", "\t1"), ("timestamptz", "0000-01-01"), ("text", String(repeating: "a", count: 1025)),
    ])
  func refused(type: String, text: String) {
    #expect(CursorValue(text, type: ColumnType(type)) == nil)
  }

  @Test(
    "of every notation is one instant",
    arguments: [
      ("2024-01-31T10:20:30Z", "2024-01-31T10:20:30Z"), ("2024-01-31 10:20:30.120+0530", "2024-01-31T04:50:30.12Z"),
      ("2024-03-01T00:30+01", "2024-02-29T23:30:00Z"),
      ("1969-07-20T20:17:40.000000001Z", "1969-07-20T20:17:40.000000001Z"),
      ("0001-01-01", "0001-01-01T00:00:00Z"), ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"),
      ("2000-02-29", "2000-02-29T00:00:00Z"), ("1900-03-01", "1900-03-01T00:00:00Z"),
    ])
  func notations(text: String, utc: String) throws {
    #expect(try #require(Instant(text)).text == utc)
  }

  @Test("comes back from every day of four centuries")
  func calendar() throws {
    let first = try #require(Instant("1799-12-31"))
    var text = ""
    for day in 0..<146_098 {
      let instant = Instant(nanoseconds: first.nanoseconds + Int128(day) * 86_400_000_000_000)
      #expect(instant.dateText > text)
      text = instant.dateText
      #expect(Instant(text) == instant)
    }
    #expect(text == "2199-12-31")
  }

  @Test("moves the cursor without the spaces around it, also past one that an earlier engine stored")
  func spaces() {
    var progress = CursorProgress(Cursor(field: "f", type: ColumnType("bigint")))
    for text in ["9", " 10 ", "\t11"] { progress.see(text) }
    #expect(progress.highest == "10" && progress.unreadable == 1)
    #expect(progress.advanced(from: "+9") == "10")
    #expect(progress.advanced(from: "10") == nil)
    var uuids = CursorProgress(Cursor(field: "f", type: ColumnType("uuid")))
    for text in ["A0000000-0000-0000-0000-000000000000", "none", "{90000000-0000-0000-0000-000000000000}"] {
      uuids.see(text)
    }
    #expect(uuids.advanced(from: "a row of an earlier engine") == "A0000000-0000-0000-0000-000000000000")
  }

  @Test("begins a pull less its lag; a date in whole days, a time without an offset without one")
  func begin() throws {
    func begin(_ type: String, _ stored: String?, lag: Duration, start: String? = nil) throws -> String {
      try CursorProgress.begin(
        Cursor(field: "f", type: ColumnType(type), start: start, lag: lag), stored: stored, label: "s.t")
    }
    #expect(try begin("timestamptz", "2024-03-01T00:05:00Z", lag: .seconds(600)) == "2024-02-29T23:55:00Z")
    #expect(try begin("timestamptz", "2024-03-01 00:05:00.25+02", lag: .seconds(600)) == "2024-02-29T21:55:00.25Z")
    #expect(try begin("timestamptz", "2024-03-01 00:05", lag: .seconds(600)) == "2024-02-29T23:55:00")
    #expect(try begin("timestamp", "2024-03-01", lag: .seconds(600)) == "2024-02-29T23:50:00")
    #expect(try begin("date", "2024-03-01", lag: .seconds(3600)) == "2024-02-29")
    #expect(try begin("bigint", "17", lag: .zero) == "17")
    #expect(try begin("bigint", nil, lag: .seconds(1), start: "0") == "0")
    #expect(try begin("text", nil, lag: .zero) == "")
    let error = #expect(throws: StageFailure.self) { try begin("bigint", "17", lag: .seconds(1)) }
    #expect(error?.code == "cursor_lag")
  }
}

@Suite("Retry-After")
struct RetryAfterTests {
  @Test(
    "is seconds or a date, by the source's own clock where it tells it",
    arguments: [
      ("0", nil, 0), ("120", nil, 120), (" 7 ", nil, 7), ("Sun, 06 Nov 1994 08:49:47 GMT", nil, 10),
      ("Sun, 06 Nov 1994 08:49:47 GMT", "Sun, 06 Nov 1994 08:49:00 GMT", 47), ("Sun, 06 Nov 1994 08:00:00 GMT", nil, 0),
      ("Sunday, 06-Nov-94 08:49:57 GMT", nil, 20), ("Sun Nov  6 08:50:37 1994", nil, 60),
      ("Sun Nov 06 08:50:37 1994", "Sunday, 06-Nov-94 08:50:36 GMT", 1), ("Sunday, 06-Nov-45 08:49:37 GMT", nil, 0),
      ("Sunday, 06-Nov-44 08:49:37 GMT", nil, 1_577_923_200), ("Sun, 06 Nov 1994 08:49:47 UTC", nil, 10),
    ] as [(String, String?, Int)])
  func read(header: String, date: String?, seconds: Int) {
    #expect(RetryAfter.delay(header, date: date, now: 784_111_777) == .seconds(seconds))
  }

  @Test(
    "may have a fraction, which is rounded up to a millisecond",
    arguments: [("1.5", 1_500), ("0.25", 250), ("0.0004", 1), ("2.0", 2_000), ("3.999999", 4_000), ("1.0001", 1_001)])
  func fraction(header: String, milliseconds: Int) {
    #expect(RetryAfter.delay(header, date: nil, now: 0) == .milliseconds(milliseconds))
  }

  @Test(
    "that cannot be understood is no wish",
    arguments: [
      "", "soon", "-5", "1.", ".5", "1.5s", "1.2.3", "1,5", "1e3", "06 Nov 1994", "Sun, 06 Nox 1994 08:49:37 GMT",
      "Sun, 06-Nov-94 08:49:37 GMT", "Sunday, 06-Nov-1994 08:49:37 GMT", "Sun Nov 31 08:49:37 1994",
      "Sun, 06 Nov 1994 08:49:37 CET", "Sun, 06 Nov 1994 08:49:37",
    ])
  func unreadable(header: String) {
    #expect(RetryAfter.delay(header, date: nil, now: 0) == nil)
  }
}
