/// A decimal number of any length, compared without loss. Reads `-12.50` and `1e-3`.
package struct DecimalText: Sendable, Hashable, Comparable {
  /// A number with a larger exponent is a mistake of the source. With this limit the arithmetic cannot overflow.
  private static let exponents = -999_999...999_999

  private let isNegative: Bool
  /// Significant digits without zeros at either end; empty for zero.
  private let digits: [UInt8]
  /// The value is 0.DIGITS × 10^exponent.
  private let exponent: Int

  package init?(_ text: String) {
    var rest = Array(text.utf8)[...]
    let sign = rest.first
    if sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") { rest = rest.dropFirst() }
    // Nil: out of the limits, which is no matter for zero.
    var power: Int? = 0
    if let mark = rest.firstIndex(where: { $0 | 0x20 == UInt8(ascii: "e") }) {
      var digits = rest[(mark + 1)...]
      if digits.first == UInt8(ascii: "-") || digits.first == UInt8(ascii: "+") { digits = digits.dropFirst() }
      guard !digits.isEmpty, digits.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
      power = Int(String(decoding: rest[(mark + 1)...], as: UTF8.self)).flatMap {
        Self.exponents.contains($0) ? $0 : nil
      }
      rest = rest[..<mark]
    }
    let point = rest.firstIndex(of: UInt8(ascii: ".")) ?? rest.endIndex
    var all = Array(rest[..<point])
    let whole = all.count
    if point < rest.endIndex { all += rest[(point + 1)...] }
    guard !all.isEmpty, all.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
    let leading = all.prefix { $0 == 0x30 }.count
    while all.last == 0x30 { all.removeLast() }
    digits = Array(all.dropFirst(leading))
    guard let power = digits.isEmpty ? 0 : power else { return nil }
    exponent = digits.isEmpty ? 0 : whole - leading + power
    isNegative = sign == UInt8(ascii: "-") && !digits.isEmpty
  }

  package static func < (left: DecimalText, right: DecimalText) -> Bool {
    if left.isNegative != right.isNegative { return left.isNegative }
    return left.isNegative ? right.isSmaller(than: left) : left.isSmaller(than: right)
  }

  /// Compares the magnitudes.
  private func isSmaller(than other: DecimalText) -> Bool {
    if digits.isEmpty || other.digits.isEmpty { return digits.isEmpty && !other.digits.isEmpty }
    if exponent != other.exponent { return exponent < other.exponent }
    return digits.lexicographicallyPrecedes(other.digits)
  }
}
