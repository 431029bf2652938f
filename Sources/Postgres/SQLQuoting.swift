/// Quotes an identifier; the only place where one is.
///
/// - Precondition: no NUL in it: PostgreSQL would read the name up to there.
package func quoteIdentifier(_ name: String) -> String { doubled("\"", in: name) }

/// Quotes a text as a literal, for statements that take no parameters, whatever `standard_conforming_strings` says.
///
/// - Precondition: no NUL in it: PostgreSQL would read the text up to there.
package func quoteLiteral(_ text: String) -> String {
  guard text.utf8.contains(UInt8(ascii: "\\")) else { return doubled("'", in: text) }
  // The space keeps the E apart from a word before it.
  let escaped = text.split(separator: "\\", omittingEmptySubsequences: false).joined(separator: "\\\\")
  return " E" + doubled("'", in: escaped)
}

private func doubled(_ quote: Unicode.Scalar, in text: String) -> String {
  precondition(!text.utf8.contains(0), "a name or text for SQL holds a NUL")
  // By scalar, not by character: a combining mark after a quote must not hide it.
  var quoted = String.UnicodeScalarView([quote])
  for scalar in text.unicodeScalars {
    if scalar == quote { quoted.append(quote) }
    quoted.append(scalar)
  }
  quoted.append(quote)
  return String(quoted)
}
