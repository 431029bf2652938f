import JobModel

/// Paths in the project, patterns of files, and paths into a document.
enum PathText {
  /// Relative and inside the project directory, so that a bundle holds whatever a definition names.
  static func projectPath(_ text: String) throws(ValueProblem) {
    guard !text.isEmpty else { throw ValueProblem("the path is empty", suggestion: "write it, or remove the key") }
    let parts = text.pathParts
    guard text.utf8.first != UInt8(ascii: "/"), !parts.contains(where: { $0.isExactly("..") }) else {
      throw ValueProblem("\"\(text)\" leads out of the project", write: "a path relative to the project directory")
    }
    guard !parts.contains(where: { $0.isEmpty || $0.isExactly(".") }), !text.utf8.contains(0) else {
      throw ValueProblem("\"\(text)\" is not a plain path", write: "names separated by single /")
    }
  }

  static func glob(_ text: String) throws(ValueProblem) {
    guard !text.isEmpty else { throw ValueProblem("the pattern is empty", write: "such as \"*.csv\"") }
    guard text.utf8.first != UInt8(ascii: "/"), !text.pathParts.contains(where: { $0.isExactly("..") }) else {
      throw ValueProblem("\"\(text)\" leads out of the source's location", write: "a pattern relative to it")
    }
  }

  /// `$`, `$.data[*]`, `$[*].items[*]`: names, and the elements of lists.
  static func jsonPath(_ text: String) throws(ValueProblem) {
    let malformed = ValueProblem(
      "\"\(text)\" is not a path into a document", write: "$, $.name or $.name[*], such as $.data[*]")
    guard text.hasPrefix("$") else { throw malformed }
    var rest = text.dropFirst()
    while !rest.isEmpty {
      if rest.hasPrefix("[*]") {
        rest = rest.dropFirst(3)
      } else {
        let name = rest.dropFirst().prefix { $0 != "." && $0 != "[" }
        guard rest.hasPrefix("."), !name.isEmpty else { throw malformed }
        rest = rest.dropFirst(1 + name.count)
      }
    }
  }

  /// `$.next`, `$.page.next`: one value, so no elements of lists.
  static func jsonField(_ text: String) throws(ValueProblem) {
    try jsonPath(text)
    guard text != "$", !text.contains("[") else {
      throw ValueProblem("\"\(text)\" is not the path of one value", write: "$.name, such as $.next")
    }
  }
}
