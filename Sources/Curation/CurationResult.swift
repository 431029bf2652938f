import DuckDB
import PipelineDefinition

/// What one version of a dataset came to.
package struct CurationResult: Sendable {
  package var files: [OutputFile]
  package var counts: CurationCounts
  /// The columns of the data files, in order, with DuckDB's types.
  package var columns: [DuckDBTable.Column]
  /// The key that rows were deduplicated by; empty where none applies.
  package var key: [String]
  /// The column that orders the versions of a row; nil where the dataset does not have it.
  package var cursor: DatasetCursor?
  /// Columns of the key by whose values newer rows replace all earlier ones.
  package var replaces: [String] = []
  package var cursorField: String? { cursor?.field }
  package var quarantine: OutputFile?
  /// Whether every quarantined row's key could be read: without it nothing may be deleted.
  package var quarantineKeysReadable: Bool
  package var events: [CurationEvent]
  /// The fields that each stream's records had this time.
  package var fields: [StreamReference: [String]]
  /// Records by raw object, the malformed ones included.
  package var recordsByObject: [Int64: Int]
  /// Segments of the streams' histories that were used and stay.
  package var keptSegments: [Int64] = []
  package var newSegments: [OutputSegment] = []
  /// What the reader said of the one stream's records, where each row comes from one of them, whatever other records there are. Only the results
  /// of such parts of a batch can be put together.
  package var content: HistoryContent?
  /// Why rows are in quarantine.
  package var badReasons: [BadReason] = []
}

/// How many rows are in quarantine for one reason; a row may have several.
package struct BadReason: Sendable, Codable, Equatable {
  package var reason: String
  package var rows: Int
}

/// A finished segment of a stream's history.
package struct OutputSegment: Sendable {
  package var stream: StreamReference
  package var path: String
  package var span: HistorySpan
  package var content: HistoryContent
}

/// The column of a dataset that orders the versions of a row, and the type of the stream's cursor.
///
/// The column itself may have another type: without a contract it is text.
package struct DatasetCursor: Sendable, Equatable {
  package var field: String
  package var type: ColumnType

  package init(field: String, type: ColumnType) {
    self.field = field
    self.type = type
  }
}

/// A finished Parquet file.
package struct OutputFile: Sendable, Equatable {
  package var path: String
  /// Such as `ordered_at_month=2024-01`; empty where the dataset is not partitioned.
  package var partition: String
  package var rows: Int
  package var bytes: Int
}

/// Where every row went: `rowsIn = rowsOut + filtered + deduplicated + quarantined`, each counted by itself.
package struct CurationCounts: Sendable, Equatable {
  package var rowsIn: Int
  package var rowsOut: Int
  /// nil where the SELECT aggregates, joins streams or multiplies rows: then the equation ends at its input.
  package var filtered: Int?
  package var deduplicated: Int
  package var quarantined: Int
}

/// Something that fails nothing and that somebody should know.
package struct CurationEvent: Sendable, Equatable {
  package enum Kind: String, Sendable {
    case newField = "new_field"
    case missingField = "missing_field"
    case extraField = "extra_field"
    case unusableField = "unusable_field"
    case droppedColumn = "dropped_column"
    case checkWarning = "check_warning"
    case unstorableValue = "unstorable_value"

    /// Whether a source changed the shape of what it delivers.
    package var isDrift: Bool { [.newField, .missingField, .extraField, .unusableField].contains(self) }
  }
  package var kind: Kind
  package var message: String
  package init(_ kind: Kind, _ message: String) {
    self.kind = kind
    self.message = message
  }
}
