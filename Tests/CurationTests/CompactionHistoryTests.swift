import Catalog
import DuckDB
import JobModel
import PipelineDefinition
import TestSupport
import Testing

@testable import Curation

/// What readers see with compactions is what they see without, whatever came before.
@Suite("Compacted histories")
struct CompactionHistoryTests {
  /// How the rows of a dataset are versions of one another.
  enum Keys: CaseIterable { case none, snapshot, cursor, replaces }

  private struct Column {
    var name: String
    var type: String
    /// Values as SQL; some are the extremes of their type.
    var values: [String]
  }

  private static let optional: [Column] = [
    Column(
      name: "näme \"x\"", type: "text",
      values: [
        "'a'", "''", "null", "'Zürich'", "'it''s'", "'a' || chr(10) || 'b'", "'\u{1F600}'", "repeat('long ', 500)",
      ]
    ),
    Column(
      name: "uid", type: "uuid",
      values: [
        "'00000000-0000-0000-0000-000000000000'::UUID", "'ffffffff-ffff-ffff-ffff-ffffffffffff'::UUID", "null::UUID",
      ]),
    Column(name: "at", type: "time", values: ["'00:00:00'::TIME", "'23:59:59.999999'::TIME", "null::TIME"]),
    Column(
      name: "doc", type: "json",
      values: [
        "'{\"a\": [1, 2.50], \"b\": null}'::JSON", "'12345678901234567890.10'::JSON", "'\"x\"'::JSON", "null::JSON",
      ]),
    Column(
      name: "price", type: "decimal(18,4)",
      values: ["99999999999999.9999::DECIMAL(18,4)", "-0.0001::DECIMAL(18,4)", "null::DECIMAL(18,4)"]),
    Column(
      name: "x", type: "double",
      values: ["'nan'::DOUBLE", "'inf'::DOUBLE", "-0.0::DOUBLE", "0.1::DOUBLE", "5e-324::DOUBLE", "null::DOUBLE"]),
    Column(name: "d", type: "date", values: ["'0001-01-01'::DATE", "'9999-12-31'::DATE", "null::DATE"]),
    Column(
      name: "seen", type: "timestamptz",
      values: [
        "'1900-01-01 00:00:00.000001+00'::TIMESTAMPTZ", "'2024-03-31 01:30:00+00'::TIMESTAMPTZ", "null::TIMESTAMPTZ",
      ]),
    Column(name: "local", type: "timestamp", values: ["'2024-02-29 23:59:59.999999'::TIMESTAMP", "null::TIMESTAMP"]),
    Column(name: "ok", type: "boolean", values: ["true", "false", "null::BOOLEAN"]),
    Column(name: "tags", type: "varchar[]", values: ["['a', null, '']", "[]::VARCHAR[]", "null::VARCHAR[]"]),
  ]
  private static let partitions = [
    "", "land=CH", "land=__HIVE_DEFAULT_PARTITION__", "land=%2F%C3%A4%20b", "land=a%3Db/m=2024-01",
  ]

  private static func snapshotColumns(_ columns: [Column], _ keys: Keys) -> [SnapshotColumn] {
    var all = [
      SnapshotColumn(name: "id", type: "bigint", replaces: keys == .replaces ? true : nil),
      SnapshotColumn(name: "part", type: "text"),
      SnapshotColumn(name: "u", type: "text", cursor: keys == .cursor ? "bigint" : nil),
    ]
    all += columns.map { SnapshotColumn(name: $0.name, type: $0.type) }
    return all + [SnapshotColumn(name: "_object", type: "bigint"), SnapshotColumn(name: "_position", type: "bigint")]
  }

  /// The files of one snapshot: of each key there is one row at most, as curation leaves it.
  private static func files(
    _ columns: [Column], _ keys: Keys, _ number: Int, _ random: inout SeededRandom
  ) -> [CompactionFixture.File] {
    var taken: Set<String> = []
    // The text of a snapshot's uuids, times and JSON, or the type itself.
    let isNative = Int.random(in: 0..<5, using: &random) == 0
    return partitions.shuffled(using: &random).prefix(Int.random(in: 0...3, using: &random)).compactMap { partition in
      var rows: [String] = []
      for position in 0..<Int.random(in: 1...6, using: &random) {
        let id = ["1", "2", "3", "4", "null"].randomElement(using: &random) ?? "1"
        let part = ["'a'", "'b'", "null"].randomElement(using: &random) ?? "'a'"
        if keys != .none, id != "null", part != "null", !taken.insert(id + part).inserted { continue }
        let cursor = ["'9'", "'10'", "' 11'", "'x'", "null"].randomElement(using: &random) ?? "null"
        var values = ["\(id)::BIGINT as id", "\(part)::VARCHAR as part", "\(cursor)::VARCHAR as u"]
        for column in columns {
          let value = column.values.randomElement(using: &random) ?? "null"
          let isText = !isNative && TextColumns.types.contains(column.type)
          values.append("(\(value))\(isText ? "::VARCHAR" : "") as \(quoteIdentifier(column.name))")
        }
        values += ["\(number)::BIGINT as _object", "\(position)::BIGINT as _position"]
        rows.append("select " + values.joined(separator: ", "))
      }
      return rows.isEmpty
        ? nil : CompactionFixture.File(partition: partition, select: rows.joined(separator: " union all "))
    }
  }

  @Test("queries, previous rows and checks see the same rows and types with compactions as without", arguments: 1...2)
  func same(seed: UInt64) async throws {
    try await CompactionFixture.with { bench in
      try await bench.session { session in try await Self.live(SeededRandom(seed: seed), seed, bench, session) }
    }
  }

  private static func live(
    _ random: SeededRandom, _ seed: UInt64, _ bench: CompactionFixture, _ session: DuckDBSession
  ) async throws {
    var random = random
    let keys = Keys.allCases[Int(seed) % Keys.allCases.count]
    let key = keys == .none ? [] : ["id", "part"]
    var columns = optional.shuffled(using: &random).prefix(3).map(\.self)
    var hadCompactions = 0
    for number in 1...36 {
      // Columns come and go, and change their types.
      if Int.random(in: 0..<16, using: &random) == 0 {
        columns = optional.shuffled(using: &random).prefix(Int.random(in: 0...4, using: &random)).map(\.self)
      }
      if Int.random(in: 0..<24, using: &random) == 0, let index = columns.indices.randomElement(using: &random) {
        columns[index].type = "text"
        columns[index].values = ["'changed'", "null"]
      }
      try await bench.add(
        files(columns, keys, number, &random), columns: snapshotColumns(columns, keys), key: key,
        cursor: keys == .cursor ? "u" : nil, full: Int.random(in: 0..<30, using: &random) == 0, in: session)
      if Int.random(in: 0..<25, using: &random) == 0 {
        _ = try await bench.values(
          """
          delete from sluice.snapshot where number in (
            select number from sluice.snapshot order by number limit \(Int.random(in: 1...3, using: &random)))
          """)
      }
      if Int.random(in: 0..<2, using: &random) == 0 { try await bench.compact() }
      guard number % 6 == 0 else { continue }
      let parts = try await bench.parts()
      let originals = try await bench.originals()
      #expect(parts.reduce(0) { $0 + $1.count } == originals.count)
      hadCompactions += parts.count { $0.isCompacted }
      try await compare(parts, originals, bench, session, "seed \(seed), after \(number)")
    }
    #expect(hadCompactions > 0, "seed \(seed)")
    #expect(try await bench.values("select error from sluice.compaction where state = 'failed'") == [])
  }

  private static func compare(
    _ parts: [DatasetPart], _ originals: [DatasetPart], _ bench: CompactionFixture, _ session: DuckDBSession,
    _ place: String
  ) async throws {
    guard originals.contains(where: { !$0.snapshot.files.isEmpty }) else { return }
    var pairs: [(what: String, with: String, without: String)] = []
    // A column of the last snapshot may be in no file yet.
    let filled = Set(originals.filter { !$0.snapshot.files.isEmpty }.flatMap(\.snapshot.columns).map(\.name))
    if originals.last?.snapshot.columns.allSatisfy({ filled.contains($0.name) }) ?? false {
      pairs.append(
        ("query", try DatasetView.select(parts, bench.objects), try DatasetView.select(originals, bench.objects)))
    }
    let (some, all) = (bench.previous(parts), bench.previous(originals))
    pairs += [("numbered", some.numbered, all.numbered), ("all", some.all, all.all)]
    #expect(some.rowsOfLastRun == all.rowsOfLastRun)
    for pair in pairs {
      let expected: [DuckDBTable.Column]
      do {
        expected = try await session.columns(of: pair.without)
        try await session.run(
          "create or replace temp table without as select columns(*)::VARCHAR from (\(pair.without))")
      } catch let error as DuckDBError {
        // A column whose type changed may hold what the other type does not: that is so without compactions.
        await #expect(throws: DuckDBError.self, "\(pair.what), \(place): \(error)") {
          try await session.run("create or replace temp table with_ as select columns(*)::VARCHAR from (\(pair.with))")
        }
        continue
      }
      #expect(try await session.columns(of: pair.with) == expected, "\(pair.what), \(place)")
      // As text, so that nan is nan, and -0.0 is not 0.0.
      let counts = try await session.rows(
        """
        with compacted as materialized (select columns(*)::VARCHAR from (\(pair.with)))
        select (select count(*) from (from compacted except all from without)) as more,
          (select count(*) from (from without except all from compacted)) as less
        """)
      #expect(
        counts.first?["more"]?.int == 0 && counts.first?["less"]?.int == 0, "\(pair.what), \(place): \(counts)")
    }
  }
}
