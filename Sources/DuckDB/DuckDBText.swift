import JobModel

/// A text as an SQL expression for DuckDB, also one with a NUL, for which no literal has a form.
package func textExpression(_ text: String) -> String {
  guard text.utf8.contains(0) else { return quoteLiteral(text) }
  let parts = text.utf8.split(separator: 0, omittingEmptySubsequences: false).map { String(Substring($0)) }
  return "(" + parts.map(quoteLiteral).joined(separator: " || chr(0) || ") + ")"
}

/// A JSON pointer to a field of the top level. A path would give dots and quotes in the name a meaning.
package func jsonPointer(to field: String) -> String {
  "/" + field.unicodeScalars.map { $0 == "~" ? "~0" : $0 == "/" ? "~1" : String($0) }.joined()
}
