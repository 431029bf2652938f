/// Reads `${VAR}`, `secret:NAME`, `{cursor}` and `{STREAM.FIELD}` out of a text.
///
/// A brace that does not enclose a single name is an ordinary character, so that a JSON body needs no escapes.
enum TemplateText {
  /// The placeholders that have a value where the key is used.
  enum Scope: Sendable {
    /// `{env}`
    case environment
    /// `{env}`, `{run}`, `{cursor}`, `{until}`, `{STREAM.FIELD}`
    case request
    /// None.
    case none

    var placeholders: [String] {
      switch self {
      case .environment: ["env"]
      case .request: ["cursor", "env", "run", "until"]
      case .none: []
      }
    }
  }

  static func template(_ text: String, in scope: Scope, at place: Place = .unknown) throws(ValueProblem)
    -> ValueTemplate
  {
    if text.hasPrefix("secret:") { return ValueTemplate(parts: [.secret(try secretName(text))], place: place) }
    guard ![" secret:", "=secret:", ":secret:", "/secret:"].contains(where: { text.contains($0) }) else {
      throw ValueProblem(
        "a secret is the whole value, not a part of it",
        suggestion: "put the whole text into the secret and write \"secret:NAME\"")
    }
    var parts: [ValueTemplate.Part] = []
    var literal = ""
    var rest = text[...]
    while let brace = rest.firstIndex(of: "{") {
      let isVariable = rest[..<brace].hasSuffix("$")
      let inner = rest[rest.index(after: brace)...]
      let name = String(inner.prefix { $0 != "}" && $0 != "{" })
      let isClosed = inner.dropFirst(name.count).first == "}"
      literal += isVariable ? rest[..<brace].dropLast() : rest[..<brace]
      guard isVariable || (isClosed && isPlaceholder(name)) else {
        literal += "{"
        rest = inner
        continue
      }
      let part = isVariable ? try variable(name, isClosed: isClosed) : try placeholder(name, in: scope)
      if !literal.isEmpty { parts.append(.literal(literal)) }
      literal = ""
      parts.append(part)
      rest = inner.dropFirst(name.count + 1)
    }
    literal += rest
    if !literal.isEmpty || parts.isEmpty { parts.append(.literal(literal)) }
    return ValueTemplate(parts: parts, place: place)
  }

  private static func secretName(_ text: String) throws(ValueProblem) -> String {
    let name = String(text.dropFirst("secret:".count))
    guard SecretStore.isValid(name: name) else {
      throw ValueProblem(
        "this is not the name of a secret",
        suggestion: "write secret:NAME with letters, digits, _, -, . and / in the name, and put the value elsewhere")
    }
    return name
  }

  private static func variable(_ name: String, isClosed: Bool) throws(ValueProblem) -> ValueTemplate.Part {
    let isName = !name.isEmpty && name.utf8.allSatisfy(NameText.isWord) && !NameText.isDigit(name.utf8.first ?? 0)
    guard isClosed, isName else {
      throw ValueProblem(
        "\"${\" does not begin the name of an environment variable", write: "${NAME} with letters, digits and _")
    }
    return .environment(name)
  }

  private static func placeholder(_ name: String, in scope: Scope) throws(ValueProblem) -> ValueTemplate.Part {
    if scope.placeholders.contains(name) { return .placeholder(name) }
    if name.contains("."), scope == .request { return .placeholder(name) }
    let known = scope.placeholders.map { "{\($0)}" }
    if TemplateText.Scope.request.placeholders.contains(name) || name.contains(".") {
      throw ValueProblem(
        "{\(name)} has no value here",
        suggestion: known.isEmpty ? "write the value" : "only \(known.joined(separator: ", ")) has one",
        code: "placeholder")
    }
    let nearest = Spelling.nearest(to: name, in: scope.placeholders)
    throw ValueProblem(
      "unknown placeholder {\(name)}",
      suggestion: nearest.map { "did you mean {\($0)}?" }
        ?? (known.isEmpty ? "write the value" : "known here are \(known.joined(separator: ", "))"),
      code: "placeholder")
  }

  /// `cursor`, `invoices.id`: one name, or two with a dot.
  private static func isPlaceholder(_ name: String) -> Bool {
    let words = name.split(separator: ".", omittingEmptySubsequences: false)
    return (1...2).contains(words.count)
      && words.allSatisfy { word in
        guard let first = word.utf8.first else { return false }
        return word.utf8.allSatisfy(NameText.isWord) && !NameText.isDigit(first)
      }
  }
}
