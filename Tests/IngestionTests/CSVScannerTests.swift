import PipelineDefinition
import Testing

@testable import Ingestion

@Suite("The scanner of CSV")
struct CSVScannerTests {
  private func scan(
    _ text: String, _ format: CSVFormat = CSVFormat(), field: String = "at", columns: [String] = [], piece: Int = 1000
  ) -> (records: Int64, values: [String?]) {
    let scanner = CSVScanner(format, field: field, columns: columns)
    let bytes = Array(text.utf8)
    var values: [String?] = []
    for start in stride(from: 0, to: bytes.count, by: piece) {
      scanner.feed(Array(bytes[start..<min(start + piece, bytes.count)]))
      values += scanner.takeFieldValues()
    }
    scanner.finish()
    return (scanner.records, values + scanner.takeFieldValues())
  }

  @Test(
    "finds the field by its header, through quotes and line breaks, however the bytes are cut", arguments: [1, 2, 1000])
  func header(piece: Int) {
    let text =
      "id,text,at\r\n1,\"a,\nb\",2024-01-01\r\n\r\n2,\"x \"\"y\"\"\",\"2024-01-\"\"02\"\n3,c,\n4\n5,d,2024-01-03"
    let (records, values) = scan(text, piece: piece)
    #expect(records == 5)
    #expect(values == ["2024-01-01", "2024-01-\"02", nil, nil, "2024-01-03"])
  }

  @Test("finds the first field behind a byte order mark")
  func mark() {
    #expect(scan("\u{FEFF}at,id\n7,1\n").values == ["7"])
    #expect(scan("\u{FEFF}\"at\",id\n7,1\n").values == ["7"])
  }

  @Test("finds it by the names that the author fixed, with or without a header")
  func names() {
    #expect(scan("a,b\n1,2\n", columns: ["id", "at"]).values == ["2"])
    #expect(scan("1;2\n", CSVFormat(header: false, delimiter: ";"), columns: ["id", "at"]).values == ["2"])
    #expect(scan("1,2\n", CSVFormat(header: false), field: "c2").values == ["2"])
  }

  @Test("skips the lines before the header, whatever quotes they have")
  func skipped() {
    let (records, values) = scan("Report of 5\" pipes\n\nat\n7\n", CSVFormat(skip: 2))
    #expect(records == 1)
    #expect(values == ["7"])
  }

  @Test("reads another quote, escape and null")
  func dialect() {
    let format = CSVFormat(quote: "'", escape: "\\", null: "-")
    #expect(scan("id,at\n'it\\'s, 1',7\n2,-\n", format).values == ["7", nil])
  }

  @Test("has no value where the header lacks the field")
  func missing() {
    let (records, values) = scan("id\n1\n2\n")
    #expect(records == 2)
    #expect(values == [nil, nil])
  }
}
