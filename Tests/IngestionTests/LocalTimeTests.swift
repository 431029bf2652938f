import Ingestion
import JobModel
import JobStore
import PipelineDefinition
import Testing

@Suite("Local times in a cursor")
struct LocalTimeTests {
  /// Summer times of one year, an hour ahead, as JobStore reads them: 2024-03-31T01:00Z and 2024-10-27T01:00Z.
  private static func clock() throws -> LocalClock {
    func offset(_ at: Int64, _ east: Int64) -> JobStore.ZoneOffset { JobStore.ZoneOffset(at: at, east: east) }
    return try #require(
      LocalClock([offset(-5_364_662_400, 3600), offset(1_711_846_800, 7200), offset(1_729_990_800, 3600)]))
  }

  @Test(
    "are those of the clocks: the second of two, and none that the clocks skipped",
    arguments: [
      ("1700-01-01", "1699-12-31T23:00:00Z"), ("2024-01-15 12:00", "2024-01-15T11:00:00Z"),
      ("2024-03-31T01:59:59.999999999", "2024-03-31T00:59:59.999999999Z"), ("2024-03-31T02:00:00", nil),
      ("2024-03-31T02:59:59.5", nil), ("2024-03-31T03:00:00", "2024-03-31T01:00:00Z"),
      ("2024-10-27T01:59:59", "2024-10-26T23:59:59Z"), ("2024-10-27T02:00:00", "2024-10-27T01:00:00Z"),
      ("2024-10-27T02:59:59", "2024-10-27T01:59:59Z"), ("9999-12-31T23:59:59", "9999-12-31T22:59:59Z"),
      ("2024-07-15T12:00:00Z", "2024-07-15T12:00:00Z"), ("2024-07-15 12:00:00-05", "2024-07-15T17:00:00Z"),
    ] as [(String, String?)])
  func instants(local: String, expected: String?) throws {
    let value = CursorValue(local, type: ColumnType("timestamptz"), clock: try Self.clock())
    #expect(value == expected.flatMap { CursorValue($0, type: ColumnType("timestamptz")) })
  }

  @Test("next to times with an offset move the cursor to the latest instant", arguments: [false, true])
  func mixed(isLocalFirst: Bool) throws {
    let cursor = Cursor(field: "f", type: ColumnType("timestamptz"))
    var progress = CursorProgress(cursor, clock: try Self.clock())
    let texts = ["2024-07-15T12:00:00", "2024-07-15T11:00:00Z"]
    for text in isLocalFirst ? texts : texts.reversed() { progress.see(text) }
    #expect(progress.highest == "2024-07-15T11:00:00Z")
    #expect(progress.advanced(from: "2024-07-15 12:30:00") == "2024-07-15T11:00:00Z")
    #expect(progress.advanced(from: "2024-07-15 13:00:00") == nil)
    // With no zone they are in UTC.
    var plain = CursorProgress(cursor)
    for text in texts { plain.see(text) }
    #expect(plain.highest == "2024-07-15T12:00:00")
  }

  @Test(
    "are the notation of a backfill's bounds where the source writes its times so",
    arguments: [
      ("timestamp", "2024-01-01", nil, "2024-01-01T00:00:00"),
      ("timestamp", "2024-01-01T10:20:30.5", "2024-02-01T00:00:00Z", "2024-01-01T10:20:30.5Z"),
      ("timestamp", "2024-01-01", "2024-02-01 00:00:00", "2024-01-01T00:00:00"),
      ("timestamp", "2024-01-01T10:20:30+02:00", nil, "2024-01-01T08:20:30Z"),
      ("timestamptz", "2024-01-01", nil, "2024-01-01T00:00:00Z"),
      ("timestamptz", "2024-01-01T10:00", "2024-02-01T00:00:00Z", "2024-01-01T10:00:00Z"),
      ("timestamptz", "2024-01-01T10:00", "2024-02-01 00:00:00", "2024-01-01T10:00:00"),
      ("timestamptz", "2024-01-01T10:00Z", "2024-02-01 00:00:00", "2024-01-01T10:00:00Z"),
      ("date", "2024-01-01", nil, "2024-01-01"), ("bigint", " 17 ", nil, "17"), ("text", " a", nil, " a"),
    ] as [(String, String, String?, String)])
  func bounds(type: String, text: String, stored: String?, expected: String) throws {
    let cursor = Cursor(field: "f", type: ColumnType(type))
    let bound = try #require(CursorProgress.bound(text, cursor, stored: stored))
    #expect(bound.text == expected)
    #expect(CursorProgress.bound("none", Cursor(field: "f", type: ColumnType("date")), stored: stored) == nil)
  }

  @Test("of a stream are in the zone that the contracts of its datasets agree on")
  func zone() {
    func column(_ name: String, _ zone: String?, type: String = "timestamptz") -> ContractColumn {
      ContractColumn(name: name, type: ColumnType(type), sourceTimezone: zone)
    }
    func zone(
      of type: String = "timestamptz", reads: [StreamColumn] = [], _ contracts: [ContractColumn]...
    ) -> String? {
      let stream = Stream(
        name: "t", read: .incremental, records: .ndjson, cursor: Cursor(field: "At", type: ColumnType(type)),
        columns: reads)
      let reference = StreamReference(source: "s", stream: "t")
      return Pipeline(
        name: "p",
        sources: [
          Source(name: "s", kind: .files(FilesSource(at: ValueTemplate(literal: "file:x"))), streams: [stream])
        ],
        curate: contracts.enumerated().map { CurateStep(name: "d\($0.offset)", from: [reference], columns: $0.element) }
      ).cursorZone(of: reference)
    }
    let zurich = column("at", "Europe/Zurich")
    #expect(zone([zurich]) == "Europe/Zurich")
    #expect(zone(of: "timestamp", [zurich]) == "Europe/Zurich")
    #expect(zone([zurich], [column("other", "Asia/Kolkata")], [zurich]) == "Europe/Zurich")
    #expect(zone([zurich], [column("at", "Asia/Kolkata")]) == nil)
    #expect(zone([zurich], [column("at", nil)]) == nil)
    #expect(zone([column("at", nil)]) == nil)
    #expect(zone([column("at", nil, type: "timestamp")]) == nil)
    #expect(zone(of: "bigint", [zurich]) == nil)
    #expect(zone(reads: [StreamColumn(name: "at", type: ColumnType("timestamptz"))], [zurich]) == nil)
    #expect(zone() == nil)
  }
}
