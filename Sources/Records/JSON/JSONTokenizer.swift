import CYajl

/// What a ``JSONTokenizer`` tells, in document order. Buffers are valid during the call only.
protocol JSONTokenReceiver: AnyObject {
  func startedMap() throws
  func startedArray() throws
  func ended() throws
  func key(_ name: UnsafeBufferPointer<UInt8>) throws
  /// Strings are unescaped; numbers are as they were written.
  func scalar(_ kind: JSONScalar.Kind, _ text: UnsafeBufferPointer<UInt8>) throws
}

/// A value of a JSON document that holds no others.
package struct JSONScalar: Sendable, Hashable {
  package enum Kind: Sendable { case null, boolean, number, string }
  package var kind: Kind
  /// A string without escapes; anything else as it was written.
  package var text: String

  package init(kind: Kind, text: String) {
    self.kind = kind
    self.text = text
  }
}

/// Validates a JSON document that comes in pieces and tells its tokens. A pushed parser: yajl.
final class JSONTokenizer {
  private let handle: yajl_handle
  private let callbacks: UnsafeMutablePointer<yajl_callbacks>
  private let context: UnsafeMutablePointer<Unmanaged<JSONTokenizer>?>
  private unowned let receiver: any JSONTokenReceiver
  private var thrown: (any Error)?
  /// Bytes of the pieces before the current one.
  private(set) var base: Int64 = 0

  init(receiver: any JSONTokenReceiver) {
    self.receiver = receiver
    callbacks = .allocate(capacity: 1)
    callbacks.initialize(to: Self.table)
    let context = UnsafeMutablePointer<Unmanaged<JSONTokenizer>?>.allocate(capacity: 1)
    context.initialize(to: nil)
    guard let handle = yajl_alloc(callbacks, nil, context) else { preconditionFailure("no memory for a JSON parser") }
    self.handle = handle
    self.context = context
    context.pointee = Unmanaged.passUnretained(self)
  }

  deinit {
    yajl_free(handle)
    callbacks.deallocate()
    context.deallocate()
  }

  /// The document's position just after the current token; within a call of the receiver.
  var position: Int64 { base + Int64(yajl_get_bytes_consumed(handle)) }

  /// - Throws: ``RecordError`` `invalid_json` with the position, or what the receiver threw.
  func feed(_ piece: UnsafeBufferPointer<UInt8>) throws {
    try check(yajl_parse(handle, piece.baseAddress, piece.count))
    base += Int64(piece.count)
  }

  /// Counts bytes that are no part of the document's text.
  func skip(_ bytes: Int) { base += Int64(bytes) }

  /// The document is over.
  func finish() throws {
    do { try check(yajl_complete_parse(handle)) } catch let error as RecordError where error.kind == .invalidJSON {
      throw RecordError(
        .invalidJSON, base == 0 ? "the JSON document is empty" : "the JSON document ends early, after byte \(base)",
        position: base)
    }
  }

  private func check(_ status: yajl_status) throws {
    if let thrown { throw thrown }
    guard status != yajl_status_ok else { return }
    // The position that yajl reports is behind the offending token's first byte.
    let position = base + Int64(max(yajl_get_bytes_consumed(handle), 1) - 1)
    throw RecordError(.invalidJSON, "invalid JSON at byte \(position)", position: position)
  }

  private func tell(_ body: (any JSONTokenReceiver) throws -> Void) -> Int32 {
    do { try body(receiver) } catch {
      thrown = error
      return 0
    }
    return 1
  }

  private static func tell(
    _ context: UnsafeMutableRawPointer?, _ body: (any JSONTokenReceiver) throws -> Void
  ) -> Int32 {
    guard let box = context?.assumingMemoryBound(to: Unmanaged<JSONTokenizer>?.self).pointee else { return 0 }
    return box._withUnsafeGuaranteedRef { $0.tell(body) }
  }

  private static var empty: UnsafeBufferPointer<UInt8> { UnsafeBufferPointer(start: nil, count: 0) }

  private static var table: yajl_callbacks {
    yajl_callbacks(
      yajl_null: { JSONTokenizer.tell($0) { try $0.scalar(.null, JSONTokenizer.empty) } },
      yajl_boolean: { context, value in
        let text: StaticString = value != 0 ? "true" : "false"
        return JSONTokenizer.tell(context) {
          try $0.scalar(.boolean, UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
        }
      },
      yajl_integer: nil, yajl_double: nil,
      yajl_number: { context, text, count in
        guard let text else { return 0 }
        return text.withMemoryRebound(to: UInt8.self, capacity: count) { bytes in
          JSONTokenizer.tell(context) { try $0.scalar(.number, UnsafeBufferPointer(start: bytes, count: count)) }
        }
      },
      yajl_string: { context, text, count in
        JSONTokenizer.tell(context) { try $0.scalar(.string, UnsafeBufferPointer(start: text, count: count)) }
      },
      yajl_start_map: { JSONTokenizer.tell($0) { try $0.startedMap() } },
      yajl_map_key: { context, text, count in
        JSONTokenizer.tell(context) { try $0.key(UnsafeBufferPointer(start: text, count: count)) }
      },
      yajl_end_map: { JSONTokenizer.tell($0) { try $0.ended() } },
      yajl_start_array: { JSONTokenizer.tell($0) { try $0.startedArray() } },
      yajl_end_array: { JSONTokenizer.tell($0) { try $0.ended() } })
  }
}
