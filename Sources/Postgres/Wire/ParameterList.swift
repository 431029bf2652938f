import CLibPQ

/// Parameters laid out as libpq wants them: one block of bytes, and where each begins.
struct ParameterList {
  /// The protocol counts them in 16 bits.
  static let maximum = 65_535
  /// PostgreSQL's number of the type `bytea`; 0 lets it infer the type.
  private static let bytea: Oid = 17

  private var bytes: [CChar] = []
  private var offsets: [Int?] = []
  private var lengths: [Int32] = []
  private var formats: [Int32] = []
  private var types: [Oid] = []

  /// - Throws: ``PostgresError`` `.usage` for too many, and for text with a NUL, which PostgreSQL cannot hold.
  init(_ values: [PostgresValue], of statement: SQLStatement) throws {
    guard values.count <= Self.maximum else {
      throw PostgresError(
        .usage, operation: statement.name, message: "\(values.count) parameters, at most \(Self.maximum) are possible",
        hint: "pass arrays")
    }
    for (index, value) in values.enumerated() {
      if case .bytes(let raw) = value {
        append(raw, isBinary: true)
      } else if case .ints(let numbers) = value {
        append(numbers)
      } else if let text = value.encoded {
        guard !text.utf8.contains(0) else {
          throw PostgresError(
            .usage, operation: statement.name, message: "parameter $\(index + 1) holds a NUL, which text cannot",
            sqlState: "22021")
        }
        append(text.utf8, isBinary: false)
      } else {
        offsets.append(nil)
        lengths.append(0)
        formats.append(0)
        types.append(0)
      }
    }
  }

  private mutating func append(_ value: some Collection<UInt8>, isBinary: Bool) {
    offsets.append(bytes.count)
    lengths.append(Int32(value.count))
    formats.append(isBinary ? 1 : 0)
    types.append(isBinary ? Self.bytea : 0)
    bytes.reserveCapacity(bytes.count + value.count + 1)
    for byte in value { bytes.append(CChar(bitPattern: byte)) }
    bytes.append(0)
  }

  /// An array of numbers, straight into the block: every claim and acknowledgement sends some hundreds.
  private mutating func append(_ numbers: [Int64]) {
    offsets.append(bytes.count)
    let start = bytes.count
    bytes.reserveCapacity(start + numbers.count * 12 + 3)
    bytes.append(CChar(UInt8(ascii: "{")))
    for (index, number) in numbers.enumerated() {
      if index > 0 { bytes.append(CChar(UInt8(ascii: ","))) }
      if number < 0 { bytes.append(CChar(UInt8(ascii: "-"))) }
      let first = bytes.count
      var rest = number.magnitude
      repeat {
        bytes.append(CChar(UInt8(ascii: "0") + UInt8(rest % 10)))
        rest /= 10
      } while rest > 0
      bytes[first...].reverse()
    }
    bytes.append(CChar(UInt8(ascii: "}")))
    lengths.append(Int32(bytes.count - start))
    formats.append(0)
    types.append(0)
    bytes.append(0)
  }

  typealias Values = UnsafePointer<UnsafePointer<CChar>?>

  /// The pointers are valid inside `body` only.
  func withPointers<T>(
    _ body: (Int32, UnsafePointer<Oid>?, Values?, UnsafePointer<Int32>?, UnsafePointer<Int32>?) -> T
  ) -> T {
    bytes.withUnsafeBufferPointer { block in
      let values = offsets.map { offset -> UnsafePointer<CChar>? in
        guard let offset, let base = block.baseAddress else { return nil }
        return base + offset
      }
      return body(Int32(offsets.count), types, values, lengths, formats)
    }
  }
}
