import FoundationEssentials
import JobModel
import Records
import Testing

@Suite("Splitting a JSON document")
struct JSONDocumentTests {
  private func split(_ document: [UInt8], path: String) throws -> (count: Int, lines: [String]) {
    let directory = FileManager.default.temporaryDirectory.appending(path: "sluice-split-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    #expect(FileManager.default.createFile(atPath: directory + "/in", contents: Data(document)))
    let count = try JSONDocument.split(file: directory + "/in", recordsPath: path, to: directory + "/out")
    let data = try #require(FileManager.default.contents(atPath: directory + "/out"))
    let text = String(decoding: data, as: UTF8.self)
    return (count, text.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(String.init))
  }

  @Test("writes each record on a line of its own, digits and order of fields kept")
  func lines() throws {
    let document = "{\"data\": [\r\n {\"b\": 1.10,\n\t\"a\": \"x\\ny\"},\n {\"a\":\n12345678901234567890123}\n]}"
    let (count, lines) = try split(Array(document.utf8), path: "$.data[*]")
    #expect(count == 2)
    #expect(lines == ["{\"b\": 1.10,\t\"a\": \"x\\ny\"}", "{\"a\":12345678901234567890123}"])
  }

  @Test("keeps every record of a document larger than its buffers")
  func large() throws {
    let records = (0..<40_000).map { "{\"id\": \($0), \"text\": \"\(String(repeating: "é", count: $0 % 40))\"}" }
    let (count, lines) = try split(Array(("[" + records.joined(separator: ",\n") + "]").utf8), path: "$[*]")
    #expect(count == 40_000)
    #expect(lines == records)
  }

  @Test("fails for a fault in the last byte, a missing place and a missing file")
  func faults() throws {
    #expect(throws: RecordError.self) { try split(Array("[1, 2}".utf8), path: "$[*]") }
    let missing = #expect(throws: RecordError.self) { try split(Array("{\"error\": 1}".utf8), path: "$.data[*]") }
    #expect(missing?.code == "records_missing")
    let document = #"{"next": 2, "dta": [{"data": 1}], "meta": {"x": 1}}"#
    let scanner = JSONRecordScanner(records: try JSONPath("$.data[*]"))
    try scanner.feed(Array(document.utf8))
    try scanner.finish()
    #expect(!scanner.foundRecordsPlace)
    #expect(
      JSONDocument.missing("$.data[*]", keys: scanner.keys).hint
        == #"its keys are next, dta, meta; did you mean "dta"?"#)
    let unreadable = #expect(throws: RecordError.self) {
      try JSONDocument.split(file: "/nonexistent/in", recordsPath: "$", to: "/nonexistent/out")
    }
    #expect(unreadable?.code == "records_unreadable")
  }

  @Test("says that the disk is full instead of leaving a short file")
  func fullDisk() {
    let input = FileManager.default.temporaryDirectory.appending(path: "sluice-split-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: input) }
    #expect(FileManager.default.createFile(atPath: input, contents: Data("[1, 2]".utf8)))
    let error = #expect(throws: RecordError.self) {
      try JSONDocument.split(file: input, recordsPath: "$[*]", to: "/dev/full")
    }
    #expect(error?.message.contains("/dev/full") == true)
  }
}

@Suite("The scanner of JSON lines")
struct JSONLineScannerTests {
  @Test("counts lines that are not blank and takes the field of those that are JSON", arguments: [1, 3, 1000])
  func lines(piece: Int) {
    let text = "{\"a\": 1}\n\n  \r\n{\"a\": \"x\", \"b\": {\"a\": 2}}\r\nnot json\n{\"b\": 1}\n{\"a\": 3}"
    let scanner = JSONLineScanner(field: "a")
    let bytes = Array(text.utf8)
    var values: [JSONScalar] = []
    for start in stride(from: 0, to: bytes.count, by: piece) {
      scanner.feed(Array(bytes[start..<min(start + piece, bytes.count)]))
      values += scanner.takeFieldValues()
    }
    scanner.finish()
    values += scanner.takeFieldValues()
    #expect(scanner.records == 5)
    #expect(values.map(\.text) == ["1", "x", "3"])
  }
}

@Suite("A body's first bytes")
struct DocumentSniffTests {
  @Test(
    "give HTML and XML away",
    arguments: [
      ("<!DOCTYPE html><html>", "HTML"), ("\u{FEFF}\n <HTML lang=en>", "HTML"), ("<!-- x --><p>", "HTML"),
      ("<?xml version=\"1.0\"?>", "XML"),
    ])
  func markup(text: String, kind: String) {
    #expect(DocumentSniff.markup(in: Array(text.utf8)) == kind)
    #expect(DocumentSniff.markupInsteadOfJSON(in: Array(text.utf8)) == kind)
  }

  @Test("of data are left alone", arguments: ["{\"a\": \"<html>\"}", "id,<b>\n", "", "  ", "[", "a < b"])
  func data(text: String) {
    #expect(DocumentSniff.markup(in: Array(text.utf8)) == nil)
    #expect(DocumentSniff.markupInsteadOfJSON(in: Array(text.utf8)) == nil)
  }

  @Test("that begin with any tag are no JSON, though they may be CSV")
  func tag() {
    #expect(DocumentSniff.markupInsteadOfJSON(in: Array("<error/>".utf8)) == "XML")
    #expect(DocumentSniff.markup(in: Array("<5,3\n".utf8)) == nil)
  }
}
