/// Where objects or files lie: `file:PATH` now, `s3:` and `sftp:` later.
enum LocationText {
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
    return template
  }

  /// The scheme that this version cannot open; nil where it can.
  static func laterScheme(_ text: String) -> String? {
    laterSchemes.first { text.hasPrefix($0 + ":") }
  }
}
