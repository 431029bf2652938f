import FoundationEssentials
import Records
import Testing

/// What a reader wrote, taken apart again.
struct ReaderOutput: Equatable {
  /// Fields of the good records by name; the values that are there.
  var rows: [[String: String]] = []
  /// `reason line byte`.
  var rejects: [String] = []
  var good = 0
  var bad = 0
  var fields: [String] = []
}

extension RecordReading.CSVReading {
  static func standard(
    header: Bool = true, delimiter: String = ",", escape: String? = nil, null: String = "", skip: Int = 0,
    names: [String] = [], pads: Bool = false
  ) -> RecordReading.CSVReading {
    RecordReading.CSVReading(
      hasHeader: header, delimiter: delimiter, quote: "\"", escape: escape, null: null, skip: skip, names: names,
      padsShortRows: pads, columnNames: { $0 })
  }
}

/// Reads bytes through a file, by one reader; or by a second one from where the first has ended, which takes the records that
/// begin before `division`.
func readRecords(
  _ bytes: [UInt8], _ format: RecordReading.Format, block: Int = 1 << 20, maximum: Int = 16_000_000,
  division: Int? = nil
) throws -> ReaderOutput {
  let directory = FileManager.default.temporaryDirectory.path + "/sluice-records-\(UUID())"
  try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(atPath: directory) }
  try Data(bytes).write(to: URL(filePath: directory + "/in"))
  var reading = RecordReading(format: format, maximumRecordBytes: maximum, keepsRecords: false) { !$0.isEmpty }
  reading.blockBytes = block
  guard let division else { return try readRange(0..<Int64.max, in: directory, reading).output }
  var (output, end) = try readRange(0..<Int64(division), in: directory, reading)
  let (rest, _) = try readRange(end.byte..<Int64.max, in: directory, reading, linesBefore: end.lines)
  output.rows += rest.rows
  output.rejects += rest.rejects
  output.good += rest.good
  output.bad += rest.bad
  output.fields += rest.fields.filter { !output.fields.contains($0) }
  return output
}

private func readRange(
  _ range: Range<Int64>, in directory: String, _ reading: RecordReading, linesBefore: Int = 0
) throws -> (output: ReaderOutput, end: ReadEnd) {
  let reader = try RecordReader(reading, rows: directory + "/rows", rejects: directory + "/bad", isCancelled: { false })
  let end = try reader.read(directory + "/in", part: 7, range: range)
  let read = try reader.finish()
  var output = ReaderOutput(good: read.parts[0].good, bad: read.parts[0].bad)
  output.fields = read.fields
  try read.rows.read { numbers, texts in
    #expect(numbers == [7, Int64(output.rows.count + 1)])
    #expect(texts.count == read.fields.count)
    var fields: [String: String] = [:]
    for (field, value) in zip(read.fields, texts) {
      if let value { fields[field] = String(decoding: value, as: UTF8.self) }
    }
    output.rows.append(fields)
  }
  try read.rejects.read { numbers, texts in
    let reason = String(decoding: texts[0] ?? [], as: UTF8.self)
    output.rejects.append("\(reason) \(Int(numbers[1]) + linesBefore) \(numbers[2])")
  }
  #expect(output.rows.count == output.good && output.rejects.count == output.bad)
  return (output, end)
}

@Suite("Reading CSV")
struct CSVReadingTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var text: String
    var csv = RecordReading.CSVReading.standard()
    var rows: [[String: String]] = []
    var rejects: [String] = []
    var testDescription: String { text.debugDescription }
  }

  static let cases: [Case] = [
    Case(text: "a,b\n1,2\n", rows: [["a": "1", "b": "2"]]),
    Case(text: "a,b\n1,2", rows: [["a": "1", "b": "2"]]),
    Case(text: "a,b\r\n1,2\r\n3,4", rows: [["a": "1", "b": "2"], ["a": "3", "b": "4"]]),
    Case(text: "a,b\r1,2\r3,4\r", rows: [["a": "1", "b": "2"], ["a": "3", "b": "4"]]),
    Case(text: "a,b\n1,2\r\n3,4\r5,6\n", rows: [["a": "1", "b": "2"], ["a": "3", "b": "4"], ["a": "5", "b": "6"]]),
    // A quoted empty field is a text, another is none.
    Case(text: "a,b\n\"\",\n", rows: [["a": ""]]),
    Case(text: "a,b\nX,\"X\"\n,\n", csv: .standard(null: "X"), rows: [["b": "X"], ["a": "", "b": ""]]),
    Case(text: "a,b\n\"x\ny\",\"p,\"\"q\"\"\"\n", rows: [["a": "x\ny", "b": "p,\"q\""]]),
    Case(text: "\"a\nb\",c\n1,2\n", rows: [["a\nb": "1", "c": "2"]]),
    Case(text: "a,b\n5\" pipe, \"x\"\n", rows: [["a": "5\" pipe", "b": " \"x\""]]),
    Case(
      text: "a,b\n\"C:\\temp\",\"\\\"\\\\\"\n", csv: .standard(escape: "\\"), rows: [["a": "C:\\temp", "b": "\"\\"]]),
    Case(
      text: "a;b\n\u{1F}\u{1}\u{2}\0;x\n", csv: .standard(delimiter: ";"),
      rows: [["a": "\u{1F}\u{1}\u{2}\0", "b": "x"]]),
    Case(text: "a§b\n1§2\n", csv: .standard(delimiter: "§"), rows: [["a": "1", "b": "2"]]),
    // An empty line is a record only where there is one column.
    Case(text: "a,b\n\n1,2\n\n\n", rows: [["a": "1", "b": "2"]]),
    Case(text: "a\n1\n\n2\n", rows: [["a": "1"], [:], ["a": "2"]]),
    Case(text: "made by\nhand\na,b\n1,2\n", csv: .standard(skip: 2), rows: [["a": "1", "b": "2"]]),
    Case(
      text: "a,b\n1\n1,2,3\n4,5\n", rows: [["a": "4", "b": "5"]],
      rejects: ["record:too_few_fields 2 4", "record:too_many_fields 3 6"]),
    Case(text: "a,b\n1\n4,5\n", csv: .standard(pads: true), rows: [["a": "1"], ["a": "4", "b": "5"]]),
    Case(
      text: "1,2\n3\n4,5,6\n", csv: .standard(header: false),
      rows: [["c1": "1", "c2": "2"], ["c1": "3"], ["c1": "4", "c2": "5", "c3": "6"]]),
    Case(
      text: "1,2\n4,5,6\n", csv: .standard(header: false, names: ["a", "b"]),
      rows: [["a": "1", "b": "2"], ["a": "4", "b": "5"]]),
    // Fixed names count, whatever the header says.
    Case(text: "x,y,z\n1,2,3\n", csv: .standard(names: ["a", "b"], pads: true), rows: [["a": "1", "b": "2"]]),
    Case(
      text: "a,b\n1,\"x\"y\n2,\"z\n3,w\n", rows: [["a": "3", "b": "w"]],
      rejects: ["record:quote 2 4", "record:quote 3 11"]),
    Case(text: "a,b\n1,\"x\ny\"z,\"p\n3,w\n", rows: [["a": "3", "b": "w"]], rejects: ["record:quote 2 4"]),
    Case(
      text: "a,b\n1,\"open\n2,b\n3,c", rows: [["a": "2", "b": "b"], ["a": "3", "b": "c"]], rejects: ["record:quote 2 4"]
    ),
    Case(text: "", rows: []), Case(text: "a,b", rows: []),
    Case(text: "\u{FEFF}a,b\n1,2", rows: [["a": "1", "b": "2"]]),
  ]

  @Test("gives each value as it is written, and each record once, whatever the size of a block", arguments: cases)
  func reads(_ example: Case) throws {
    for block in [8, 9, 16, 1 << 20] {
      let output = try readRecords(Array(example.text.utf8), .csv(example.csv), block: block)
      #expect(output.rows == example.rows, "block \(block)")
      #expect(output.rejects == example.rejects, "block \(block)")
    }
  }

  @Test("gives the same wherever a second reader begins", arguments: cases.filter { $0.csv.hasHeader })
  func ranges(_ example: Case) throws {
    let bytes = Array(example.text.utf8)
    for division in bytes.indices.map({ $0 + 1 }) {
      let output = try readRecords(bytes, .csv(example.csv), block: 16, division: division)
      #expect(output.rows == example.rows, "divided at \(division)")
      #expect(output.rejects == example.rejects, "divided at \(division)")
    }
  }

  @Test("takes the first line of a row that is too long, wherever a block ends")
  func tooLong() throws {
    let long = "\"" + String(repeating: "12345,\n", count: 6) + "\""
    let texts = [
      "\(long),x\n1,2\n", "7,\(long)\n1,2\n", "\(long)x,y\n1,2\n", "7,\(long)",
      "\"5,\(long.dropFirst().dropLast())",
    ]
    for text in texts {
      let outputs = try [8, 9, 17, 30, 64, 1 << 20].map { block in
        try readRecords(Array("a,b\n\(text)".utf8), .csv(.standard()), block: block, maximum: 20)
      }
      #expect(outputs.allSatisfy { $0 == outputs[0] }, "\(text)")
      #expect(outputs[0].rejects.first == "record:too_long 2 4", "\(text)")
    }
  }

  @Test("takes what is not UTF-8, or longer than a record may be, for a bad record")
  func bytes() throws {
    for block in [8, 1 << 20] {
      let bytes = Array("a,b\n1,".utf8) + [0xC3, 0x28] + Array("\n2,ok\n".utf8)
      let output = try readRecords(bytes, .csv(.standard()), block: block)
      #expect(output.rows == [["a": "2", "b": "ok"]] && output.rejects == ["record:encoding 2 4"])
      let long =
        "a,b\n1,\"" + String(repeating: "x\n", count: 100) + "\"\n2," + String(repeating: "y", count: 150) + "\n3,ok\n"
      let limited = try readRecords(Array(long.utf8), .csv(.standard()), block: block, maximum: 100)
      #expect(limited.rows.last == ["a": "3", "b": "ok"])
      #expect(
        limited.rejects.first == "record:too_long 2 4"
          && limited.rejects.contains { $0.hasPrefix("record:too_long 103") })
    }
  }

  @Test("says which key helps where a header cannot be read")
  func headers() {
    for (bytes, key) in [
      (Array("\n\na,b\n".utf8), "skip"), (Array("a,\"b\n".utf8), "quote"), ([0x61, 0xFF, 0x0A], "encoding"),
    ] {
      let error = #expect(throws: RecordError.self) { try readRecords(bytes, .csv(.standard())) }
      #expect(error?.kind == .header && error?.hint?.contains("`\(key)`") == true)
    }
  }
}

@Suite("Reading JSON lines")
struct JSONLinesReadingTests {
  @Test("keeps every number and text as it is written, at any depth")
  func exact() throws {
    let text = """
      {"n":99999999999999.99,"z":-0.10e+05,"big":123456789012345678901234567890,"s":"\\u00e9\\ud83d\\ude00\\n\\u0000","l":[1.50, {"a" : 47.376886700000003}],"t":true,"x":null}

      {"s":"","id":1,"ID":77}

      """
    for block in [8, 64, 1 << 20] {
      let output = try readRecords(Array(text.utf8), .lines, block: block)
      #expect(
        output.rows == [
          [
            "n": "99999999999999.99", "z": "-0.10e+05", "big": "123456789012345678901234567890", "s": "é😀\n\0",
            "l": #"[1.50,{"a":47.376886700000003}]"#, "t": "true",
          ], ["s": "", "id": "1", "ID": "77"],
        ])
      #expect(output.bad == 0)
    }
  }

  @Test(
    "takes what is no record for a bad one, with its reason",
    arguments: [
      ("{\"a\":1", "json"), ("not json", "json"), ("{\"a\":01}", "json"), ("{\"a\":\"\\ud800\"}", "json"),
      ("{\"a\":1} 2", "json"),
      ("{\"a\":tru}", "json"), ("{\"a\":[1,]}", "json"), ("[1]", "not_an_object"), ("12", "not_an_object"),
      ("{\"a\\u0000\":1}", "nul"), ("{\"a\":1,\"a\":2}", "field_twice"), ("{\"b\":0,\"id\":1,\"id\":2}", "field_twice"),
      ("{\"a\":" + String(repeating: "[", count: 600) + String(repeating: "]", count: 600) + "}", "too_deep"),
      ("{\"a\":\"" + String(repeating: "x", count: 2_000) + "\"}", "too_long"),
    ])
  func bad(line: String, reason: String) throws {
    for block in [8, 1 << 20] {
      let text = "{\"id\":1}\n\(line)\n{\"id\":2}\n"
      let output = try readRecords(Array(text.utf8), .lines, block: block, maximum: 1_900)
      #expect(output.rows == [["id": "1"], ["id": "2"]])
      #expect(output.rejects == ["record:\(reason) 2 9"])
      #expect(output.fields == ["id"], "a bad record adds no field")
    }
  }
}
