/// The last wall in front of DuckDB's shell, which takes a line that begins with a dot for a command of its own.
///
/// Quoting keeps outside text out of the statements' structure, and safe mode refuses the commands that do harm. This check
/// does not depend on either: a text with such a line, or with a NUL that would end it early, is never sent.
enum ShellWall {
  /// - Throws: ``DuckDBError`` `.sql`.
  static func check(_ script: String) throws(DuckDBError) {
    var startsLine = true
    for byte in script.utf8 {
      if byte == 0 {
        throw DuckDBError(.sql, "the SQL holds a NUL character", hint: "take it out; chr(0) writes one")
      }
      if startsLine, byte == UInt8(ascii: ".") {
        throw DuckDBError(
          .sql, "a line of the SQL begins with a dot",
          hint: "put a space before the dot; in a text, write chr(10) || '.'")
      }
      startsLine = byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r")
    }
  }
}
