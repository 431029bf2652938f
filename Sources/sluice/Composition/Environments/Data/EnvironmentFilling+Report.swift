import JobModel

/// What an environment that was made contains, for people and scripts.
extension EnvironmentFilling.Outcome {
  var json: [(String, JSONValue)] {
    guard !contents.isEmpty || !leftOut.isEmpty || !raw.isEmpty || cursors > 0 else { return [] }
    return [
      ("datasets", .list(contents.map { $0.json("dataset") })), ("raw", .list(raw.map { $0.json("stream") })),
      ("cursors", .int(Int64(cursors))),
      ("left_out", .list(leftOut.map { .object([("name", .text($0.name)), ("reason", .text($0.reason))]) })),
    ]
  }

  /// With a line break after each line.
  var text: String {
    var parts: [String] = []
    if !contents.isEmpty { parts.append(table("dataset", "rows", contents)) }
    if !raw.isEmpty { parts.append(table("raw of", "records", raw)) }
    if cursors > 0 { parts.append("\(cursors) cursor(s)") }
    parts += leftOut.map { TerminalText.line("left out: \($0.name): \($0.reason)") }
    return parts.map { $0 + "\n" }.joined()
  }

  private func table(_ name: String, _ unit: String, _ contents: [EnvironmentFilling.Content]) -> String {
    let rows = contents.map { content in
      [
        content.dataset, "\(content.rows)", content.rowsBefore.map { "\($0)" } ?? "", "\(content.bytes)",
        "\(content.bytesBefore)",
      ]
    }
    return TextTable([name, unit, "of", "bytes", "of"], rows).text
  }
}

extension EnvironmentFilling.Content {
  fileprivate func json(_ name: String) -> JSONValue {
    .object([
      (name, .text(dataset)), ("rows", .int(rows)), ("bytes", .int(bytes)), ("rows_before", .optional(rowsBefore)),
      ("bytes_before", .int(bytesBefore)),
    ])
  }
}
