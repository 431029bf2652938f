/// Why a command says that it failed: the last line of its errors, short, without control characters and secrets.
struct LauncherReason {
  private static let maxCharacters = 300

  let text: String

  init(_ errors: [UInt8], hiding secrets: [String]) {
    // Before the text is cut into lines: a secret may have several.
    var hidden = HiddenText(String(decoding: errors, as: UTF8.self))
    for part in Set(secrets.flatMap { SecretParts($0).parts }) { hidden.hide(part) }
    let lines = hidden.text.split(whereSeparator: \.isNewline).map { line in
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
}
