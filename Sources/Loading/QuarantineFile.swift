import DuckDB

/// The quarantined rows of a snapshot: a Parquet file whose column `key` holds each row's key as a JSON object.
enum QuarantineFile {
  /// A SELECT of the key columns, as text, in the key's order.
  static func selectKeys(_ key: [String], path: String) -> String {
    let values = key.map { column in
      "json_extract_string(key, [\(sqlLiteral(pointer(column)))])[1] as \(sqlIdentifier(column))"
    }
    return "select distinct \(values.joined(separator: ", ")) from read_parquet(\(sqlLiteral(path)))"
  }

  /// A JSON pointer: a path would read dots and quotes in a column's name.
  private static func pointer(_ column: String) -> String {
    "/" + column.map { $0 == "~" ? "~0" : $0 == "/" ? "~1" : String($0) }.joined()
  }
}
