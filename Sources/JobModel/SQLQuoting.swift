/// Quotes a name as an SQL identifier, for PostgreSQL and for DuckDB. The product has no other function for it.
///
/// Works on bytes. A `Character` may be a quote with a combining mark, which is not equal to the quote, and would stay
/// single.
///
/// A NUL stays as it is: neither engine has a form for it. Whatever sends a statement refuses one with a NUL, because the
/// engine would read the statement up to there only.
package func quoteIdentifier(_ name: String) -> String {
  let quote = UInt8(ascii: "\"")
  var bytes: [UInt8] = [quote]
  bytes.reserveCapacity(name.utf8.count + 2)
  for byte in name.utf8 {
    if byte == quote { bytes.append(quote) }
    bytes.append(byte)
  }
  bytes.append(quote)
  return String(decoding: bytes, as: UTF8.self)
}

/// Quotes a text as an SQL literal, for PostgreSQL whatever `standard_conforming_strings` says, and for DuckDB. The product
/// has no other function for it.
///
/// Control characters and backslashes are written as escapes, so that no literal spans lines: a program that reads
/// statements line by line never sees a line that begins with outside text. A NUL stays as it is; see
/// ``quoteIdentifier(_:)``.
package func quoteLiteral(_ text: String) -> String {
  let quote = UInt8(ascii: "'")
  let backslash = UInt8(ascii: "\\")
  func isEscaped(_ byte: UInt8) -> Bool { byte == backslash || byte == 0x7F || (1..<0x20).contains(byte) }
  // The space keeps the E apart from a word before it.
  var bytes: [UInt8] = text.utf8.contains(where: isEscaped) ? Array(" E'".utf8) : [quote]
  bytes.reserveCapacity(bytes.count + text.utf8.count + 1)
  for byte in text.utf8 {
    switch byte {
    case quote, backslash: bytes += [byte, byte]
    case _ where isEscaped(byte): bytes += [backslash, UInt8(ascii: "x"), hexDigit(byte >> 4), hexDigit(byte & 15)]
    default: bytes.append(byte)
    }
  }
  bytes.append(quote)
  return String(decoding: bytes, as: UTF8.self)
}

/// Quotes texts as a list of literals, for DuckDB.
package func quoteList(_ texts: some Sequence<String>) -> String {
  "[" + texts.map(quoteLiteral).joined(separator: ", ") + "]"
}

private func hexDigit(_ nibble: UInt8) -> UInt8 {
  nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") + nibble - 10
}
