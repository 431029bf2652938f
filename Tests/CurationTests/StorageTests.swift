import Curation
import DuckDB
import JobModel
import PipelineDefinition
import Postgres
import TestSupport
import Testing

@Suite("What a target cannot store")
struct StorageTests {
  private static let sql = #"""
    select id::int as id, case id when '1' then 'x' || chr(0) else 'ok' end as t,
      case id when '2' then '{"a":"\u0000"}'::json when '3' then to_json('nan'::double)
        else '{"a":"nan \\u0000"}'::json end as j,
      case id when '4' then date '5874898-01-01' when '5' then 'infinity'::date else date '2024-01-01' end as d,
      case id when '6' then timestamp '4714-01-01 (BC) 00:00:00' else timestamp '2024-01-01 00:00:00' end as ts,
      case id when '7' then ['a' || chr(0)] else ['b'] end as l
    from orders
    """#

  private static let contract = [
    ContractColumn(name: "id", type: ColumnType("integer")), ContractColumn(name: "t", type: .text),
    ContractColumn(name: "j", type: ColumnType("json")), ContractColumn(name: "d", type: ColumnType("date")),
    ContractColumn(name: "ts", type: ColumnType("timestamp")), ContractColumn(name: "l", type: ColumnType("json")),
  ]

  private func curate(_ bench: Workbench, _ step: CurateStep, isLoaded: Bool) async throws -> CurationResult {
    let objects = try bench.objects(["id\n1\n2\n3\n4\n5\n6\n7\n8\n"])
    var request = try bench.request(step, [input(stream(), objects)], sql: Self.sql)
    request.isLoaded = isLoaded
    return try await bench.curate(request)
  }

  @Test("goes to quarantine with the column, and an event says what to do", arguments: [false, true])
  func quarantined(hasContract: Bool) async throws {
    try await Workbench.with { bench in
      let step = step(columns: hasContract ? Self.contract : [])
      let result = try await curate(bench, step, isLoaded: true)
      #expect(result.counts.all == [8, 1, 0, 0, 7])
      #expect(try await bench.table(result, "select id a from data") == [["8"]])
      #expect(
        try await bench.table(result, "select position a, reasons::varchar b from bad order by 1") == [
          ["1", "['t:nul_character']"], ["2", "['j:nul_character']"], ["3", "['j:not_finite']"],
          ["4", "['d:out_of_range']"], ["5", "['d:out_of_range']"], ["6", "['ts:out_of_range']"],
          ["7", "['l:nul_character']"],
        ])
      let events = result.events.filter { $0.kind == .unstorableValue }.map(\.message)
      #expect(events.count == 6)
      #expect(events.contains { $0.contains("2 rows are in quarantine for d:out_of_range") })
      #expect(events.contains { $0.contains("replace(t, chr(0), '')") })
      let kept = try await curate(bench, step, isLoaded: false)
      #expect(kept.counts.rowsOut == 8)
    }
  }

  /// Numbers next to the ends of `numeric`, as PostgreSQL 15 to 18 take or refuse them.
  static let numbers: [(text: String, isStored: Bool)] = [
    ("1e131071", true), ("1e131072", false), ("-1E+200000", false), ("5e-16383", true), ("5e-16384", false),
    ("0e-16384", false), ("0e200000", true), ("0e-99999999999", false), ("1e99999999999999999999", false),
    ("100e131069", true), ("100e131070", false), ("0.01e131073", true), ("0.01e131074", false), ("1.5e-16383", false),
    ("1e0000000131071", true), (String(repeating: "9", count: 131_072), true),
    (String(repeating: "9", count: 131_073), false), ("0." + String(repeating: "1", count: 16_383), true),
    ("0." + String(repeating: "0", count: 16_384), false),
  ]

  @Test("JSON with a number that PostgreSQL's numeric does not hold goes to quarantine, at any depth, and no text does")
  func numbers() async throws {
    let documents =
      Self.numbers + Self.numbers.map { ("{\"a\":[1,{\"\\\"b\":\($0.text)}]}", $0.isStored) }
      + Self.numbers.map { ("[\"\($0.text)\",\"e12345 \\\" 1e200000\"]", true) }
    try await Workbench.with { bench in
      let lines = documents.enumerated().map { "{\"id\":\($0.offset),\"j\":\($0.element.0)}" }
      let step = step(columns: [
        ContractColumn(name: "id", type: ColumnType("integer")), ContractColumn(name: "j", type: ColumnType("json")),
      ])
      let records = input(stream(records: .ndjson), try bench.objects([lines.joined(separator: "\n")]))
      var request = try bench.request(step, [records])
      request.isLoaded = true
      let result = try await bench.curate(request)
      let refused = documents.indices.filter { !documents[$0].1 }.map { ["\($0)", "['j:number_range']"] }
      let bad = "select json_extract_string(record, '$.id') a, reasons::varchar b from bad order by a::int"
      #expect(try await bench.table(result, bad) == refused)
      let events = result.events.filter { $0.kind == .unstorableValue }.map(\.message)
      #expect(events.count == 1 && events[0].contains("131072 digits before the point"))
      let kept = try await bench.curate(try bench.request(step, [records]))
      #expect(kept.counts.quarantined == 0)
      // PostgreSQL itself.
      try await TestDatabase.withEmptyDatabase { database in
        for (text, isStored) in documents {
          let sql = SQLStatement(name: "json", text: "select $1::jsonb is not null as is_stored")
          let answer = try? await database.pool.query(sql, [.text(text)])
          #expect((answer != nil) == isStored, "\(text.prefix(40))")
        }
      }
    }
  }

  /// JSON next to the limit of nesting, and what only looks deep.
  private static let nested: [(text: String, isStored: Bool)] = [
    (String(repeating: "[", count: 4096) + String(repeating: "]", count: 4096), true),
    (String(repeating: "[", count: 4097) + String(repeating: "]", count: 4097), false),
    (String(repeating: #"{"a":"#, count: 4096) + "1" + String(repeating: "}", count: 4096), true),
    (String(repeating: #"{"a":"#, count: 20_000) + "1" + String(repeating: "}", count: 20_000), false),
    (String(repeating: #"[{"a":"#, count: 2049) + "1" + String(repeating: "}]", count: 2049), false),
    ("[" + String(repeating: #"[[[[{"a":[]}]]]],"#, count: 5000) + "0]", true),
    (#"["\""# + String(repeating: "[", count: 9000) + #""]"#, true),
  ]

  @Test("JSON that is nested deeper than PostgreSQL takes for certain goes to quarantine, also out of a text")
  func depth() async throws {
    try await Workbench.with { bench in
      let documents = Self.nested
      let lines = documents.enumerated().map { number, document in
        "\(number),\"\(document.text.replacing("\"", with: "\"\""))\""
      }
      let step = step(columns: [
        ContractColumn(name: "id", type: ColumnType("integer")), ContractColumn(name: "j", type: ColumnType("json")),
      ])
      let records = input(stream(), try bench.objects(["id,j\n" + lines.joined(separator: "\n")]))
      var request = try bench.request(step, [records])
      request.isLoaded = true
      let result = try await bench.curate(request)
      let refused = documents.indices.filter { !documents[$0].isStored }.map { ["\($0)", "['j:too_deep']"] }
      let bad = "select json_extract_string(record, '$.id') a, reasons::varchar b from bad order by a::int"
      #expect(try await bench.table(result, bad) == refused)
      let events = result.events.filter { $0.kind == .unstorableValue }.map(\.message)
      #expect(events.count == 1 && events[0].contains("4096 levels"))
      let kept = try await bench.curate(try bench.request(step, [records]))
      #expect(kept.counts.quarantined == 0)
      // PostgreSQL itself takes what is stored.
      try await TestDatabase.withEmptyDatabase { database in
        for type in ["json", "jsonb"] {
          for document in documents where document.isStored {
            let sql = SQLStatement(name: type, text: "select $1::\(type) is not null as is_stored")
            _ = try await database.pool.query(sql, [.text(document.text)])
          }
        }
      }
    }
  }

  @Test("a row without the key of a merge table is bad, and a name is at most 63 bytes")
  func keysAndNames() async throws {
    try await Workbench.with { bench in
      let rows = input(stream(), try bench.objects(["id,k\n1,a\n2,\n"]))
      var request = try bench.request(step(), [rows])
      request.isLoaded = true
      request.loadKeys = ["k"]
      let result = try await bench.curate(request)
      #expect(result.counts.all == [2, 1, 0, 0, 1])
      #expect(try await bench.table(result, "select reasons[1] a from bad") == [["k:key"]])
      let name = String(repeating: "n", count: 64)
      var long = try bench.request(step(), [rows], sql: "select id as \(name) from orders")
      long.isLoaded = true
      let failing = long
      let error = await #expect(throws: StageFailure.self) { _ = try await bench.curate(failing) }
      #expect(error?.code == "column_name")
    }
  }

  @Test("check tells a name that is too long, of a dataset that is loaded")
  func check() async throws {
    let text = """
      pipeline: p
      sources: {shop: {files: {at: "file:d"}, streams: {orders: {match: "*.csv"}}}}
      curate: {d: {from: shop.orders, sql: sql/d.sql}}
      load: {w: {postgres: {url: "secret:w"}, tables: {d: {from: d, mode: append}}}}

      """
    let pipeline = try #require(PipelineParser.parse(text: text, file: "pipelines/p.yaml").0)
    try await Workbench.with { bench in
      let found = try await CurationLint(duckdb: bench.duckdb, scratch: bench.directory).review(
        pipeline.curate[0], of: pipeline, sql: "select id,\n id as \(String(repeating: "n", count: 64)) from orders",
        datasets: ["d"])
      #expect(found.map(\.code) == ["column_name"])
      #expect(found.first?.place.line == 2)
    }
  }
}
