/// Text as an attacker would write it: pieces that end a literal, a name, a line or a statement, and commands between them.
struct HostileText {
  /// A file that only a command can make.
  var canary = "PWNED"
  private var state: UInt64

  init(seed: UInt64) { state = seed &+ 0x9E37_79B9_7F4A_7C15 }

  private mutating func next(_ bound: Int) -> Int {
    // xorshift64*: the same numbers for a seed, everywhere.
    state ^= state >> 12
    state ^= state << 25
    state ^= state >> 27
    return Int((state &* 0x2545_F491_4F6C_DD1D) >> 33) % bound
  }

  private var pieces: [String] {
    [
      "'", "\"", "'\u{301}", "\"\u{301}", "\"\u{20DD}", "'\u{FE0F}", "\u{301}", "\0", "\n", "\r\n", "\r", "\t", "\\",
      "\\'", "\\\"",
      ";", ";\n", "--", "/*", "*/", "$$", "E'", "{", "}", "[", "]", "(", ")", ",", ".", "..", "/", "%", "*", "?", "~",
      "#", "@@sluice 1",
      "\n.shell touch \(canary)\n", "\n.exit 0\n", ";\n.shell touch PWNED\n", ".output \(canary)", ".print {\"a\":1}",
      "copy (select 1) to '\(canary)'", "\u{FEFF}", "\u{202E}", "\u{1B}[2J", "\u{7F}", "e\u{301}", "é", "🇨🇭",
      "\u{10FFFF}", "\u{2028}",
      "_state", "_object", "_field0", "c1", "k0", "a", " ", "NULL", "chr(0)", "\u{212A}",
    ]
  }

  mutating func text() -> String {
    let pieces = pieces
    return (0...next(6)).map { _ in pieces[next(pieces.count)] }.joined()
  }

  mutating func names(_ count: Int) -> [String] { (0..<count).map { _ in text() } }

  /// A name that a file may have. No backslash: where another part of the path is a pattern, DuckDB takes it for a separator and
  /// finds no such file.
  mutating func pathComponent() -> String {
    let bytes = text().utf8.filter { $0 != 0 && $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "\\") }
    let name = String(decoding: bytes.prefix(60), as: UTF8.self)
    return name.allSatisfy { $0 == "." } ? "f" + name : name
  }

  /// SQL, more or less.
  mutating func statement() -> String {
    switch next(5) {
    case 0: "select '\(text())' as a from orders"
    case 1: "select 1 as \"\(text())\" from orders"
    case 2: "select * from orders\(text())"
    case 3: "with a as (select '\(text())') select * from a, \"\(text())\""
    default: text()
    }
  }
}
