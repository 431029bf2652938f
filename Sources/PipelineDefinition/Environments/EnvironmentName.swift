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
  /// Folders of storages: `.sluice/storage-NAME`.
  private static let reservedBeginning = "storage"

  /// Checks the name of an environment that is to be made.
  ///
  /// - Parameter others: Names of environments that were not made by `env up`: those with an overlay or with a state.
  /// - Throws: ``DefinitionError`` `environment_name`.
  package static func check(new name: String, others: some Sequence<String>) throws {
    try Project.check(environment: name)
    guard name.utf8.count <= maximumBytes else {
      throw refusal("\"\(name)\" is longer than \(maximumBytes) bytes", "choose a shorter name")
    }
    guard !name.hasPrefix(reservedBeginning) else {
      throw refusal("names that begin with \(reservedBeginning) are folders of storages", "choose another name")
    }
    let form = skeleton(name)
    for other in reserved + others where skeleton(other) == form {
      throw refusal(
        name == other ? "\"\(name)\" is not free" : "\"\(name)\" can be taken for \"\(other)\"",
        "choose a name that differs in more, such as dev-\(name.prefix(20))")
    }
  }

  /// What is left of a name when signs that look alike are one, and signs between words are gone.
  static func skeleton(_ name: String) -> [UInt8] {
    name.utf8.compactMap { byte in
      switch byte {
      case UInt8(ascii: "-"), UInt8(ascii: "_"): nil
      case UInt8(ascii: "0"): UInt8(ascii: "o")
      case UInt8(ascii: "1"), UInt8(ascii: "i"): UInt8(ascii: "l")
      case UInt8(ascii: "5"): UInt8(ascii: "s")
      default: byte
      }
    }
  }

  private static func refusal(_ message: String, _ hint: String) -> DefinitionError {
    DefinitionError(code: "environment_name", message: "the environment: \(message)", hint: hint)
  }
}
