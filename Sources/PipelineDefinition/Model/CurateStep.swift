/// One dataset: what it is made from, and the contract its rows must keep.
package struct CurateStep: Sendable, Equatable {
  /// The dataset's name.
  package var name: String
  package var from: [StreamReference]
  /// Path of a file with one SELECT, relative to the project directory; nil: the one stream as it is.
  package var sqlPath: String?
  /// What identifies a row; empty: its stream's key, where the dataset has it.
  package var key: [String]
  /// Columns of the key that name a row's parent: the rows of a parent's newest record replace all its earlier rows.
  package var replaces: [String]
  /// Which rows a SELECT sees that is not row by row; nil: it is row by row, or every stream is read full.
  package var over: SelectedRows?
  package var columns: [ContractColumn]
  /// What becomes of columns of the SELECT that `columns` does not list.
  package var extra: ExtraColumns
  package var drift: DriftPolicy
  package var badRows: BadRowsPolicy
  /// A run that brought records and leaves fewer rows than this fails; nil: no such limit.
  package var minRows: Int?
  package var checks: [DatasetCheck]
  package var partitionBy: [Partition]
  package var files: FileLayout
  /// Of `uuid`, `time` and `json` those that data files hold as such, not as text.
  package var nativeTypes: Set<String>
  /// Keys of datasets that its rows name; those of its columns too.
  package var references: [DatasetReference]
  package var place: Place

  package init(
    name: String, from: [StreamReference], sqlPath: String? = nil, key: [String] = [], replaces: [String] = [],
    over: SelectedRows? = nil,
    columns: [ContractColumn] = [],
    extra: ExtraColumns = .fail, drift: DriftPolicy = DriftPolicy(), badRows: BadRowsPolicy = BadRowsPolicy(),
    minRows: Int? = nil,
    checks: [DatasetCheck] = [],
    partitionBy: [Partition] = [], files: FileLayout = FileLayout(), nativeTypes: Set<String> = [],
    references: [DatasetReference] = [], place: Place = .unknown
  ) {
    self.name = name
    self.from = from
    self.sqlPath = sqlPath
    self.key = key
    self.replaces = replaces
    self.over = over
    self.columns = columns
    self.extra = extra
    self.drift = drift
    self.badRows = badRows
    self.minRows = minRows
    self.checks = checks
    self.partitionBy = partitionBy
    self.files = files
    self.nativeTypes = nativeTypes
    self.references = references
    self.place = place
  }
}

/// Which rows of its incremental streams a dataset's SELECT sees.
package enum SelectedRows: String, Sendable {
  /// Everything that the streams ever brought, at each run. The dataset is full: each snapshot replaces the last.
  case all
  /// What is new since the last run.
  case batch
}

/// Columns of the SELECT's result that the contract does not list.
package enum ExtraColumns: String, Sendable {
  /// The run fails, and nothing is committed.
  case fail
  /// They are left out, and the run has an event of each.
  case drop
}

package struct StreamReference: Sendable, Hashable, CustomStringConvertible {
  package var source: String
  package var stream: String
  package init(source: String, stream: String) {
    self.source = source
    self.stream = stream
  }
  package var description: String { "\(source).\(stream)" }
}

package struct ContractColumn: Sendable, Equatable {
  package var name: String
  package var type: ColumnType
  package var required: Bool
  /// Whether the column may be absent from the input; its values are null then.
  package var optional: Bool
  /// Inclusive bounds, as written; compared in the column's type.
  package var min: String?
  package var max: String?
  package var oneOf: [String]
  package var pattern: String?
  /// For `timestamptz` from text without an offset.
  package var sourceTimezone: String?
  /// Whether a `double` or `real` may round the text; otherwise such a text breaks the contract.
  package var isLossy: Bool
  package var mask: Mask?
  /// Whether environments that `env up` makes with data have a keyed hash in its place. The dataset itself has the value.
  package var isMaskedInCopies = false
  package var place: Place

  package init(
    name: String, type: ColumnType, required: Bool = false, optional: Bool = false, min: String? = nil,
    max: String? = nil,
    oneOf: [String] = [],
    pattern: String? = nil, sourceTimezone: String? = nil, isLossy: Bool = false, mask: Mask? = nil,
    place: Place = .unknown
  ) {
    self.name = name
    self.type = type
    self.required = required
    self.optional = optional
    self.min = min
    self.max = max
    self.oneOf = oneOf
    self.pattern = pattern
    self.sourceTimezone = sourceTimezone
    self.isLossy = isLossy
    self.mask = mask
    self.place = place
  }
}

package struct Mask: Sendable, Equatable {
  package enum Kind: String, Sendable { case sha256 }
  package var kind: Kind
  package var salt: ValueTemplate?
  package init(kind: Kind, salt: ValueTemplate? = nil) {
    self.kind = kind
    self.salt = salt
  }
}

package struct DriftPolicy: Sendable, Equatable {
  package enum NewColumn: String, Sendable {
    case keepInRaw = "keep_in_raw"
    case fail
  }
  package enum MissingColumn: String, Sendable { case event, fail }
  package enum TypeChange: String, Sendable { case quarantine, fail }
  package var newColumn: NewColumn
  package var missingColumn: MissingColumn
  package var typeChange: TypeChange
  package init(
    newColumn: NewColumn = .keepInRaw, missingColumn: MissingColumn = .event, typeChange: TypeChange = .quarantine
  ) {
    self.newColumn = newColumn
    self.missingColumn = missingColumn
    self.typeChange = typeChange
  }
}

package struct BadRowsPolicy: Sendable, Equatable {
  /// Share of the rows read, 0...1; nil: no limit.
  package var stopOver: Double?
  package init(stopOver: Double? = nil) { self.stopOver = stopOver }
}

package struct DatasetCheck: Sendable, Equatable {
  package enum Rule: Sendable, Equatable {
    case unique([String])
    /// Allowed relative change of the row count against the snapshot before, such as -0.2...0.5.
    case rowsChange(ClosedRange<Double>)
    case sql(String, expect: String)
  }
  package enum Severity: String, Sendable { case fail, warn }
  package var rule: Rule
  package var severity: Severity
  package var place: Place
  package init(rule: Rule, severity: Severity = .fail, place: Place = .unknown) {
    self.rule = rule
    self.severity = severity
    self.place = place
  }
}

package struct Partition: Sendable, Equatable {
  package enum Transform: String, Sendable { case value, day, month, year }
  package var transform: Transform
  package var column: String
  package init(transform: Transform, column: String) {
    self.transform = transform
    self.column = column
  }
}

package struct FileLayout: Sendable, Equatable {
  package var targetBytes: Int
  package var sort: [String]
  package init(targetBytes: Int = 256 * 1_000_000, sort: [String] = []) {
    self.targetBytes = targetBytes
    self.sort = sort
  }
}

/// A SQL type of the contract, normalised to lower case: `text`, `bigint`, `integer`, `smallint`, `double`, `real`,
/// `boolean`, `decimal(p,s)`, `date`, `time`, `timestamp`, `timestamptz`, `uuid`, `json`, `bytea`.
package struct ColumnType: Sendable, Hashable, CustomStringConvertible {
  package var name: String
  package init(_ name: String) { self.name = name }
  package var description: String { name }

  package static let text = ColumnType("text")
}
