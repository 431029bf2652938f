/// Plain words that YAML 1.1 reads as something other than the text they look like.
///
/// YAML 1.2 reads them as text, other tools that read the same file may not; so each is refused with the form to
/// write. `y` and `n` are no traps: no parser in use reads them as booleans.
enum YAMLTrap {
  private static let trueWords = ["yes", "Yes", "YES", "on", "On", "ON"]
  private static let falseWords = ["no", "No", "NO", "off", "Off", "OFF"]

  /// - Returns: What is wrong with the plain scalar and what to write; nil where nothing is.
  static func problem(inValue text: String) -> ValueProblem? {
    if let value = booleanWord(text) {
      return ValueProblem(
        "\(text) without quotes is a boolean in YAML 1.1 and text in YAML 1.2",
        write: "\"\(text)\" for the text or \(value) for the boolean")
    }
    if isSexagesimal(text) {
      return ValueProblem(
        "\(text) without quotes is a number to the base 60 in YAML 1.1 and text in YAML 1.2", write: "\"\(text)\"")
    }
    if isOctal(text) {
      let digits = text.drop { $0 == "0" || $0 == "-" || $0 == "+" }
      return ValueProblem(
        "\(text) without quotes is octal in YAML 1.1 and decimal in YAML 1.2",
        write:
          "\"\(text)\" for the text or \(text.hasPrefix("-") ? "-" : "")\(digits.isEmpty ? "0" : digits) for the number"
      )
    }
    if isGroupedNumber(text) {
      return ValueProblem(
        "\(text) without quotes is a number in YAML 1.1 and text in YAML 1.2",
        write: "\"\(text)\" for the text or \(text.filter { $0 != "_" }) for the number")
    }
    return nil
  }

  static func problem(inKey text: String) -> ValueProblem? {
    if booleanWord(text) != nil {
      return ValueProblem("the key \(text) without quotes is a boolean in YAML 1.1", write: "\"\(text)\":")
    }
    if isSexagesimal(text) || isOctal(text) || isGroupedNumber(text) {
      return ValueProblem("the key \(text) without quotes is a number in YAML 1.1", write: "\"\(text)\":")
    }
    return nil
  }

  private static func booleanWord(_ text: String) -> Bool? {
    if trueWords.contains(text) { return true }
    return falseWords.contains(text) ? false : nil
  }

  /// `05:30`, `1:30:00`: digits in groups below sixty.
  private static func isSexagesimal(_ text: String) -> Bool {
    let groups = unsigned(text).split(separator: ":", omittingEmptySubsequences: false)
    guard groups.count > 1, isDigits(groups[0]) else { return false }
    return groups.dropFirst().allSatisfy { group in
      let whole = group.prefix { $0 != "." }
      return (1...2).contains(whole.utf8.count) && isDigits(whole) && (Int(whole) ?? 60) < 60
    }
  }

  private static func isOctal(_ text: String) -> Bool {
    let digits = unsigned(text)
    return digits.utf8.count > 1 && digits.hasPrefix("0") && isDigits(digits)
  }

  /// `1_000` and `0b101`.
  private static func isGroupedNumber(_ text: String) -> Bool {
    let digits = unsigned(text)
    if digits.hasPrefix("0b") { return digits.dropFirst(2).allSatisfy { "01_".contains($0) } && digits.utf8.count > 2 }
    guard let first = digits.utf8.first, NameText.isDigit(first), digits.contains("_") else { return false }
    return digits.utf8.allSatisfy { NameText.isDigit($0) || $0 == UInt8(ascii: "_") }
  }

  private static func unsigned(_ text: String) -> Substring {
    text.hasPrefix("-") || text.hasPrefix("+") ? text.dropFirst() : text[...]
  }

  private static func isDigits(_ text: Substring) -> Bool {
    !text.isEmpty && text.utf8.allSatisfy(NameText.isDigit)
  }
}
