import JobModel
import Records
import Testing

@Suite("The JSON record scanner")
struct JSONRecordScannerTests {
  struct Found: Equatable {
    var position: Int64
    var text: String
  }

  /// Feeds a document in pieces of one size.
  private func scan(
    _ document: String, records: String, values: [String] = [], field: String? = nil, piece: Int = 4096
  ) throws -> (scanner: JSONRecordScanner, found: [Found], field: [JSONScalar]) {
    final class Box { var found: [Found] = [] }
    let box = Box()
    let scanner = JSONRecordScanner(
      records: try JSONPath(records), values: try values.map(JSONPath.init), field: field
    ) { position, bytes in
      box.found.append(Found(position: position, text: String(decoding: bytes, as: UTF8.self)))
    }
    let bytes = Array(document.utf8)
    var fields: [JSONScalar] = []
    for start in stride(from: 0, to: bytes.count, by: piece) {
      try scanner.feed(Array(bytes[start..<min(start + piece, bytes.count)]))
      fields += scanner.takeFieldValues()
    }
    try scanner.finish()
    return (scanner, box.found, fields)
  }

  static let page = """
    {"meta": {"token": "t-2", "next": "no"}, "data": [
      {"id": 1, "at": "2024-01-01", "sub": {"at": "x", "data": [1, 2]}},
      {"id": 2.50, "at": "2024-01-02", "text": "a ] } \\" \\u00e9"} ,
      7, "text, with: signs", [1, [2]], null, true, {}
    ], "next": 12}
    """

  @Test(
    "finds every record with its bytes and position, however the document is cut", arguments: [1, 2, 3, 7, 64, 4096])
  func records(piece: Int) throws {
    let (scanner, found, _) = try scan(Self.page, records: "$.data[*]", piece: piece)
    #expect(
      found.map(\.text) == [
        #"{"id": 1, "at": "2024-01-01", "sub": {"at": "x", "data": [1, 2]}}"#,
        #"{"id": 2.50, "at": "2024-01-02", "text": "a ] } \" \u00e9"}"#,
        "7", #""text, with: signs""#, "[1, [2]]", "null", "true", "{}",
      ])
    #expect(scanner.records == 8)
    let document = Array(Self.page.utf8)
    for record in found {
      let place = Int(record.position)
      #expect(document[place..<place + record.text.utf8.count].elementsEqual(record.text.utf8))
    }
  }

  @Test("takes values at their paths and a field of the records only", arguments: [1, 5, 4096])
  func values(piece: Int) throws {
    let (scanner, _, field) = try scan(
      Self.page, records: "$.data[*]", values: ["$.meta.token", "$.next", "$.none", "$.meta"], field: "at", piece: piece
    )
    #expect(
      scanner.values == [
        JSONScalar(kind: .string, text: "t-2"), JSONScalar(kind: .number, text: "12"), nil, nil,
      ])
    #expect(field.map(\.text) == ["2024-01-01", "2024-01-02"])
  }

  @Test(
    "follows every kind of path",
    arguments: [
      ("$", "{\"a\": 1}", ["{\"a\": 1}"]), ("$", "7", ["7"]), ("$", " [1]\n", ["[1]"]),
      ("$[*]", "[1, {\"a\": [2]}, []]", ["1", "{\"a\": [2]}", "[]"]),
      ("$.a", "{\"b\": {\"a\": 1}, \"a\": {\"a\": 2}}", ["{\"a\": 2}"]),
      ("$.a.b[*]", "{\"a\": {\"b\": [1, 2]}, \"b\": [3], \"c\": {\"b\": [4]}}", ["1", "2"]),
      ("$[*].i[*]", "[{\"i\": [1, 2]}, {\"j\": [3]}, {\"i\": [4]}]", ["1", "2", "4"]),
      ("$.data[*]", "{\"data\": []}", []), ("$.data[*]", "{\"data\": null}", []),
      ("$.data[*]", "\u{FEFF}{\"data\": [1]}", ["1"]),
    ])
  func paths(path: String, document: String, expected: [String]) throws {
    let (scanner, found, _) = try scan(document, records: path)
    #expect(found.map(\.text) == expected)
    #expect(scanner.foundRecordsPlace)
  }

  @Test("tells a document without the records' place from one without records")
  func place() throws {
    #expect(try !scan(#"{"error": "no"}"#, records: "$.data[*]").scanner.foundRecordsPlace)
    #expect(try !scan(#"{"data": {"a": 1}}"#, records: "$.data[*]").scanner.foundRecordsPlace)
    #expect(try !scan("{}", records: "$[*]").scanner.foundRecordsPlace)
  }

  @Test(
    "refuses what is no JSON, with the byte and no contents",
    arguments: [
      (#"{"a": secret}"#, 6), (#"{"a": 1} secret"#, 9), (#"{"a": [1, 2}"#, 11), ("[1,]", 3), ("[\"a\nsecret\"]", 2),
    ] as [(String, Int64)])
  func invalid(document: String, byte: Int64) throws {
    let error = #expect(throws: RecordError.self) { try scan(document, records: "$[*]") }
    #expect(error?.code == "invalid_json")
    #expect(error?.position == byte)
    #expect(error?.description.contains("secret") == false)
    #expect(error?.description.contains("byte \(byte)") == true)
  }

  @Test(
    "says that a second document is NDJSON",
    arguments: [("{\"a\": 1}\n{\"a\": 2}\n", 9), ("[1]\n[2]", 4), ("{}{}", 2)] as [(String, Int64)])
  func severalDocuments(text: String, byte: Int64) throws {
    let error = #expect(throws: RecordError.self) { try scan(text, records: "$") }
    #expect(error?.message == "invalid JSON at byte \(byte): another document begins there, as in NDJSON")
    #expect(error?.hint == "one document a line is `format: ndjson`")
  }

  @Test("refuses a document that is cut in its last byte, or empty", arguments: ["{\"data\": [1, 2]", "[", "", "  "])
  func cut(document: String) throws {
    let error = #expect(throws: RecordError.self) { try scan(document, records: "$[*]") }
    #expect(error?.code == "invalid_json")
  }

  @Test("refuses bytes that are no UTF-8")
  func notUTF8() throws {
    let scanner = JSONRecordScanner(records: try JSONPath("$[*]"))
    let error = #expect(throws: RecordError.self) {
      try scanner.feed([UInt8(ascii: "["), UInt8(ascii: "\""), 0xE9, UInt8(ascii: "\""), UInt8(ascii: "]")])
    }
    #expect(error?.code == "invalid_json")
  }

  @Test("refuses nesting that only an attack has")
  func deep() throws {
    let error = #expect(throws: RecordError.self) {
      try scan(String(repeating: "[", count: 5000), records: "$[*]")
    }
    #expect(error?.message.contains("nested deeper than 1000") == true)
  }

  @Test("refuses a value that would not fit in memory, also when nobody wants its bytes")
  func tooLong() throws {
    let scanner = JSONRecordScanner(records: try JSONPath("$[*]"))
    try scanner.feed(Array("[\"".utf8))
    let piece = [UInt8](repeating: UInt8(ascii: "x"), count: 4 << 20)
    let error = #expect(throws: RecordError.self) { for _ in 0..<20 { try scanner.feed(piece) } }
    #expect(error?.code == "record_too_long")
  }

  @Test("passes on what its record handler throws")
  func handlerThrows() throws {
    struct Full: Error {}
    let scanner = JSONRecordScanner(records: try JSONPath("$[*]")) { _, _ in throw Full() }
    #expect(throws: Full.self) { try scanner.feed(Array("[1, 2]".utf8)) }
  }

  @Test("refuses a path that is none", arguments: ["data", "$data", "$.", "$.a[0]", "$..a", "$.a[*", ""])
  func badPath(text: String) {
    let error = #expect(throws: RecordError.self) { try JSONPath(text) }
    #expect(error?.code == "record_path")
  }
}
