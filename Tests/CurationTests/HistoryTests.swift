import Curation
import DuckDB
import JobModel
import PipelineDefinition
import TestSupport
import Testing

/// What a run reads of the past: the result is that of a computation from everything, record by record.
@Suite("What a run reads of the past")
struct HistoryTests {
  private struct Record {
    var id: String?
    var part: String?
    var cursor: String?
    var name: String
    var amount: String

    var line: String {
      let key = [id, part].map { $0.map { "\"\($0)\"" } ?? "null" }
      return
        "{\"id\":\(key[0]),\"part\":\(key[1]),\"u\":\(cursor ?? "null"),\"name\":\"\(name)\",\"amount\":\"\(amount)\"}\n"
    }

    /// `amount` has a type of the stream: other texts are rejected, whatever the SELECT reads.
    var isGood: Bool { Int(amount) != nil }

    func isNewer(than other: Record) -> Bool {
      switch (cursor.flatMap { Int($0) }, other.cursor.flatMap { Int($0) }) {
      case (nil, nil): true
      case (nil, _): false
      case (_, nil): true
      case (let own?, let others?): own >= others
      }
    }
  }

  /// The newest record of each whole key, and every record without one.
  private static func newest(_ records: [Record]) -> [Record] {
    var newest: [[String]: Record] = [:]
    var partial: [Record] = []
    for record in records where record.isGood {
      guard let id = record.id, let part = record.part else {
        partial.append(record)
        continue
      }
      if newest[[id, part]].map({ record.isNewer(than: $0) }) ?? true { newest[[id, part]] = record }
    }
    return partial + newest.values
  }

  private static let definition = stream(
    "facts", records: .ndjson, key: ["id", "part"], cursor: Cursor(field: "u", type: ColumnType("bigint")),
    columns: [StreamColumn(name: "amount", type: ColumnType("bigint"))])

  private static func records(_ random: inout SeededRandom) -> [Record] {
    (0..<Int.random(in: 0...25, using: &random)).map { _ in
      Record(
        id: ["1", "2", "3", "4", nil].randomElement(using: &random) ?? nil,
        part: ["a", "a", "a", "b", nil].randomElement(using: &random) ?? nil,
        cursor: ["1", "2", "10", "9", "\"x\"", nil].randomElement(using: &random) ?? nil,
        name: "n\(Int.random(in: 0..<1_000_000, using: &random))",
        amount: ["1", "22", "bad"].randomElement(using: &random) ?? "1")
    }
  }

  @Test("current.STREAM is the newest row of each key, whether the SELECT reads one column or all", arguments: 1...3)
  func current(seed: UInt64) async throws {
    var random = SeededRandom(seed: seed)
    var all: [Record] = []
    try await Workbench.with { bench in
      var history: [CurationObject] = []
      for run in 1...4 as ClosedRange<Int64> {
        var due: [CurationObject] = []
        for page in 0..<Int64.random(in: 1...3, using: &random) {
          let records = Self.records(&random)
          all += records
          due += try bench.objects([records.map(\.line).joined()], run: run, first: run * 10 + page)
          due[due.count - 1].sequence = Int(page)
        }
        history += due
        let orders = try bench.objects(["{\"n\":1}\n"], run: run, first: run * 100)
        let expected = Self.newest(all).map { [$0.id, $0.part, $0.name, $0.amount] }
        for select in [
          "select f.id, f.part, f.name, f.amount from orders join current.facts f on true",
          "select id, part, name, amount from (select f.*, o.n from orders o cross join current.facts f)",
        ] {
          let result = try await bench.curate(
            try bench.request(
              step(over: .batch),
              [
                input(stream(records: .ndjson), orders),
                input(Self.definition, due, history: history, known: ["id", "part", "u", "name"]),
              ],
              sql: select))
          let found = try await bench.table(result, "select id a, part b, name c, amount::VARCHAR d from data")
          #expect(Self.sorted(found) == Self.sorted(expected), "seed \(seed), run \(run)")
        }
        let names = try await bench.curate(
          try bench.request(
            step(over: .batch),
            [input(stream(records: .ndjson), orders), input(Self.definition, due, history: history)],
            sql: "select name from orders join current.facts on true"))
        let found = try await bench.table(names, "select name a from data")
        #expect(Self.sorted(found) == Self.sorted(expected.map { [$0[2]] }), "seed \(seed), run \(run)")
        guard !all.filter(\.isGood).isEmpty else { continue }
        let everything = try await bench.curate(
          try bench.request(
            step(from: "facts", over: .all), [input(Self.definition, history)],
            sql: "select count(*) as n, sum(amount)::BIGINT as s from facts"))
        #expect(
          try await bench.table(everything, "select n::VARCHAR a, s::VARCHAR b from data") == [
            ["\(expected.count)", "\(Self.newest(all).reduce(0) { $0 + (Int($1.amount) ?? 0) })"]
          ], "seed \(seed), run \(run)")
      }
    }
  }

  private static func sorted(_ rows: [[String?]]) -> [String] { rows.map { "\($0)" }.sorted() }

  @Test(
    "previous.DATASET and a check see the newest version over snapshots, also of different columns", arguments: 1...3)
  func previous(seed: UInt64) async throws {
    var random = SeededRandom(seed: seed)
    let hasCursor = seed.isMultiple(of: 2)
    let definition = stream(
      records: .ndjson, key: ["id"], cursor: hasCursor ? Cursor(field: "u", type: ColumnType("bigint")) : nil)
    try await Workbench.with { bench in
      var expected: [String: (cursor: Int, row: String)] = [:]
      var previous = PreviousData(parts: [], rowsOfLastRun: nil, quarantine: nil)
      for run in 1...7 as ClosedRange<Int64> {
        // Later versions have a column more; those of the fourth run are the earlier ones again.
        let isWide = run > 2 && run != 4
        var lines = ""
        for id in 1...5 where Bool.random(using: &random) {
          let cursor = Int.random(in: 1...20, using: &random)
          lines += "{\"id\":\"\(id)\",\"u\":\"\(cursor)\",\"v\":\"\(run)-\(id)\"\(isWide ? ",\"w\":\"\(run)\"" : "")}\n"
          if !hasCursor || cursor >= expected["\(id)"]?.cursor ?? 0 {
            expected["\(id)"] = (cursor, "\(run)-\(id)")
          }
        }
        guard !lines.isEmpty else { continue }
        let objects = try bench.objects([lines], run: run, first: run * 10)
        var step = step(partitionBy: [Partition(transform: .value, column: "id")])
        let values = expected.sorted { $0.key < $1.key }.map(\.value.row).joined(separator: " ")
        step.checks = [
          DatasetCheck(rule: .sql("select string_agg(v, ' ' order by id) from orders", expect: values))
        ]
        let result = try await bench.curate(
          try bench.request(step, [input(definition, objects)], previous: previous, isFull: false))
        var parts = previous.parts
        parts.append(result.files.map(\.path))
        let columns = previous.columns + [result.columns.map { DataColumn(name: $0.name, type: $0.type) }]
        previous = PreviousData(
          parts: parts, texts: columns.map { TextColumns($0.map { ($0.name, $0.type) }) }, columns: columns,
          rowsOfLastRun: 1, quarantine: nil)

        var reading = CurationTests.step(over: .batch)
        reading.key = ["id"]
        reading.sqlPath = "sql/orders.sql"
        let read = try await bench.curate(
          try bench.request(
            reading, [input(definition, objects)],
            sql:
              "select id, (select string_agg(p.v, ' ' order by p.id) from previous.orders p) as v from orders limit 1",
            previous: previous, isFull: false))
        #expect(try await bench.table(read, "select v a from data") == [[values]], "seed \(seed), run \(run)")
      }
    }
  }

  @Test("one scan of the files of many snapshots tells each row's snapshot", arguments: ["v", "File_Index"])
  func numbers(column: String) async throws {
    try await Workbench.with { bench in
      let counts = [3, 1, 5, 2]
      let paths = counts.indices.flatMap { snapshot in
        (0..<counts[snapshot]).map { "\(bench.directory)/\(snapshot)-\($0).parquet" }
      }
      let columns = counts.map { _ in [DataColumn(name: column, type: "bigint")] }
      let groups = SnapshotFiles.groups(columns)
      // A column of the name of the engine's own keeps each snapshot by itself.
      #expect(groups == (column == "v" ? [0..<4] : [0..<1, 1..<2, 2..<3, 3..<4]))
      let wrong = try await bench.duckdb.withSession(
        in: DuckDBPlace(directory: bench.directory), limits: bench.limits
      ) { session in
        for (index, path) in paths.enumerated() {
          let snapshot = path.dropFirst(bench.directory.count + 1).first.map(String.init) ?? ""
          try await session.run(
            """
            copy (select \(snapshot)::BIGINT as \(quoteIdentifier(column)) from range(\(index % 3 == 1 ? 150_000 : 10)))
            to \(quoteLiteral(path)) (format parquet)
            """)
        }
        var first = 0
        let scans = groups.map { group in
          let files = group.reduce(0) { $0 + counts[$1] }
          let list = quoteList(Array(paths[first..<first + files]))
          first += files
          let number = SnapshotFiles.number(group.map { (files: counts[$0], number: Int64($0)) })
          return
            "select *, \(number) as _snapshot from read_parquet(\(list), union_by_name = true, hive_partitioning = false)"
        }
        return try await session.rows(
          """
          select count(*) as n, count(*) filter (_snapshot <> \(quoteIdentifier(column))) as wrong
          from (\(scans.joined(separator: " union all by name ")))
          """)
      }
      #expect(wrong.first?["wrong"]?.int == 0)
      #expect(wrong.first?["n"]?.int ?? 0 > 450_000)
    }
  }
}
