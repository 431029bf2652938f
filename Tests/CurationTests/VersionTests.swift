import Curation
import DuckDB
import Ingestion
import JobModel
import PipelineDefinition
import Testing

/// Which version of a key is the newest: the stream's cursor type says it, whatever types the dataset has.
@Suite("The newest version of a key")
struct VersionTests {
  /// An older value, a newer one that is smaller as text, and the types of the dataset's column to try.
  static let cursors: [(type: String, older: String, newer: String, columns: [String])] = [
    ("bigint", "9", "10", ["text", "decimal(20,0)"]), ("bigint", "9", " 10 ", ["text", "bigint"]),
    ("uuid", "a0000000-0000-0000-0000-000000000000", "B0000000-0000-0000-0000-000000000000", ["text", "uuid"]),
    ("decimal(18,4)", "9.5", "1e1", ["text", "decimal(18,4)"]),
    ("timestamptz", "2024-03-01T00:30:00+02:00", "2024-02-29T23:00:00Z", ["text", "timestamptz"]),
    ("timestamp", "2024-01-31T10:00:00.1234567", "2024-01-31 10:00:00.1234568", ["text"]),
    ("date", "2023-12-31T23:00:00-02:00", "2024-01-01T01:00:01Z", ["text"]),
  ]

  private func rows(_ values: [String]) -> String {
    values.enumerated().map { "{\"id\":1,\"u\":\"\($0.element)\",\"n\":\($0.offset)}\n" }.joined()
  }

  @Test(
    "stays in one run, in current.STREAM, and in the view of a check over earlier snapshots", arguments: cursors.indices
  )
  func newest(index: Int) async throws {
    let (type, older, newer, columns) = Self.cursors[index]
    let definition = stream(
      records: .ndjson, key: ["id"], cursor: Cursor(field: "u", type: ColumnType(type)))
    try await Workbench.with { bench in
      for column in columns {
        var contract: [ContractColumn] = []
        if column != "text" {
          contract = [
            ContractColumn(name: "id", type: .text), ContractColumn(name: "u", type: ColumnType(column)),
            ContractColumn(name: "n", type: .text),
          ]
        }
        let first = try await bench.curate(
          try bench.request(step(columns: contract), [input(definition, try bench.objects([rows([newer, older])]))]))
        #expect(try await bench.table(first, "select n a from data") == [["0"]], "\(type) in \(column)")
        #expect(first.cursor == DatasetCursor(field: "u", type: ColumnType(type)))

        let late = try bench.objects([rows([older])], run: 2, first: 50)
        let check = DatasetCheck(rule: .sql("select string_agg(_position || n, ' ') from orders", expect: "10"))
        let second = try await bench.curate(
          try bench.request(
            step(columns: contract, checks: [check]), [input(definition, late)],
            previous: PreviousData(files: first.files.map(\.path), rowsOfLastRun: 1), isFull: false))
        #expect(second.counts.rowsOut == 1)
      }
      let history = try bench.objects([rows([newer])], first: 80)
      let due = try bench.objects([rows([older])], run: 2, first: 90)
      let latest = try await bench.curate(
        try bench.request(
          step(over: .all), [input(definition, due, history: history + due)], sql: "select id, u from current.orders"))
      #expect(try await bench.table(latest, "select u a from data") == [[newer]])
    }
  }

  @Test("a hash does not order versions: the last snapshot does")
  func masked() async throws {
    try await Workbench.with { bench in
      let contract = [
        ContractColumn(name: "id", type: .text), ContractColumn(name: "u", type: .text, mask: Mask(kind: .sha256)),
      ]
      let definition = stream(
        records: .ndjson, key: ["id"], cursor: Cursor(field: "u", type: ColumnType("bigint")))
      var step = step(columns: contract)
      step.extra = .drop
      let result = try await bench.curate(
        try bench.request(step, [input(definition, try bench.objects([rows(["9", "10"])]))]))
      #expect(result.counts.rowsOut == 1)
      #expect(result.cursor == nil)
    }
  }

  /// Pieces that texts of cursors are put together from, good and bad.
  private static let pieces: [String: [[String]]] = [
    "bigint": [
      ["", "", "-", "+", " "],
      ["", "0", "7", "9", "10", "009", "9223372036854775807", "9223372036854775808", "1e3", "1_0", "0x1"],
    ],
    "decimal(18,4)": [
      ["", "-", "+"], ["", "0", "1", "9", "10", "12345678901234567890123"],
      ["", ".", ".0", ".5", ".50", ".000000000000000000000001"],
      ["", "", "e1", "E-2", "e+05", "e999999", "e1000000", "e", "e1.5"],
    ],
    "timestamptz": [
      ["2024-01-31", "2024-02-29", "2023-02-29", "0001-01-01", "9999-12-31", "24-01-31", "2024-1-31", "1969-12-31"],
      ["", "T10:00", " 10:00:00", "t10:00:00.123456789", "T10:00:60", "T23:59:59,9999999999", "T24:00", "T10"],
      ["", "Z", "z", "+02", "-0530", "+14:00", "+24:00", "+2", " UTC"],
    ],
    "text": [["", "a", "Z", "\u{e4}", "\u{1d11e}"], ["", " ", "0", "\u{301}"]],
  ]

  @Test("the SQL engine orders texts as the parser that moves the cursor", arguments: pieces.keys.sorted())
  func sameOrder(type: String) async throws {
    let cursorType = ColumnType(type)
    let texts = (Self.pieces[type] ?? []).reduce([""]) { texts, piece in
      texts.flatMap { text in piece.map { text + $0 } }
    }
    try await Workbench.with { bench in
      let rows = texts.enumerated().map { "(\($0.offset), \(textExpression($0.element)))" }.joined(separator: ", ")
      let order = CursorOrder(cursorType).expression("v", type: "VARCHAR")
      let ranks = try await bench.duckdb.withSession(
        in: DuckDBPlace(directory: bench.directory), limits: bench.limits
      ) { session in
        try await session.rows(
          """
          select i, case when o is not null then dense_rank() over (order by o nulls last) end as rank
          from (select i, \(order) as o from (values \(rows)) t(i, v))
          """)
      }
      var found: [Int: Int] = [:]
      for row in ranks { found[row["i"]?.int ?? -1] = row["rank"]?.int }
      let values = texts.map { CursorValue($0, type: cursorType) }
      var distinct: [CursorValue] = []
      for value in values.compactMap({ $0 }).sorted() where distinct.last.map({ $0 < value }) ?? true {
        distinct.append(value)
      }
      #expect(distinct.count > 5)
      for (index, value) in values.enumerated() {
        let rank = value.flatMap { value in distinct.firstIndex { !($0 < value) } }.map { $0 + 1 }
        #expect(found[index] == rank, "\(texts[index]) as \(type)")
      }
    }
  }
}
