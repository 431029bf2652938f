import PipelineDefinition

#if canImport(Glibc)
  import Glibc
#endif

/// JSON documents as files.
package enum JSONDocument {
  private static let pieceBytes = 256 * 1024

  /// Writes the records of a document to `output`, one a line, each as it was received without its line breaks: numbers
  /// keep their digits, fields their order. The number of the line is the record's position.
  ///
  /// Blocks; memory is bounded by the largest record.
  ///
  /// - Returns: How many records there are.
  /// - Throws: ``RecordError``: the document is faulty, be it in its last byte, has no such place, or a file cannot be read
  ///   or written. `output` is not complete then.
  package static func split(file path: String, recordsPath: String, to output: String) throws -> Int {
    let place = try JSONPath(recordsPath)
    guard let source = fopen(path, "rbe") else { throw unreadable("read", path) }
    defer { fclose(source) }
    guard let target = fopen(output, "wbe") else { throw unreadable("write", output) }
    var isOpen = true
    defer { if isOpen { fclose(target) } }
    setvbuf(target, nil, _IOFBF, pieceBytes)

    let scanner = JSONRecordScanner(records: place) { _, bytes in
      guard writeLine(bytes, to: target) else { throw unreadable("write", output) }
    }
    var piece = [UInt8](repeating: 0, count: pieceBytes)
    while true {
      let count = fread(&piece, 1, pieceBytes, source)
      if count == 0 { break }
      try piece.withUnsafeBufferPointer { try scanner.feed(UnsafeBufferPointer(rebasing: $0[..<count])) }
    }
    guard ferror(source) == 0 else { throw unreadable("read", path) }
    try scanner.finish()
    isOpen = false
    guard fclose(target) == 0 else { throw unreadable("write", output) }
    guard scanner.foundRecordsPlace else { throw missing(recordsPath, keys: scanner.keys) }
    return Int(scanner.records)
  }

  /// A document without the place where its records should be.
  ///
  /// - Parameter keys: Those that the document has.
  package static func missing(_ recordsPath: String, keys: [String]) -> RecordError {
    let message = "the JSON document has nothing at \(recordsPath)"
    guard !keys.isEmpty else {
      return RecordError(
        .recordsMissing, message, hint: "is `records.path` right, or did the source answer with something else?")
    }
    let first = (try? JSONPath(recordsPath))?.steps.lazy.compactMap { step in
      if case .key(let name) = step { name } else { nil }
    }.first
    let list = "its keys are \(keys.joined(separator: ", "))"
    let nearest = first.flatMap { Spelling.didYouMean($0, among: keys) }.map { "; \($0)" } ?? ""
    return RecordError(.recordsMissing, message, hint: "\(list)\(nearest)")
  }

  /// Line breaks outside of strings are white space, and inside of strings they are not JSON: all may go.
  private static func writeLine(_ bytes: UnsafeBufferPointer<UInt8>, to file: UnsafeMutablePointer<FILE>) -> Bool {
    var rest = bytes[...]
    while let end = rest.firstIndex(where: { $0 == 0x0A || $0 == 0x0D }) {
      let part = UnsafeBufferPointer(rebasing: rest[..<end])
      guard fwrite(part.baseAddress ?? emptyText, 1, part.count, file) == part.count else { return false }
      rest = rest[(end + 1)...]
    }
    let part = UnsafeBufferPointer(rebasing: rest)
    guard fwrite(part.baseAddress ?? emptyText, 1, part.count, file) == part.count else { return false }
    return fputc(0x0A, file) != EOF
  }

  private static var emptyText: UnsafePointer<UInt8> { ("" as StaticString).utf8Start }

  private static func unreadable(_ operation: String, _ path: String) -> RecordError {
    RecordError(.unreadable, "cannot \(operation) \(path): \(String(cString: strerror(errno)))")
  }
}
