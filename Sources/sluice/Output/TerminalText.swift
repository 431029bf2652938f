/// Text that a terminal shows and does not obey: the one place through which everything goes that `sluice` prints.
///
/// Control characters, which move the cursor, change the title or overwrite what was printed, and format characters, which
/// change the order of what is read (bidirectional overrides), are written as their code points: `\u{1B}`. The two joiners
/// stay, because scripts and emoji need them.
enum TerminalText {
  private static let joiners: ClosedRange<UInt32> = 0x200C...0x200D

  /// Text of several lines: ends of lines and tabs stay.
  static func lines(_ text: String) -> String {
    escaped(text) { $0 == "\n" || $0 == "\t" ? nil : "\\u{\(hexadecimal($0.value))}" }
  }

  /// Text that is one line, or a part of one, such as the cell of a table.
  static func line(_ text: String) -> String { escaped(text) { "\\u{\(hexadecimal($0.value))}" } }

  /// JSON stays the same JSON: such a character can only stand in a string, where an escape means the same.
  static func json(_ text: String) -> String {
    escaped(text) { scalar in
      scalar.value < 0x20
        ? nil : String(scalar).utf16.map { "\\u" + padded(hexadecimal(UInt32($0))) }.joined()
    }
  }

  /// - Parameter replacement: Of a character that a terminal might obey; nil: it stays.
  private static func escaped(_ text: String, _ replacement: (Unicode.Scalar) -> String?) -> String {
    // Most text is plain, and a table may be large.
    guard text.utf8.contains(where: { $0 < 0x20 || $0 >= 0x7F }) else { return text }
    var result = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      if mayBeObeyed(scalar), let replacement = replacement(scalar) {
        result.append(contentsOf: replacement.unicodeScalars)
      } else {
        result.append(scalar)
      }
    }
    return String(result)
  }

  private static func mayBeObeyed(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .lineSeparator, .paragraphSeparator: true
    case .format: !joiners.contains(scalar.value)
    default: false
    }
  }

  private static func hexadecimal(_ number: UInt32) -> String { String(number, radix: 16, uppercase: true) }
  private static func padded(_ digits: String) -> String { String(repeating: "0", count: 4 - digits.count) + digits }
}
