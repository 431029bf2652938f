import DuckDB
import JobModel
import PipelineDefinition

/// Columns that data files hold as text, because engines that people have do not read them: Spark, and what is built on it, refuses
/// a file with a `uuid` or a `time`, and Polars reads `json` as bytes.
///
/// The catalog has the type of the contract, and so has the file, in its metadata. A reader of the dataset casts the text
/// back, which is also right for a file that has the type itself.
package struct TextColumns: Sendable, Equatable {
  package static let types = ["uuid", "time", "json"]
  /// The key of the file's metadata.
  static let metadataKey = "sluice_types"

  /// The contract's types by the columns' names.
  package private(set) var columns: [String: String] = [:]

  package init() {}

  package init(_ columns: some Sequence<(name: String, type: String)>, except native: Set<String> = []) {
    for (name, type) in columns {
      let type = ColumnType(duckDBName: type.uppercased()).name
      if Self.types.contains(type), !native.contains(type) { self.columns[name] = type }
    }
  }

  /// The column as a file has it.
  package func written(_ name: String) -> String {
    let column = quoteIdentifier(name)
    return columns[name] == nil ? column : "\(column)::VARCHAR as \(column)"
  }

  /// An option of COPY; empty where there is no such column.
  package var metadata: String {
    guard !columns.isEmpty else { return "" }
    let object = columns.sorted { $0.key < $1.key }.map {
      "\(DuckDBValue.text($0.key).json):\(DuckDBValue.text($0.value).json)"
    }
    return ", kv_metadata {\(Self.metadataKey): \(quoteLiteral("{\(object.joined(separator: ","))}"))}"
  }

  /// All columns of files that have these columns, in their types: the SELECT list of `read_parquet`.
  ///
  /// - Parameter isCompacted: Whether files of a compaction are among them, whose own column is left out.
  package func star(isCompacted: Bool = false) -> String {
    let star = isCompacted ? "* exclude (\(SnapshotFiles.compactedNumber))" : "*"
    guard !columns.isEmpty else { return star }
    let casts = columns.sorted { $0.key < $1.key }.map { name, type in
      "\(quoteIdentifier(name))::\(ColumnType(type).duckDBName) as \(quoteIdentifier(name))"
    }
    return "\(star) replace (\(casts.joined(separator: ", ")))"
  }
}
