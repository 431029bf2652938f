import JobModel

/// The names that environments made by `sluice env up` may have.
package enum EnvironmentName {
  /// What is made of it must fit into PostgreSQL's 63 bytes, with the control database's name.
  package static let maximumBytes = 40

  /// Words with a meaning of their own: in paths below `.sluice`, to PostgreSQL, or to people.
  private static let reserved = [
    "local", "prod", "production", "live", "main", "master", "default", "postgres", "template", "template0",
    "template1", "sluice", "all", "none",
  ]
  /// Environments of people that rely on them are often called so.
  private static let production = ["prod", "production", "prd", "live"]

  /// Checks the name of an environment that is to be made.
  ///
  /// - Parameter others: Names of environments that were not made by `env up`: those with an overlay or with a state.
  /// - Throws: ``DefinitionError`` `environment_name`.
  package static func check(new name: String, others: some Sequence<String>) throws {
    try Project.check(environment: name)
    guard name.utf8.count <= maximumBytes else {
      throw refusal("\"\(name)\" is longer than \(maximumBytes) bytes", "choose a shorter name")
    }
    let form = skeleton(name)
    for other in reserved + others where skeleton(other) == form {
      throw refusal(
        name == other ? "\"\(name)\" is not free" : "\"\(name)\" can be taken for \"\(other)\"",
        "choose a name that differs in more, such as dev or pr-123")
    }
  }

  /// Refuses a name that has the name of production, or of a protected environment, in it: as the whole, or as words of it, also with
  /// digits before or after them. `prod-eu`, `prod2` and `my-pr0d` are confused with `prod`.
  ///
  /// - Parameter protected: Names of protected environments, without this one.
  /// - Throws: ``DefinitionError`` `environment_name`.
  package static func check(new name: String, protected: some Sequence<String>) throws {
    let words = name.utf8.split { isSeparator($0) }
    for first in words.indices {
      for last in words.indices[first...] {
        let part = words[first...last].joined()
        let forms = [skeleton(part), skeleton(withoutDigits(part))]
        guard let other = (production + protected).first(where: { forms.contains(skeleton($0)) }) else { continue }
        throw refusal(
          "\"\(name)\" can be taken for \"\(other)\", which is protected",
          "choose a name without it, such as dev or pr-123")
      }
    }
  }

  /// What is left of a name when signs that look alike are one, and signs between words are gone.
  static func skeleton(_ name: String) -> [UInt8] { skeleton(name.utf8) }

  private static func skeleton(_ name: some Sequence<UInt8>) -> [UInt8] {
    var form: [UInt8] = []
    for byte in name where !isSeparator(byte) {
      form.append(alike[byte] ?? byte)
      for (pair, letter) in alikePairs where form.suffix(2) == pair[...] {
        form.replaceSubrange((form.count - 2)..., with: [letter])
      }
    }
    return form
  }

  private static func isSeparator(_ byte: UInt8) -> Bool { byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_") }

  private static func withoutDigits(_ word: some Sequence<UInt8>) -> [UInt8] {
    let bytes = Array(word)
    guard let first = bytes.firstIndex(where: { !NameText.isDigit($0) }),
      let last = bytes.lastIndex(where: { !NameText.isDigit($0) })
    else { return [] }
    return Array(bytes[first...last])
  }

  private static let alike: [UInt8: UInt8] = Dictionary(
    uniqueKeysWithValues: zip("01i258".utf8, "ollzsb".utf8).map { ($0, $1) })
  private static let alikePairs: [([UInt8], UInt8)] = [
    (Array("rn".utf8), UInt8(ascii: "m")), (Array("vv".utf8), UInt8(ascii: "w")),
  ]

  private static func refusal(_ message: String, _ hint: String) -> DefinitionError {
    DefinitionError(code: "environment_name", message: "the environment: \(message)", hint: hint)
  }
}
