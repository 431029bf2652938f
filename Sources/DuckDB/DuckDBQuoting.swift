/// A name as SQL writes it, whatever it contains.
package func sqlIdentifier(_ name: String) -> String {
  "\"" + name.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
}

/// A text as SQL writes it, whatever it contains. DuckDB knows no backslash escapes in plain literals.
///
/// A NUL, which ends the text for DuckDB's parser, is spliced in with `chr(0)`.
package func sqlLiteral(_ text: String) -> String {
  let quoted = text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "''")
  guard quoted.utf8.contains(0) else { return "'\(quoted)'" }
  let parts = quoted.split(separator: "\0", omittingEmptySubsequences: false).map { "'\($0)'" }
  return "(" + parts.joined(separator: " || chr(0) || ") + ")"
}

/// A list of texts as SQL writes it.
package func sqlList(_ texts: some Sequence<String>) -> String {
  "[" + texts.map(sqlLiteral).joined(separator: ", ") + "]"
}
