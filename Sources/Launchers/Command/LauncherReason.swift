/// Why a command says that it failed: the last line of its errors, short, without control characters and secrets.
struct LauncherReason {
  private static let maxCharacters = 300
  /// A shorter value would hide ordinary words.
  private static let minSecretCharacters = 4

  let text: String

  init(_ errors: [UInt8], hiding secrets: [String]) {
    // Before the text is cut into lines: a secret may have several.
    var all = String(decoding: errors, as: UTF8.self)
    // The longest first: a short one may be a part of it.
    let parts = secrets.flatMap { [$0] + $0.split(whereSeparator: \.isNewline).map(String.init) }
    for part in parts.sorted(by: { $0.count > $1.count }) where part.count >= Self.minSecretCharacters {
      all = Self.hide(part, in: all)
    }
    let lines = all.split(whereSeparator: \.isNewline).map { line in
      let plain = line.unicodeScalars.map { scalar -> Character in
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned: " "
        default: Character(scalar)
        }
      }
      return String(plain).split(separator: " ").joined(separator: " ")
    }
    let last = lines.last { !$0.isEmpty } ?? "it wrote no reason to standard error"
    text = last.count <= Self.maxCharacters ? last : String(last.prefix(Self.maxCharacters)) + "…"
  }

  private static func hide(_ part: String, in text: String) -> String {
    var rest = text[...]
    var shown = ""
    while let range = rest.firstRange(of: part) {
      shown += rest[..<range.lowerBound] + "***"
      rest = rest[range.upperBound...]
    }
    return shown + rest
  }
}
