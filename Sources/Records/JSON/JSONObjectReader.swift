/// Tells the fields of JSON objects that hold scalars only, one document at a time, such as the lines of NDJSON.
///
/// Not for several threads at a time.
package final class JSONObjectReader {
  /// A field as it stands in the object; buffers are valid during the call only. Strings are unescaped, numbers are as written.
  package typealias FieldHandler = (
    _ name: UnsafeBufferPointer<UInt8>, _ kind: JSONScalar.Kind, _ text: UnsafeBufferPointer<UInt8>
  ) throws -> Void

  private let onField: FieldHandler
  private var name: [UInt8] = []
  private var isOpen = false

  package init(onField: @escaping FieldHandler) { self.onField = onField }

  /// Reads one document.
  ///
  /// - Throws: ``RecordError`` `invalid_json` where it is no object of scalars, or what the handler throws.
  package func read(_ document: UnsafeBufferPointer<UInt8>) throws {
    isOpen = false
    let tokenizer = JSONTokenizer(receiver: self)
    try withExtendedLifetime(tokenizer) {
      try tokenizer.feed(document)
      try tokenizer.finish()
    }
  }

  private static func refusal(_ what: String) -> RecordError { RecordError(.invalidJSON, what) }
}

extension JSONObjectReader: JSONTokenReceiver {
  func startedMap() throws {
    guard !isOpen else { throw Self.refusal("a value is an object, where a number or a text belongs") }
    isOpen = true
  }

  func startedArray() throws {
    throw Self.refusal(
      isOpen ? "a value is a list, where a number or a text belongs" : "this is a list, where an object belongs")
  }

  func ended() throws {}

  func key(_ name: UnsafeBufferPointer<UInt8>) throws {
    self.name.removeAll(keepingCapacity: true)
    self.name.append(contentsOf: name)
  }

  func scalar(_ kind: JSONScalar.Kind, _ text: UnsafeBufferPointer<UInt8>) throws {
    guard isOpen else { throw Self.refusal("this is a single value, where an object belongs") }
    try name.withUnsafeBufferPointer { try onField($0, kind, text) }
  }
}
