import CLibPQ

/// One row; values by the name of their column or by its position.
///
/// Every accessor throws ``PostgresError`` `.usage` for a column that is not there, for a null where none may be, and
/// for a value of another type: the statement and its reader do not fit each other.
public struct PostgresRow: Sendable {
  let storage: ResultStorage
  let row: Int32

  public func isNull(_ column: String) throws -> Bool { try bytes(at: position(column)) == nil }

  public func optionalString(_ column: String) throws -> String? {
    try bytes(at: position(column)).map { String(decoding: $0, as: UTF8.self) }
  }
  public func string(_ column: String) throws -> String { try required(optionalString(column), column) }

  public func optionalInt(_ column: String) throws -> Int64? {
    try optionalString(column).map { try parsed(Int64($0), column, "an integer") }
  }
  public func int(_ column: String) throws -> Int64 { try required(optionalInt(column), column) }

  public func optionalDouble(_ column: String) throws -> Double? {
    try optionalString(column).map { try parsed(Double($0), column, "a number") }
  }
  public func double(_ column: String) throws -> Double { try required(optionalDouble(column), column) }

  public func optionalBool(_ column: String) throws -> Bool? {
    try optionalString(column).map { try parsed($0 == "t" ? true : $0 == "f" ? false : nil, column, "a boolean") }
  }
  public func bool(_ column: String) throws -> Bool { try required(optionalBool(column), column) }

  public func optionalBytes(_ column: String) throws -> [UInt8]? {
    try bytes(at: position(column)).map { try parsed(Self.unescaped($0), column, "a bytea") }
  }
  public func bytes(_ column: String) throws -> [UInt8] { try required(optionalBytes(column), column) }

  /// The value in PostgreSQL's text form, by position; nil for null.
  public func optionalString(at position: Int) -> String? {
    precondition(storage.columns.indices.contains(position), "the result has no column \(position)")
    return bytes(at: Int32(position)).map { String(decoding: $0, as: UTF8.self) }
  }

  public func string(at position: Int) -> String {
    guard let value = optionalString(at: position) else { preconditionFailure("column \(position) is null") }
    return value
  }

  public func optionalInt(at position: Int) throws -> Int64? {
    precondition(storage.columns.indices.contains(position), "the result has no column \(position)")
    guard let digits = bytes(at: Int32(position)) else { return nil }
    return try parsed(Self.integer(digits), "\(position)", "an integer")
  }
  public func int(at position: Int) throws -> Int64 { try required(optionalInt(at: position), "\(position)") }

  /// PostgreSQL writes integers as digits with at most a minus before them.
  private static func integer(_ digits: UnsafeRawBufferPointer) -> Int64? {
    var rest = digits[...]
    let isNegative = rest.first == UInt8(ascii: "-")
    if isNegative { rest = rest.dropFirst() }
    guard !rest.isEmpty else { return nil }
    var value: Int64 = 0
    for digit in rest {
      guard digit >= UInt8(ascii: "0"), digit <= UInt8(ascii: "9") else { return nil }
      let (tens, overflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, carry) = tens.subtractingReportingOverflow(Int64(digit - UInt8(ascii: "0")))
      guard !overflow, !carry else { return nil }
      value = sum
    }
    // Gathered below zero, where there is one number more.
    return isNegative ? value : value == .min ? nil : -value
  }

  /// Valid as long as the storage lives, which `self` sees to.
  private func bytes(at position: Int32) -> UnsafeRawBufferPointer? {
    guard PQgetisnull(storage.pointer, row, position) == 0 else { return nil }
    return UnsafeRawBufferPointer(
      start: PQgetvalue(storage.pointer, row, position), count: Int(PQgetlength(storage.pointer, row, position)))
  }

  private func position(_ column: String) throws -> Int32 {
    guard let position = storage.position(of: column) else {
      throw PostgresError(.usage, operation: storage.operation, message: "the result has no column \(column)")
    }
    return position
  }

  private func required<T>(_ value: T?, _ column: String) throws -> T {
    guard let value else {
      throw PostgresError(.usage, operation: storage.operation, message: "column \(column) is null")
    }
    return value
  }

  private func parsed<T>(_ value: T?, _ column: String, _ type: String) throws -> T {
    guard let value else {
      throw PostgresError(.usage, operation: storage.operation, message: "column \(column) is not \(type)")
    }
    return value
  }

  /// The server's `bytea_output` is hex in every session of ours.
  private static func unescaped(_ text: UnsafeRawBufferPointer) -> [UInt8]? {
    guard text.count >= 2, text.count % 2 == 0, text[0] == UInt8(ascii: "\\"), text[1] == UInt8(ascii: "x") else {
      return nil
    }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count / 2 - 1)
    for index in stride(from: 2, to: text.count, by: 2) {
      guard let high = hexDigit(text[index]), let low = hexDigit(text[index + 1]) else { return nil }
      bytes.append(high << 4 | low)
    }
    return bytes
  }

  private static func hexDigit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    default: nil
    }
  }
}
