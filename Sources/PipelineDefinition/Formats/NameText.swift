/// The names that authors give, and how they may look.
enum NameText {
  /// PostgreSQL cuts identifiers after 63 bytes; a cut name would collide silently.
  static let maximumBytes = 63

  static func isWord(_ byte: UInt8) -> Bool {
    isLetter(byte) || isDigit(byte) || byte == UInt8(ascii: "_")
  }

  static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

  static func isLetter(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
  }
}

extension NameText {
  /// Lower-case letters, digits and `_`: the name of a source, stream or dataset is a name in SQL and in paths, and
  /// two that differ in case only would be one there.
  static func name(_ text: String) throws(ValueProblem) {
    try check(text, also: [])
  }

  /// A name that may contain `-`: of a pipeline or an environment.
  static func dashedName(_ text: String) throws(ValueProblem) {
    try check(text, also: [UInt8(ascii: "-")])
  }

  /// The name of a secret, without `secret:` before it.
  static func secretName(_ text: String) throws(ValueProblem) {
    guard SecretStore.isValid(name: text) else {
      throw ValueProblem("\"\(text)\" is not a secret's name", write: "it without secret:, such as ops/pager")
    }
  }

  /// `orders` or `public.orders`.
  static func table(_ text: String) throws(ValueProblem) -> (schema: String?, table: String) {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    let isValid =
      (1...2).contains(parts.count)
      && parts.allSatisfy { part in
        part.utf8.allSatisfy(isWord) && !part.isEmpty && !isDigit(part.utf8.first ?? 0)
      }
    guard isValid else {
      throw ValueProblem("\"\(text)\" is not a table", write: "schema.table or table, with letters, digits and _")
    }
    if let long = parts.first(where: { $0.utf8.count > maximumBytes }) {
      throw ValueProblem(
        "\"\(long)\" is longer than PostgreSQL's \(maximumBytes) bytes", suggestion: "choose a shorter name")
    }
    return parts.count == 2 ? (parts[0], parts[1]) : (nil, parts[0])
  }

  /// `source.stream`.
  static func stream(_ text: String) throws(ValueProblem) -> StreamReference {
    let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 2, parts.allSatisfy({ !$0.isEmpty }) else {
      throw ValueProblem("\"\(text)\" is not a stream", write: "source.stream")
    }
    return StreamReference(source: parts[0], stream: parts[1])
  }

  /// `customers(id)` or `branches(region, number)`.
  static func reference(_ text: String) throws(ValueProblem) -> (dataset: String, key: [String]) {
    guard let open = text.firstIndex(of: "("), text.last == ")" else {
      throw ValueProblem("\"\(text)\" is not a dataset with columns", write: "DATASET(COLUMN), such as customers(id)")
    }
    let dataset = trimmed(text[..<open])
    try name(dataset)
    let key = text[text.index(after: open)...].dropLast().split(separator: ",", omittingEmptySubsequences: false)
      .map(trimmed)
    guard key.allSatisfy({ !$0.isEmpty }) else {
      throw ValueProblem("\"\(text)\" names no column", write: "DATASET(COLUMN), such as customers(id)")
    }
    return (dataset, key)
  }

  private static func trimmed(_ text: Substring) -> String {
    let head = text.drop { $0 == " " }
    return String(head[..<(head.lastIndex { $0 != " " }.map(head.index(after:)) ?? head.startIndex)])
  }

  private static func check(_ text: String, also others: [UInt8]) throws(ValueProblem) {
    let isValid = text.utf8.allSatisfy { isDigit($0) || $0 == UInt8(ascii: "_") || isLower($0) || others.contains($0) }
    guard isValid, let first = text.utf8.first, isLower(first) else {
      let dash = others.isEmpty ? "" : ", -"
      let form = proposal(text, also: others)
      throw ValueProblem(
        "\"\(text)\" is not a name: names have lower-case letters, digits, _\(dash) and begin with a letter",
        suggestion: form.map { "write \($0)" })
    }
    guard text.utf8.count <= maximumBytes else {
      throw ValueProblem("\"\(text)\" is longer than \(maximumBytes) bytes", suggestion: "choose a shorter name")
    }
  }

  private static func isLower(_ byte: UInt8) -> Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) }

  private static func proposal(_ text: String, also others: [UInt8]) -> String? {
    let bytes = text.lowercased().utf8.map { isWord($0) || others.contains($0) ? $0 : UInt8(ascii: "_") }
    guard let first = bytes.first, isLower(first) else { return nil }
    return String(decoding: bytes, as: UTF8.self)
  }
}
