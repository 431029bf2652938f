import Curation
import DuckDB
import FoundationEssentials
import JobModel
import PipelineDefinition
import Testing

@Suite("Curating CSV")
struct CSVCurationTests {
  @Test("quarantines malformed rows with their place and keeps the others")
  func messyRows() async throws {
    try await Workbench.with { bench in
      var bytes = Array("id,name,amount\n1,\"a, b\",5\n2,short\n\n3,\"two\nlines\",7,extra\n4,\"bad \"quote,3\n5,".utf8)
      bytes += [0xFF, 0xFE]
      bytes += Array(",3\n6,\"two\nlines\",9\n".utf8)
      let result = try await bench.curate(
        try bench.request(step(), [input(stream(), try bench.objects([bytes, Array("id,name,amount\r\n7,x,1".utf8)]))]))
      #expect(result.counts.all == [7, 3, 0, 0, 4])
      #expect(result.recordsByObject == [1: 6, 2: 1])
      #expect(
        try await bench.table(result, "select id a, name b, _object c, _position d from data order by id") == [
          ["1", "a, b", "1", "1"], ["6", "two\nlines", "1", "2"], ["7", "x", "2", "1"],
        ])
      #expect(
        try await bench.table(result, "select reasons[1] a, object b, byte c from bad order by byte")
          == [
            ["record:too_few_fields", "1", "26"], ["record:too_many_fields", "1", "35"], ["record:quote", "1", "57"],
            ["record:encoding", "1", "73"],
          ].map { $0.map(Optional.some) })
    }
  }

  @Test("reads the options of the format")
  func options() async throws {
    try await Workbench.with { bench in
      let format = CSVFormat(delimiter: ";", quote: "'", escape: "\\", null: "NULL", encoding: "latin-1", skip: 2)
      let bytes = Array("made by\nhand\nid;name\n1;'it\\'s; ".utf8) + [0xE9] + Array("'\n2;NULL\n3;\n".utf8)
      let result = try await bench.curate(
        try bench.request(step(), [input(stream(records: .csv(format)), try bench.objects([bytes]))]))
      #expect(
        try await bench.table(result, "select id a, name b from data order by id") == [
          ["1", "it's; é"], ["2", nil], ["3", ""],
        ])
    }
  }

  @Test("knows a null text that begins with the escape character")
  func escapedNull() async throws {
    try await Workbench.with { bench in
      let format = CSVFormat(escape: "\\", null: "\\N")
      let result = try await bench.curate(
        try bench.request(
          step(),
          [input(stream(records: .csv(format)), try bench.objects(["id,v\n\\N,\"a \\\"b\\\" c\"\n2,\\N\n3,\n"]))]))
      #expect(
        try await bench.table(result, "select id a, v b from data order by _position") == [
          [nil, "a \"b\" c"], ["2", nil], ["3", ""],
        ])
    }
  }

  @Test("names that differ in case only mean the same in every file, wherever they stand")
  func caseOfNames() async throws {
    try await Workbench.with { bench in
      let objects = try bench.objects(["id,ID,v\n1,77,a\n", "ID,v,id\n88,b,2\n"])
      let result = try await bench.curate(try bench.request(step(), [input(stream(), objects)]))
      #expect(
        try await bench.table(result, "select id a, \"ID_2\" b, v c from data order by id") == [
          ["1", "77", "a"], ["2", "88", "b"],
        ])
    }
  }

  @Test("takes the union of the headers of all objects, whatever their order")
  func headers() async throws {
    try await Workbench.with { bench in
      let objects = try bench.objects(["\u{FEFF}id,b\n1,x\n", "c,ID\ny,2\n", "", "id,b\n"])
      let result = try await bench.curate(
        try bench.request(step(), [input(stream(), objects, known: ["id", "gone"])]))
      #expect(
        try await bench.table(result, "select id a, gone b, b c, c d from data order by id") == [
          ["1", nil, "x", nil], ["2", nil, nil, "y"],
        ])
      #expect(result.events.map(\.kind) == [.newField, .newField, .missingField])
      #expect(result.fields.values.first == ["id", "b", "c"])
    }
  }

  @Test("reads rows without a header by the stream's columns: short rows padded, extra fields left in raw")
  func headerless() async throws {
    try await Workbench.with { bench in
      let columns = [
        StreamColumn(name: "id", type: ColumnType("bigint")), StreamColumn(name: "name"), StreamColumn(name: "city"),
      ]
      let definition = stream(records: .csv(CSVFormat(header: false, null: "\\N")), columns: columns)
      let result = try await bench.curate(
        try bench.request(
          step(),
          [input(definition, try bench.objects(["1,a\n2,b,\\N\nx,c,Bern\n", "4,d,Rome,9,8\n5,\"e\ne\",Oslo\n"]))]))
      #expect(
        try await bench.table(result, "select id a, name b, city c from data order by id") == [
          ["1", "a", nil], ["2", "b", nil], ["4", "d", "Rome"], ["5", "e\ne", "Oslo"],
        ])
      #expect(result.columns.map(\.type) == ["BIGINT", "VARCHAR", "VARCHAR", "BIGINT", "BIGINT"])
      #expect(result.counts.all == [5, 4, 0, 0, 1])
      #expect(
        try await bench.table(result, "select reasons[1] a, position b from bad") == [["id:type", "3"]])
      #expect(result.events.map(\.kind) == [.extraField, .extraField])
    }
  }

  @Test("names the columns c1 to cn by the widest row, where there is neither header nor columns")
  func widest() async throws {
    try await Workbench.with { bench in
      let definition = stream(records: .csv(CSVFormat(header: false)))
      let result = try await bench.curate(
        try bench.request(step(), [input(definition, try bench.objects(["1,2\n1,2,3,4\n1\n", "1,2,3\n"]))]))
      #expect(result.columns.map(\.name) == ["c1", "c2", "c3", "c4", "_object", "_position"])
      #expect(result.counts.all == [4, 4, 0, 0, 0])
    }
  }

  @Test("refuses a file whose bytes stop too early", arguments: ["gzip", "zstd"])
  func truncated(program: String) async throws {
    try await Workbench.with { bench in
      let text = "id,name\n" + (0..<20_000).map { "\($0),name \($0 &* 7919)\n" }.joined()
      let whole = try await compressed(Array(text.utf8), with: program, in: bench.directory)
      let good = try await bench.curate(
        try bench.request(step(), [input(stream(), try bench.objects([whole]))]))
      #expect(good.counts.rowsOut == 20_000)
      let cut = Array(whole.prefix(whole.count / 2))
      let error = await #expect(throws: StageFailure.self) {
        _ = try await bench.curate(try bench.request(step(), [input(stream(), try bench.objects([whole, cut]))]))
      }
      #expect(error?.code == "raw_truncated")
      #expect(error?.message.contains("page 2") == true)
      #expect(error?.isTransient == false)
    }
  }

  @Test("refuses a file that expands to far more than it has, before it fills the disk", arguments: ["gzip", "zstd"])
  func expandsTooFar(program: String) async throws {
    try await Workbench.with { bench in
      let bomb = try await bomb(of: 150_000_000, with: program)
      #expect(bomb.count < 500_000)
      for limit in [ExpansionLimit(bytes: 20_000_000_000), ExpansionLimit(bytes: 10_000_000, ratio: 1_000_000)] {
        var request = try bench.request(step(), [input(stream(), try bench.objects([bomb]))])
        request.expansion = limit
        let asked = request
        let error = await #expect(throws: StageFailure.self) { _ = try await bench.curate(asked) }
        #expect(error?.code == "expands_too_far")
        #expect(error?.hint?.contains(limit.bytes < 1_000_000_000 ? "limits.temp" : "limits.expansion") == true)
        let files = try FileManager.default.contentsOfDirectory(atPath: request.scratch).filter {
          $0.hasPrefix("expanded")
        }
        let sizes = try files.map { name in
          try FileManager.default.attributesOfItem(atPath: request.scratch + "/" + name)[.size] as? Int ?? 0
        }
        #expect(sizes.allSatisfy { $0 <= 100_000_000 })
      }
    }
  }

  @Test("reads a file whose rows end in different ways")
  func mixedLineEnds() async throws {
    try await Workbench.with { bench in
      let result = try await bench.curate(
        try bench.request(
          step(), [input(stream(), try bench.objects(["id,name\n1,a\n", "id,name\r\n2,\"x\r\ny\"\n3,c\r\n4,d\n"]))]))
      #expect(try await bench.table(result, "select id a from data order by id") == [["1"], ["2"], ["3"], ["4"]])
    }
  }

  @Test(
    "a large file is read by several readers at once, as by one", arguments: [0, 1_000_000])
  func largeFile(quotedBytes: Int) async throws {
    try await Workbench.with { bench in
      let rows = 400_000
      var text = "id,note\n"
      var byte = 0
      for row in 0..<rows {
        text += "\(row),note number \(row) with some more text in it\n"
        // In its middle a value of many lines, each of which looks like a row, and behind it a bad row.
        guard row == rows / 2 else { continue }
        text += "-1,\"" + String(repeating: "7,x\n", count: quotedBytes / 4) + "\"\n"
        byte = text.utf8.count
        text += "-2,too,many\n"
      }
      let result = try await bench.curate(
        try bench.request(step(), [input(stream(), try bench.objects([text]))]))
      #expect(result.counts.all == [rows + 2, rows + 1, 0, 0, 1])
      let sums = "select count(*) a, sum(id::bigint) b, count(distinct _position) c, max(_position) d from data"
      let sum = rows * (rows - 1) / 2 - 1
      #expect(try await bench.table(result, sums) == [["\(rows + 1)", "\(sum)", "\(rows + 1)", "\(rows + 1)"]])
      let places =
        "select count(*) a from data where id::bigint >= 0 and _position <> id::bigint + 1 + (id::bigint > \(rows / 2))::int"
      #expect(try await bench.table(result, places) == [["0"]])
      let bad = try await bench.table(result, "select line a, byte b from bad")
      #expect(bad == [["\(rows / 2 + 4 + quotedBytes / 4)", "\(byte)"]])
    }
  }
}
