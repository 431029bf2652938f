import Curation
import DuckDB
import FoundationEssentials
import JobModel
import PipelineDefinition
import Testing

@Suite("Curating JSON")
struct JSONCurationTests {
  @Test("quarantines lines that are no record with line and position, and keeps the others")
  func badLines() async throws {
    try await Workbench.with { bench in
      var bytes = Array(#"{"id":1,"name":"a"}"#.utf8) + Array("\n\n{\"id\":2,\"name\":\"".utf8)
      bytes += [0xC3, 0x28]
      bytes += Array("\"}\nnot json\n[1]\n{\"id\":3,\"tags\":[1,{\"x\":null}],\"name\":null}\n{\"id\":".utf8)
      let result = try await bench.curate(
        try bench.request(step(), [input(stream(records: .ndjson), try bench.objects([bytes]))]))
      #expect(result.counts.all == [6, 2, 0, 0, 4])
      #expect(
        try await bench.table(result, "select id a, name b, tags c, _position d from data order by id") == [
          ["1", "a", nil, "1"], ["3", nil, #"[1,{"x":null}]"#, "2"],
        ])
      #expect(
        try await bench.table(result, "select reasons[1] a, line b, record c from bad order by line") == [
          ["record:encoding", "3", "{\"id\":2,\"name\":\"\u{FFFD}(\"}"], ["record:json", "4", "not json"],
          ["record:not_an_object", "5", "[1]"], ["record:json", "7", #"{"id":"#],
        ])
    }
  }

  @Test("keeps the digits of numbers that a double cannot hold")
  func exactNumbers() async throws {
    try await Workbench.with { bench in
      let lines = [
        #"{"id":1,"n":12345678901234567.1234,"s":"x: 0.12345678901234567890, \"y\""}"#,
        #"{"id":2,"n":123456789012345678901234567890,"s":""}"#, #"{"id":3,"n":-0.10,"s":"z"}"#,
      ]
      let contract = [
        ContractColumn(name: "id", type: ColumnType("bigint")),
        ContractColumn(name: "n", type: ColumnType("decimal(38,4)")), ContractColumn(name: "s", type: .text),
      ]
      let result = try await bench.curate(
        try bench.request(
          step(columns: contract), [input(stream(records: .ndjson), try bench.objects([lines.joined(separator: "\n")]))]
        ))
      #expect(
        try await bench.table(result, "select id a, n b, s c from data order by id") == [
          ["1", "12345678901234567.1234", #"x: 0.12345678901234567890, "y""#],
          ["2", "123456789012345678901234567890.0000", ""], ["3", "-0.1000", "z"],
        ])
    }
  }

  @Test("keeps names apart that are other bytes, and tells which field is no column")
  func exactNames() async throws {
    try await Workbench.with { bench in
      let lines = [
        "{\"caf\u{E9}\":\"nfc\",\"\u{212A}\":\"kelvin\",\"k\":\"k\"}", "{\"cafe\u{301}\":\"nfd\"}",
        "{\"_object\":\"o\",\"Name\":1,\"name\":2,\"" + String(repeating: "x", count: 64) + "\":3}",
      ]
      let result = try await bench.curate(
        try bench.request(step(), [input(stream(records: .ndjson), try bench.objects([lines.joined(separator: "\n")]))])
      )
      let names = result.columns.map { Array($0.name.utf8) }
      for name in ["caf\u{E9}", "cafe\u{301}", "\u{212A}", "k", "Name"] { #expect(names.contains(Array(name.utf8))) }
      for name in ["name_2", "_object_2"] { #expect(names.contains(Array(name.utf8))) }
      #expect(names.count == 9)
      #expect(result.events.filter { $0.kind == .unusableField }.count == 3)
      let sql =
        "select \"caf\u{E9}\" as a, \"cafe\u{301}\" as b, \"\u{212A}\" as c, k as d from data order by _position"
      let rows = try await bench.table(result, sql)
      let expected: [[String?]] = [["nfc", nil, "kelvin", "k"], [nil, "nfd", nil, nil]]
      #expect(Array(rows.prefix(2)) == expected)
    }
  }

  @Test("no name of a field passes for a column of Sluice's own: neither a verdict nor a value changes")
  func ownNames() async throws {
    try await Workbench.with { bench in
      let lines = [
        #"{"id":"abc"}"#, #"{"id":99,"_sluice_r0":null,"_sluice_r1":null,"_SLUICE_R0":null}"#,
        #"{"id":2,"_sluice_0":"777","_reasons":null,"_row":1,"_original":"x","_new":1,"_snapshot":7}"#,
      ]
      let contract = [ContractColumn(name: "id", type: ColumnType("bigint"), max: "10")]
      for sql in [nil, "select * from orders"] {
        var strict = step(columns: contract)
        strict.extra = .drop
        let raw = try bench.objects([lines.joined(separator: "\n")])
        let result = try await bench.curate(try bench.request(strict, [input(stream(records: .ndjson), raw)], sql: sql))
        #expect(result.counts.all == [3, 1, 0, 0, 2])
        #expect(try await bench.table(result, "select id a from data") == [["2"]])
      }
      let all = try await bench.curate(
        try bench.request(
          step(), [input(stream(records: .ndjson, key: ["id"]), try bench.objects([lines.joined(separator: "\n")]))]))
      #expect(all.counts.rowsOut == 3)
      let error = await #expect(throws: StageFailure.self) {
        let raw = try bench.objects([lines.joined(separator: "\n")])
        _ = try await bench.curate(
          try bench.request(step(), [input(stream(records: .ndjson), raw)], sql: "select id, 1 as _reasons from orders")
        )
      }
      #expect(error?.code == "column_reserved")
    }
  }

  @Test("takes any name of a field, and keeps names that differ in case only apart")
  func fieldNames() async throws {
    try await Workbench.with { bench in
      let line = #"{"a b":"\u00e9\n","q\"x":true,"it's":{"n":[1.50]},"ID":1,"id":2,"_run":"no","":0}"#
      let result = try await bench.curate(
        try bench.request(step(), [input(stream(records: .ndjson), try bench.objects([line, "{}"]))]))
      #expect(
        result.columns.map(\.name).sorted()
          == ["ID", "_object", "_position", "_run_2", "a b", "id_2", "it's", "q\"x"])
      let sql = #"select "a b" a, "q""x" b, "it's" c, id d, id_2 e, _run_2 f from data order by id nulls last"#
      #expect(
        try await bench.table(result, sql) == [
          ["é\n", "true", #"{"n":[1.50]}"#, "1", "2", "no"], [nil, nil, nil, nil, nil, nil],
        ])
    }
  }

  @Test("reads the records of documents")
  func documents() async throws {
    try await Workbench.with { bench in
      let pages = [
        "{\"data\": [\n {\"id\": 1,\n  \"name\": \"a\\nb\"}, {\"id\": 2, \"at\": {\"x\": 1}}], \"next\": \"t\"}",
        "{\"data\": []}",
        "{\"data\": [{\"id\": 3}]}",
      ]
      let result = try await bench.curate(
        try bench.request(step(), [input(stream(records: .json(path: "$.data[*]")), try bench.objects(pages))]))
      #expect(
        try await bench.table(result, "select id a, name b, \"at\" c, _object d, _position e from data order by id")
          == [
            ["1", "a\nb", nil, "1", "1"], ["2", nil, #"{"x":1}"#, "1", "2"], ["3", nil, nil, "3", "1"],
          ])
      #expect(result.recordsByObject == [1: 2, 2: 0, 3: 1])
    }
  }

  @Test("refuses a faulty document whole, even when the fault is in its last byte, and says where it is")
  func faultyDocument() async throws {
    try await Workbench.with { bench in
      let objects = try bench.objects([#"[{"id":1}]"#, #"[{"id":1},{"id":2}}"#])
      let error = await #expect(throws: StageFailure.self) {
        _ = try await bench.curate(
          try bench.request(step(), [input(stream(records: .json(path: "$[*]")), objects)]))
      }
      #expect(error?.message.contains("page 2") == true)
      #expect(error?.message.contains("18") == true)
      #expect(error?.isTransient == false)
    }
  }

  @Test("gives a stream's fields the types of its columns")
  func typedFields() async throws {
    try await Workbench.with { bench in
      let columns = [
        StreamColumn(name: "id", type: ColumnType("bigint")), StreamColumn(name: "at", type: ColumnType("timestamptz")),
      ]
      let lines = "{\"id\":\"1\",\"at\":\"2024-05-01T00:00:00+02:00\"}\n{\"id\":1.5}\n{\"id\":7,\"at\":\"soon\"}"
      let result = try await bench.curate(
        try bench.request(
          step(), [input(stream(records: .ndjson, key: ["id"], columns: columns), try bench.objects([lines]))]))
      #expect(
        try await bench.table(result, "select id a, \"at\"::varchar b from data") == [["1", "2024-04-30 22:00:00+00"]])
      #expect(
        try await bench.table(result, "select reasons[1] a, key b, position c from bad order by position") == [
          ["id:type", #"{"id":"1.5"}"#, "2"], ["at:type", #"{"id":"7"}"#, "3"],
        ])
    }
  }
}
