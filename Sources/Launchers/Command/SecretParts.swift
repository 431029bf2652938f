/// What of a secret is one by itself: the whole, its lines, the password of a URL, the values of an option or a JSON object.
struct SecretParts {
  /// A value with a name like these is a secret where the text that it stands in is one. Host names and ports are none.
  private static let names = ["pass", "pwd", "secret", "token", "key", "sig", "auth", "cred"]

  private(set) var parts: [String]

  init(_ secret: String) {
    // A program that ends a text at such a character writes what is before it.
    let pieces = secret.unicodeScalars.split { !HiddenText.isVisible($0) && $0 != " " }.map { String($0) }
    parts = [secret] + pieces
    for part in [secret] + Self.credentials(secret) + Self.values(secret) {
      parts.append(part)
      if let plain = Self.withoutPercents(part) { parts.append(plain) }
    }
  }

  /// The password of `scheme://user:password@host` and of `user:password`; the user where there is no password: it is a token then.
  private static func credentials(_ secret: String) -> [String] {
    guard let scheme = secret.firstRange(of: "://") else {
      guard let colon = secret.firstIndex(of: ":") else { return [] }
      let rest = secret[secret.index(after: colon)...]
      return [String(rest)] + (rest.lastIndex(of: "@").map { [String(rest[..<$0])] } ?? [])
    }
    let rest = secret[scheme.upperBound...]
    let authority = rest.prefix { !"/?#".contains($0) }
    // A password with a slash that was not escaped reaches beyond what counts as the host.
    guard let at = authority.lastIndex(of: "@") ?? rest.lastIndex(of: "@") else { return [] }
    let user = rest[..<at]
    return [String(user.firstIndex(of: ":").map { user[user.index(after: $0)...] } ?? user)]
  }

  /// The values with the name of a secret, as in `password=x`, `?token=x&y=z` and `{"key": "x"}`.
  private static func values(_ secret: String) -> [String] {
    var values: [String] = []
    var isNext = false
    for word in secret.split(whereSeparator: { $0.isWhitespace || "&;,?\"'{}()".contains($0) }) {
      let name = word.prefix { !"=:".contains($0) }
      let value = word.dropFirst(name.count + 1)
      if name.isEmpty, value.isEmpty { continue }
      if isNext {
        values.append(String(name.isEmpty ? value : word))
        isNext = false
      } else if isSecret(name) {
        if value.isEmpty { isNext = true } else { values.append(String(value)) }
      }
    }
    return values
  }

  private static func isSecret(_ name: Substring) -> Bool {
    let name = name.lowercased()
    return names.contains { name.contains($0) }
  }

  /// Nil where nothing is escaped.
  private static func withoutPercents(_ text: String) -> String? {
    guard text.contains("%") else { return nil }
    var bytes: [UInt8] = []
    var rest = Array(text.utf8)[...]
    while let byte = rest.popFirst() {
      if byte == UInt8(ascii: "%"), rest.count >= 2,
        let escaped = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
      {
        bytes.append(escaped)
        rest = rest.dropFirst(2)
      } else {
        bytes.append(byte)
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}

/// A text of which parts are hidden, wherever a part stands: with spaces, ends of lines and control characters between its characters as well.
struct HiddenText {
  private static let mask = "***"
  /// A shorter value would hide ordinary words.
  private static let minCharacters = 4

  private let scalars: [Unicode.Scalar]
  /// The places of the visible ones.
  private let places: [Int]
  private var isHidden: [Bool]

  init(_ text: String) {
    scalars = Array(text.unicodeScalars)
    places = scalars.indices.filter { [scalars] in Self.isVisible(scalars[$0]) }
    isHidden = Array(repeating: false, count: scalars.count)
  }

  mutating func hide(_ part: String) {
    let part = part.unicodeScalars.filter(Self.isVisible)
    guard part.count >= Self.minCharacters, part.count <= places.count else { return }
    let sought = Array(part)
    for start in 0...(places.count - sought.count)
    where sought.indices.allSatisfy({ scalars[places[start + $0]] == sought[$0] }) {
      for place in places[start]...places[start + sought.count - 1] { isHidden[place] = true }
    }
  }

  var text: String {
    var shown = String.UnicodeScalarView()
    for (index, scalar) in scalars.enumerated() {
      if !isHidden[index] {
        shown.append(scalar)
      } else if index == 0 || !isHidden[index - 1] {
        shown.append(contentsOf: Self.mask.unicodeScalars)
      }
    }
    return String(shown)
  }

  /// Neither a space, nor a control character, nor in the place of a byte that is no text.
  static func isVisible(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .spaceSeparator, .surrogate, .privateUse, .unassigned:
      false
    default: scalar != "\u{fffd}"
    }
  }
}
