import DuckDB
import JobModel

/// The quarantined rows of a snapshot: a Parquet file whose column `key` holds each row's key as a JSON object.
enum QuarantineFile {
  /// A SELECT of the key columns, as text, in the key's order.
  static func selectKeys(_ key: [String], path: String) -> String {
    let values = key.map { column in
      "json_extract_string(key, [\(quoteLiteral(jsonPointer(to: column)))])[1] as \(quoteIdentifier(column))"
    }
    let source = "read_parquet(\(quoteLiteral(path)), hive_partitioning = false)"
    return "select distinct \(values.joined(separator: ", ")) from \(source)"
  }
}
