/// What libpq says about a connection, made fit to print in a line.
struct ConnectComplaint {
  /// The server's code, when the message was asked for with it.
  let sqlState: String?
  let text: String

  /// Whether a pooler refuses what PostgreSQL would take: PgBouncer words it so.
  var isFromPooler: Bool { text.contains("unsupported startup parameter") }

  /// Verbose messages read `FATAL:  28P01: …` and end with a line `LOCATION:  …`.
  init(_ message: String) {
    var lines = message.split(separator: "\n").map { $0.drop { $0 == "\t" || $0 == " " } }
    lines.removeAll { $0.hasPrefix("LOCATION:") }
    var state: String?
    lines = lines.map { line in
      guard let range = Self.state(in: line) else { return line }
      state = String(line[range].dropLast(2))
      return Substring(line[..<range.lowerBound] + line[range.upperBound...])
    }
    sqlState = state
    text = lines.joined(separator: " ")
  }

  /// Where `XXXXX: ` stands after `:  `, whatever language the word before is in.
  private static func state(in line: Substring) -> Range<Substring.Index>? {
    var start = line.startIndex
    while let colon = line[start...].firstIndex(of: ":") {
      let rest = line[line.index(after: colon)...]
      if rest.hasPrefix("  ") {
        let code = rest.dropFirst(2).prefix(5)
        let after = rest.dropFirst(7)
        if code.count == 5, code.allSatisfy({ $0.isASCII && ($0.isNumber || $0.isUppercase) }), after.hasPrefix(": ") {
          return code.startIndex..<after.index(after.startIndex, offsetBy: 2)
        }
      }
      start = line.index(after: colon)
    }
    return nil
  }
}
