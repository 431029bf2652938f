import PipelineDefinition

/// A cursor's value in its type, so that `9` comes before `10` and an instant is the same in every notation: the rule of `CursorKind`.
package enum CursorValue: Sendable, Hashable {
  case integer(Int64)
  case decimal(DecimalText)
  /// Of a time without an offset too: it is in the zone of the given clock, or in UTC.
  case instant(Instant)
  case text(String)

  /// Reads a value as the type says; nil where it is none of that type.
  ///
  /// - Parameter clock: Of times without an offset; nil: UTC.
  package init?(_ text: String, type: ColumnType, clock: LocalClock? = nil) {
    let kind = CursorKind(type)
    guard (1...CursorKind.maximumBytes).contains(text.utf8.count) else { return nil }
    let text = kind.significant(text)
    switch kind {
    case .integer:
      guard let number = Int64(text) else { return nil }
      self = .integer(number)
    case .decimal:
      guard let number = DecimalText(text) else { return nil }
      self = .decimal(number)
    case .instant:
      guard let instant = Instant(text) else { return nil }
      guard let clock, !Instant.hasOffset(text) else {
        self = .instant(instant)
        return
      }
      guard let zoned = clock.instant(of: instant) else { return nil }
      self = .instant(zoned)
    case .uuid:
      guard let digits = Self.uuidDigits(text) else { return nil }
      self = .text(digits)
    case .text:
      self = .text(text)
    }
  }

  /// The 32 digits of a uuid in lower case.
  private static func uuidDigits(_ text: String) -> String? {
    var bytes = Array(text.utf8)
    let isInBraces = bytes.first == UInt8(ascii: "{") && bytes.last == UInt8(ascii: "}")
    if isInBraces { bytes = bytes.dropFirst().dropLast() }
    let hyphens = [8, 13, 18, 23]
    if bytes.count == 36, hyphens.allSatisfy({ bytes[$0] == UInt8(ascii: "-") }) {
      for index in hyphens.reversed() { bytes.remove(at: index) }
    } else if isInBraces {
      return nil
    }
    let digits = bytes.map { (0x41...0x46).contains($0) ? $0 + 0x20 : $0 }
    guard digits.count == 32, digits.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }) else {
      return nil
    }
    return String(decoding: digits, as: UTF8.self)
  }
}

extension CursorValue: Comparable {
  package static func < (left: CursorValue, right: CursorValue) -> Bool {
    switch (left, right) {
    case (.integer(let left), .integer(let right)): left < right
    case (.decimal(let left), .decimal(let right)): left < right
    case (.instant(let left), .instant(let right)): left < right
    case (.text(let left), .text(let right)): left.utf8.lexicographicallyPrecedes(right.utf8)
    default: preconditionFailure("the values of one cursor are of one type")
    }
  }
}
