import DuckDB
import Ingestion
import JobModel
import JobStore
import PipelineDefinition
import Postgres
import TestSupport
import Testing

@testable import Curation
@testable import Loading

/// A cursor's text means the same where ingestion moves the cursor, where curation orders versions, and where a target does.
@Suite("A cursor's text")
struct CursorAgreementTests {
  static let types = [
    "bigint", "integer", "smallint", "decimal(18,4)", "decimal(38,0)", "date", "timestamp", "timestamptz", "uuid",
    "text",
  ]

  /// Forms that the type table does not have.
  static let further: [CursorKind: [String]] = [
    .integer: ["-0", "010", "+10", "9", "10", "", "  ", "+", "- 1", "1e3", "99999999999999999999999", "-9", "-10"],
    .decimal: [
      "-0", "0.0", "0e-99999999999", "-0e99999999999999999999", "1e-2147483648", "1e-2147483649", "1e999999",
      "1e1000000",
      "-1e-999999", "9.99", "10", "1E1", "010.0", "-1.5", "-1.50", "-10", ".", "e5", "1e", "",
    ],
    .instant: [
      "0000-01-01", "0000-06-01T00:00:00Z", "2024-01-01T00:00:00Z", "2024-01-01 00:00:00", "2024-01-01",
      "2024-01-01T00:00",
      "2024-01-01T00:00:00.1", "2024-01-01T00:00:00.100000000Z", "2024-01-01T00:00:00.1000000009",
      "2024-01-01 00:00:00,25z",
      "2024-01-01T01:00:00+01:00", "2024-01-01T01:00:00+0100", "2024-01-01T01:00+01", "2023-12-31T23:59:60Z",
      "2024-01-01T",
      "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "",
    ],
    .uuid: [
      "A0000000-0000-0000-0000-000000000000", "b0000000-0000-0000-0000-000000000000",
      "{B0000000-0000-0000-0000-000000000000}", "C0000000000000000000000000000000", "0", "",
      "{a0000000000000000000000000000000}", "a0000000-0000-0000-0000-00000000000",
      "a0000000-00000000-0000-0000-00000000000",
    ],
    .text: ["", " ", " a", "a ", "a", "B", "\u{e4}", "\u{1d11e}", String(repeating: "a", count: 1025)],
  ]

  /// Every text of the type table that is of the type or looks like it, and the further forms; each also with spaces around it.
  static func texts(_ type: ColumnType) throws -> [String] {
    let kind = CursorKind(type)
    let table = try TypeExample.table().filter { CursorKind($0.type) == kind }.map(\.text)
    let forms = table + (further[kind] ?? [])
    return Array(Set(forms + forms.map { " \($0)  " } + forms.map { "\t\($0)" } + forms.map { "\u{a0}\($0)" })).sorted {
      $0.utf8.lexicographicallyPrecedes($1.utf8)
    }
  }

  /// What one place makes of the texts: the rank of each, the lowest first; nil for what is no value.
  private typealias Ranks = [Int?]

  private static func ranks(_ values: [CursorValue?]) -> Ranks {
    var distinct: [CursorValue] = []
    for value in values.compactMap({ $0 }).sorted() where distinct.last.map({ $0 < value }) ?? true {
      distinct.append(value)
    }
    return values.map { value in value.flatMap { value in distinct.firstIndex { !($0 < value) } }.map { $0 + 1 } }
  }

  private static func ranked(_ order: String, of values: String) -> String {
    "select i, case when o is not null then dense_rank() over (order by o nulls last) end as rank "
      + "from (select i, \(order) as o from \(values)) as r"
  }

  @Test("is read and ordered alike in every place, in each form that the contract accepts", arguments: types)
  func agreement(type: String) async throws {
    let type = ColumnType(type)
    let texts = try Self.texts(type)
    let moved = Self.ranks(texts.map { CursorValue($0, type: type) })
    #expect(Set(moved).count >= 5)
    let typed = TypeCast(column: "v", from: "VARCHAR", to: type).value
    let values = texts.enumerated().map { "(\($0.offset), \(textExpression($0.element)))" }.joined(separator: ", ")
    let (curated, kept, contract) = try await Workbench.with { bench in
      let duckdb = try await bench.duckdb.withSession(
        in: DuckDBPlace(directory: bench.directory), limits: bench.limits
      ) { session in
        let source = "(values \(values)) t(i, v)"
        var found: [[DuckDBRow]] = []
        for statement in [
          Self.ranked(CursorOrder(type).expression("v", type: "VARCHAR"), of: source),
          // The value that the dataset keeps, among those of the texts that are no value of the contract.
          """
          select i, \(CursorOrder(type).expression("v", type: "VARCHAR")) is not distinct from
            \(CursorOrder(type).expression("c", type: type.duckDBName)) as same
          from (select i, v, \(typed) as c from \(source)) where c is not null
          """,
          "select i, dense_rank() over (order by c) as rank from (select i, \(typed) as c from \(source)) where c is not null",
        ] { found.append(try await session.rows(statement)) }
        return found
      }
      return (duckdb[0], duckdb[1], duckdb[2])
    }
    for row in curated {
      let index = try #require(row["i"]?.int)
      #expect(row["rank"]?.int == moved[index], "\(texts[index]) as \(type) in curation")
    }
    for row in kept {
      let index = try #require(row["i"]?.int)
      // A text that is longer than a cursor may be is accepted by the contract.
      guard texts[index].utf8.count <= CursorKind.maximumBytes, !texts[index].isEmpty else { continue }
      #expect(moved[index] != nil, "\(texts[index]) is a \(type), and no cursor")
      #expect(row["same"]?.text == "true", "\(texts[index]) as \(type) in the dataset")
    }
    var native: [Int: Int] = [:]
    for row in contract { native[try #require(row["i"]?.int)] = row["rank"]?.int }
    let accepted = native.keys.filter { moved[$0] != nil }
    for (left, right) in zip(accepted, accepted.dropFirst()) {
      #expect(
        Self.compare(native[left], native[right]) == Self.compare(moved[left], moved[right]),
        "\(texts[left]) and \(texts[right]) as \(type)")
    }
    let loaded = try await TestDatabase.withEmptyDatabase { database in
      let source =
        "(values \(texts.enumerated().map { "(\($0.offset), \(quoteLiteral($0.element)))" }.joined(separator: ", "))) t(i, v)"
      let statement = Self.ranked(TextCursor(type: type).value("v"), of: source)
      return try await database.pool.query(SQLStatement(text: statement), []).map {
        (index: Int(try $0.int("i")), rank: try $0.optionalInt("rank").map(Int.init))
      }
    }
    for row in loaded { #expect(row.rank == moved[row.index], "\(texts[row.index]) as \(type) in a target") }
    #expect(curated.count == texts.count && loaded.count == texts.count)
  }

  private static func compare(_ left: Int?, _ right: Int?) -> Int {
    guard let left, let right else { return 0 }
    return left < right ? -1 : left > right ? 1 : 0
  }

  @Test(
    "without an offset is in the zone of the contract",
    arguments: ["Europe/Zurich", "America/New_York", "Asia/Kolkata"])
  func zones(zone: String) async throws {
    let type = ColumnType("timestamptz")
    let texts =
      try Self.texts(type) + [
        "2024-07-15 12:00:00", "2024-07-15T11:00:00Z", "2024-10-27 02:30:00", "2024-03-31 02:30:00", "2024-03-10t02:30",
        "2024-10-27 01:59:59.999999", "2024-10-27 03:00", "2024-10-27T02:30:00+02:00", "2024-11-03 01:30",
        "2024-11-03T05:45Z",
        "1890-06-01 00:00:00", "1850-01-01", "2024-03-31T02:59:60", "1969-12-31T23:59:59.5",
      ]
    let offsets = try await TestDatabase.withEmptyDatabase { database in
      try await JobStore(database: database.pool).offsets(ofZone: zone)
    }
    let clock = try #require(offsets.flatMap(LocalClock.init))
    let moved = Self.ranks(texts.map { CursorValue($0, type: type, clock: clock) })
    let values = texts.enumerated().map { "(\($0.offset), \(textExpression($0.element)))" }.joined(separator: ", ")
    let order = CursorOrder(type, timezone: zone).expression("v", type: "VARCHAR")
    let typed = TypeCast(column: "v", from: "VARCHAR", to: type, sourceTimezone: zone).value
    try await Workbench.with { bench in
      let (curated, rows) = try await bench.duckdb.withSession(
        in: DuckDBPlace(directory: bench.directory), limits: bench.limits
      ) { session in
        let curated = try await session.rows(Self.ranked(order, of: "(values \(values)) t(i, v)"))
        let rows = try await session.rows(
          """
          select i, \(order) is not distinct from \(CursorOrder(type, timezone: zone).expression("c", type: "TIMESTAMPTZ")) as same
          from (select i, v, \(typed) as c from (values \(values)) t(i, v)) where c is not null
          """)
        return (curated, rows)
      }
      #expect(rows.count > 10 && curated.count == texts.count)
      for row in curated {
        let index = try #require(row["i"]?.int)
        #expect(row["rank"]?.int == moved[index], "\(texts[index]) in \(zone)")
      }
      for row in rows { #expect(row["same"]?.text == "true", "\(texts[row["i"]?.int ?? 0]) in \(zone)") }
    }
  }

  /// The cursor's type, the contract's column, an older value and a newer one that is smaller by the text alone.
  static let contracts: [(cursor: String, column: ContractColumn, older: String, newer: String)] = {
    func column(_ type: String, zone: String? = nil) -> ContractColumn {
      ContractColumn(name: "u", type: ColumnType(type), sourceTimezone: zone)
    }
    let zurich = column("timestamptz", zone: "Europe/Zurich")
    return [
      ("timestamptz", zurich, "2024-07-15 12:00:00", "2024-07-15T11:00:00Z"),
      ("timestamptz", zurich, "2024-07-15T12:00:00.123456", "2024-07-15T10:00:01Z"),
      ("timestamptz", column("timestamptz", zone: "America/New_York"), "2024-07-15T13:00:00Z", " 2024-07-15 12:00 "),
      ("text", column("bigint"), "9", " 10"),
      ("text", column("uuid"), "a0000000-0000-0000-0000-000000000000", "B0000000-0000-0000-0000-000000000000"),
      ("bigint", column("decimal(20,2)"), "9", " +10"),
    ]
  }()

  @Test("orders versions as the dataset's values are ordered, in one run and across runs", arguments: contracts.indices)
  func versions(index: Int) async throws {
    let (cursor, column, older, newer) = Self.contracts[index]
    let contract = [ContractColumn(name: "id", type: .text), column, ContractColumn(name: "n", type: .text)]
    let definition = stream(records: .ndjson, key: ["id"], cursor: Cursor(field: "u", type: ColumnType(cursor)))
    func rows(_ values: [String]) -> String {
      values.enumerated().map { "{\"id\":1,\"u\":\"\($0.element)\",\"n\":\($0.offset)}\n" }.joined()
    }
    try await Workbench.with { bench in
      let first = try await bench.curate(
        try bench.request(step(columns: contract), [input(definition, try bench.objects([rows([newer, older])]))]))
      #expect(try await bench.table(first, "select n a from data") == [["0"]])
      let check = DatasetCheck(rule: .sql("select string_agg(n, ' ') from orders", expect: "0"))
      let late = try bench.objects([rows(["junk", older])], run: 2, first: 50)
      let second = try await bench.curate(
        try bench.request(
          step(columns: contract, checks: [check]), [input(definition, late)],
          previous: PreviousData(files: first.files.map(\.path), rowsOfLastRun: 1), isFull: false))
      #expect(second.counts.quarantined == 1)
    }
  }
}
