import JobModel

/// Where objects or files lie: `file:PATH` now, `s3:` and `sftp:` later.
package enum LocationText {
  private static let laterSchemes = ["s3", "sftp"]

  static func template(_ text: String, at place: Place = .unknown) throws(ValueProblem) -> ValueTemplate {
    let template = try TemplateText.template(text, in: .environment, at: place)
    guard case .literal(let head) = template.parts.first else { return template }
    guard let colon = head.firstIndex(of: ":") else {
      throw ValueProblem("\"\(text)\" does not say where it is", write: "file:\(text) for a directory")
    }
    let scheme = String(head[..<colon])
    guard scheme == "file" || laterSchemes.contains(scheme) else {
      throw ValueProblem("\"\(scheme):\" is not a kind of location", write: "file:PATH for a directory")
    }
    if scheme == "file", text.utf8.count == "file:".utf8.count {
      throw ValueProblem("the location names no directory", write: "file:PATH")
    }
    if scheme == "file", leadsOut(path(of: text) ?? "") {
      throw ValueProblem("\"\(text)\" leads out of the project", suggestion: outsideHint)
    }
    return template
  }

  /// The path of a `file:` location, be it written `file:PATH` or `file://PATH`; nil for any other.
  package static func path(of location: String) -> String? {
    guard location.utf8.starts(with: "file:".utf8) else { return nil }
    var path = location.unicodeScalars.dropFirst("file:".unicodeScalars.count)
    if path.starts(with: "//".unicodeScalars) { path = path.dropFirst(2) }
    if path.count > 1, path.last == "/" { path = path.dropLast() }
    return String(path)
  }

  /// Whether the path of a `file:` location is relative and leaves the directory that it is relative to.
  package static func leadsOut(_ path: String) -> Bool {
    !path.utf8.starts(with: "/".utf8) && path.pathParts.contains { $0.isExactly("..") }
  }

  /// The way out where ``leadsOut(_:)``.
  package static let outsideHint = "write an absolute path, such as file:/data/drops"

  /// The folders that every match of a pattern lies in: `a/b` of `a/b/*.csv`; a pattern without `*` and `?` is its own head.
  package static func literalHead(ofGlob pattern: String) -> String {
    pattern.pathParts.prefix { !$0.contains("*") && !$0.contains("?") }.joined(separator: "/")
  }

  package static let withheldMessage = "secrets and the installation's state are no source"
  package static let withheldHint = "let `at` name another folder, such as file:drops"

  /// The scheme that this version cannot open; nil where it can.
  static func laterScheme(_ text: String) -> String? {
    laterSchemes.first { text.hasPrefix($0 + ":") }
  }
}
