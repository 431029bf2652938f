/// Finds the records of a JSON document that streams by, and a few values beside them.
///
/// Memory is bounded by the largest record (none of it where no record's bytes are asked for) and the largest string,
/// whatever the document. The whole document is validated, also what stands after the last record.
///
/// Not for several threads at a time.
package final class JSONRecordScanner {
  /// A longer record or string is a mistake of the definition or the source: it would have to fit in memory.
  package static let maximumRecordBytes: Int64 = 64 * 1024 * 1024
  /// Deeper nesting is an attack or a fault; the engine that reads the records later has a similar limit.
  package static let maximumDepth = 1000

  /// Of ``keys``: what one message shows.
  private static let maximumKeys = 20
  private static let maximumKeyBytes = 63

  /// Of a value that ``values`` or ``takeFieldValues()`` gives: a longer one is cut, and still longer than this.
  package static let maximumValueBytes = 4096

  /// A record's bytes as received, valid during the call only, and where they begin in the document.
  package typealias RecordHandler = (_ position: Int64, _ bytes: UnsafeBufferPointer<UInt8>) throws -> Void

  /// How many records there were so far.
  package private(set) var records: Int64 = 0
  /// Whether the document has the place of the records at all, be it an empty list or null.
  package private(set) var foundRecordsPlace = false
  /// The keys of the document itself, the first of them; for the error where the place of the records is missing.
  package private(set) var keys: [String] = []
  /// The last value at each of the paths; nil where the document has none or something that is no scalar.
  package private(set) var values: [JSONScalar?]
  /// The values of the field in the records since they were last taken, in order.
  private var fieldValues: [JSONScalar] = []

  private let onRecord: RecordHandler?
  private let field: [UInt8]?
  private var recordsPath: JSONPathTracker
  private var valuePaths: [JSONPathTracker]
  private var tokenizer: JSONTokenizer?
  private var depth = 0
  private var isInRecord = false
  private var fieldIsNext = false
  /// Where the bytes that are to be kept begin: the record's start, or the end of the token before it.
  private var keepFrom: Int64 = 0
  /// The bytes to keep of the pieces before the current one.
  private var kept: [UInt8] = []
  private var piece = UnsafeBufferPointer<UInt8>(start: nil, count: 0)
  private var isFirst = true
  /// Whether the document's one value has ended.
  private var hasDocument = false

  /// - Parameters:
  ///   - records: Where the records are.
  ///   - values: Paths of single values, such as the next page's token.
  ///   - field: A top-level field of the records whose values ``takeFieldValues()`` gives.
  ///   - onRecord: Called for each record as it ends; nil: records are only counted.
  package init(
    records: JSONPath, values: [JSONPath] = [], field: String? = nil, onRecord: RecordHandler? = nil
  ) {
    recordsPath = JSONPathTracker(records)
    valuePaths = values.map(JSONPathTracker.init)
    self.values = Array(repeating: nil, count: values.count)
    self.field = field.map { Array($0.utf8) }
    self.onRecord = onRecord
    tokenizer = JSONTokenizer(receiver: self)
  }

  /// Takes the next piece of the document, of any size.
  ///
  /// - Throws: ``RecordError``, or what the record handler throws.
  package func feed(_ bytes: UnsafeBufferPointer<UInt8>) throws {
    guard let tokenizer, !bytes.isEmpty else { return }
    piece = bytes
    if isFirst, bytes.starts(with: [0xEF, 0xBB, 0xBF]) {
      // A byte order mark is no JSON, and some programs write one all the same.
      tokenizer.skip(3)
      piece = UnsafeBufferPointer(rebasing: bytes[3...])
    }
    isFirst = false
    do { try tokenizer.feed(piece) } catch let error as RecordError where error.kind == .invalidJSON {
      throw explained(error, base: tokenizer.base)
    }
    keepRest()
    let behind = tokenizer.base - lastToken
    guard behind <= Self.maximumRecordBytes, kept.count <= Self.maximumRecordBytes else {
      throw RecordError(
        .recordTooLong, "a JSON value is longer than \(Self.maximumRecordBytes >> 20) MiB, from byte \(keepFrom)",
        hint: "is `records.path` the list of the records?", position: keepFrom)
    }
  }

  package func feed(_ bytes: [UInt8]) throws {
    try bytes.withUnsafeBufferPointer { try feed($0) }
  }

  /// A second document behind the first is the mistake of reading NDJSON as JSON.
  private func explained(_ error: RecordError, base: Int64) -> RecordError {
    guard hasDocument, let position = error.position, position >= base,
      let byte = piece.dropFirst(Int(position - base)).first, byte == UInt8(ascii: "{") || byte == UInt8(ascii: "[")
    else { return error }
    return RecordError(
      .invalidJSON, "\(error.message): another document begins there, as in NDJSON",
      hint: "one document a line is `format: ndjson`", position: position)
  }

  /// The document is over.
  ///
  /// - Throws: ``RecordError`` for a document that is not.
  package func finish() throws {
    piece = UnsafeBufferPointer(start: nil, count: 0)
    try tokenizer?.finish()
  }

  /// The values of the field that were seen since the last call. To be taken after each piece: they add up.
  package func takeFieldValues() -> [JSONScalar] {
    defer { fieldValues.removeAll(keepingCapacity: true) }
    return fieldValues
  }

  private var lastToken: Int64 = 0
  private var position: Int64 { tokenizer?.position ?? 0 }

  /// Whether a value that begins now would be a record.
  private var expectsRecord: Bool { !isInRecord && recordsPath.selects(depth: depth) }

  private func keepRest() {
    guard onRecord != nil, isInRecord || expectsRecord, let base = tokenizer?.base else { return }
    let start = max(0, Int(keepFrom - (base - Int64(piece.count))))
    kept.append(contentsOf: piece[min(start, piece.count)...])
  }

  /// A token ended that is no record's end: what is kept for a record that may begin starts anew.
  private func pass() {
    lastToken = position
    guard !isInRecord else { return }
    keepFrom = lastToken
    kept.removeAll(keepingCapacity: true)
  }

  private func recordEnded() throws {
    isInRecord = false
    records += 1
    defer { pass() }
    guard let onRecord, let base = tokenizer?.base else { return }
    let end = min(Int(position - base), piece.count)
    if keepFrom >= base {
      return try report(UnsafeBufferPointer(rebasing: piece[Int(keepFrom - base)..<end]), to: onRecord)
    }
    kept.append(contentsOf: piece[..<end])
    try kept.withUnsafeBufferPointer { try report($0, to: onRecord) }
  }

  /// Cuts off what stands between the token before and a scalar record.
  private func report(_ bytes: UnsafeBufferPointer<UInt8>, to handler: RecordHandler) throws {
    let isBetween: (UInt8) -> Bool = { $0 <= 0x20 || $0 == UInt8(ascii: ",") || $0 == UInt8(ascii: ":") }
    let start = bytes.firstIndex { !isBetween($0) } ?? bytes.endIndex
    try handler(keepFrom + Int64(start), UnsafeBufferPointer(rebasing: bytes[start...]))
  }
}

extension JSONRecordScanner: JSONTokenReceiver {
  func startedMap() throws {
    try started()
    recordsPath.startedMap(depth: depth)
    for index in valuePaths.indices { valuePaths[index].startedMap(depth: depth) }
  }

  func startedArray() throws {
    if recordsPath.selectsList(depth: depth) { foundRecordsPlace = true }
    try started()
    recordsPath.startedArray(depth: depth)
    for index in valuePaths.indices { valuePaths[index].startedArray(depth: depth) }
    pass()
  }

  private func started() throws {
    if expectsRecord {
      foundRecordsPlace = true
      isInRecord = true
      keepFrom = position - 1
      kept.removeAll(keepingCapacity: true)
    }
    fieldIsNext = false
    for index in valuePaths.indices where valuePaths[index].selects(depth: depth) { values[index] = nil }
    depth += 1
    guard depth <= Self.maximumDepth else {
      throw RecordError(
        .invalidJSON, "the JSON is nested deeper than \(Self.maximumDepth) levels, at byte \(position)",
        position: position)
    }
    pass()
  }

  func ended() throws {
    recordsPath.ended(depth: depth)
    for index in valuePaths.indices { valuePaths[index].ended(depth: depth) }
    depth -= 1
    hasDocument = depth == 0
    if isInRecord, recordsPath.selects(depth: depth) { return try recordEnded() }
    pass()
  }

  func key(_ name: UnsafeBufferPointer<UInt8>) throws {
    recordsPath.key(name, depth: depth)
    for index in valuePaths.indices { valuePaths[index].key(name, depth: depth) }
    if depth == 1, !isInRecord, keys.count < Self.maximumKeys, name.count <= Self.maximumKeyBytes {
      keys.append(Self.text(name))
    }
    if isInRecord, let field, depth == recordsPath.steps.count + 1 { fieldIsNext = field.elementsEqual(name) }
    pass()
  }

  func scalar(_ kind: JSONScalar.Kind, _ text: UnsafeBufferPointer<UInt8>) throws {
    if fieldIsNext {
      fieldIsNext = false
      fieldValues.append(JSONScalar(kind: kind, text: Self.text(text)))
    }
    for index in valuePaths.indices where valuePaths[index].selects(depth: depth) {
      values[index] = JSONScalar(kind: kind, text: Self.text(text))
    }
    if recordsPath.selectsList(depth: depth), kind == .null { foundRecordsPlace = true }
    guard expectsRecord else { return pass() }
    foundRecordsPlace = true
    try recordEnded()
  }

  private static func text(_ bytes: UnsafeBufferPointer<UInt8>) -> String {
    String(decoding: bytes.prefix(maximumValueBytes + 1), as: UTF8.self)
  }
}
