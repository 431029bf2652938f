import CYaml

/// The events of a YAML text, one after the other: what stands where, before anything is built of it.
///
/// The parser is libYAML, which comes with Yams. Yams itself builds a tree at once, and a few hundred bytes of aliases
/// become a tree of gigabytes; here an alias is seen before anything follows from it.
final class YAMLEvents {
  enum Event {
    case documentStart, documentEnd, streamEnd
    /// `*name`
    case alias
    case scalar(YAMLScalar)
    case sequenceStart, sequenceEnd
    case mappingStart, mappingEnd
  }

  /// An event with its place and what was written before it.
  struct Item {
    var event: Event
    var line: Int
    var column: Int
    /// `&name`
    var hasAnchor = false
    /// `!name`
    var hasTag = false
  }

  /// Why the text is not YAML.
  struct Fault: Error {
    var problem: String
    var line: Int
    var column: Int
    /// Where the construct begins that is not ended.
    var begin: (line: Int, column: Int)?
  }

  private let bytes: UnsafeMutableBufferPointer<UInt8>
  private let parser: UnsafeMutablePointer<yaml_parser_t>

  init(_ text: String) {
    let utf8 = Array(text.utf8)
    bytes = .allocate(capacity: utf8.count)
    _ = bytes.initialize(from: utf8)
    parser = .allocate(capacity: 1)
    guard yaml_parser_initialize(parser) == 1 else { preconditionFailure("no memory for a YAML parser") }
    yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
    yaml_parser_set_input_string(parser, bytes.baseAddress, bytes.count)
  }

  deinit {
    yaml_parser_delete(parser)
    parser.deallocate()
    bytes.deallocate()
  }

  /// - Throws: ``Fault``.
  func next() throws(Fault) -> Item {
    while true {
      var raw = yaml_event_t()
      guard yaml_parser_parse(parser, &raw) == 1 else { throw fault() }
      defer { yaml_event_delete(&raw) }
      if let item = Self.item(raw) { return item }
    }
  }

  /// nil for the start of the stream, which says nothing.
  private static func item(_ raw: yaml_event_t) -> Item? {
    func item(_ event: Event, anchor: UnsafePointer<UInt8>? = nil, tag: UnsafePointer<UInt8>? = nil) -> Item {
      Item(
        event: event, line: Int(raw.start_mark.line) + 1, column: Int(raw.start_mark.column) + 1,
        hasAnchor: anchor != nil, hasTag: tag != nil)
    }
    switch raw.type {
    case YAML_STREAM_END_EVENT, YAML_NO_EVENT: return item(.streamEnd)
    case YAML_DOCUMENT_START_EVENT: return item(.documentStart)
    case YAML_DOCUMENT_END_EVENT: return item(.documentEnd)
    case YAML_ALIAS_EVENT: return item(.alias)
    case YAML_SCALAR_EVENT:
      let scalar = raw.data.scalar
      let text = String(decoding: UnsafeBufferPointer(start: scalar.value, count: scalar.length), as: UTF8.self)
      let isPlain = scalar.style == YAML_PLAIN_SCALAR_STYLE || scalar.style == YAML_ANY_SCALAR_STYLE
      return item(.scalar(YAMLScalar(text, isPlain: isPlain)), anchor: scalar.anchor, tag: scalar.tag)
    case YAML_SEQUENCE_START_EVENT:
      return item(.sequenceStart, anchor: raw.data.sequence_start.anchor, tag: raw.data.sequence_start.tag)
    case YAML_SEQUENCE_END_EVENT: return item(.sequenceEnd)
    case YAML_MAPPING_START_EVENT:
      return item(.mappingStart, anchor: raw.data.mapping_start.anchor, tag: raw.data.mapping_start.tag)
    case YAML_MAPPING_END_EVENT: return item(.mappingEnd)
    default: return nil
    }
  }

  private func fault() -> Fault {
    let problem = parser.pointee.problem.map { String(cString: $0) } ?? "it cannot be read"
    if parser.pointee.error == YAML_READER_ERROR {
      let (line, column) = place(ofByte: Int(parser.pointee.problem_offset))
      return Fault(problem: problem, line: line, column: column)
    }
    let (mark, context) = (parser.pointee.problem_mark, parser.pointee.context_mark)
    return Fault(
      problem: problem, line: Int(mark.line) + 1, column: Int(mark.column) + 1,
      begin: parser.pointee.context == nil ? nil : (Int(context.line) + 1, Int(context.column) + 1))
  }

  private func place(ofByte offset: Int) -> (line: Int, column: Int) {
    let before = bytes.prefix(max(0, offset))
    let line = before.reduce(1) { $0 + ($1 == 0x0A ? 1 : 0) }
    let start = before.lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
    // Bytes that continue a character are no column of their own.
    return (line, before[start...].reduce(1) { $0 + ($1 & 0xC0 == 0x80 ? 0 : 1) })
  }
}
