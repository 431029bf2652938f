import JobModel

/// How one type of a dataset travels: what DuckDB writes, what the staging column is, what a new table's column is.
///
/// Everything travels in PostgreSQL's binary COPY format. Where DuckDB's writer has no binary form of a type, or a
/// wrong one, the value travels as text and is cast when it is applied.
struct DatasetType: Sendable, Equatable {
  /// The cast in the SELECT over the Parquet file, such as `DECIMAL(18,4)`; nil: the value as JSON text.
  var duckType: String?
  /// The staging column's type; must match `duckType`'s binary form exactly.
  var stagingType: String
  /// The column's type in a table that we create.
  var targetType: PostgresType
  /// Whether the staged text must be cast to `targetType` before it is compared or stored.
  var isStagedAsText: Bool
  /// Parquet has no integer of 128 bits, and DuckDB writes a double instead: past 2^53 it is rounded, so refused.
  var isDoubleInParquet: Bool

  init(
    _ duckType: String?, staging: String, target: PostgresType? = nil, isStagedAsText: Bool = false,
    isDoubleInParquet: Bool = false
  ) {
    self.duckType = duckType
    stagingType = staging
    targetType = target ?? PostgresType(staging)
    self.isStagedAsText = isStagedAsText
    self.isDoubleInParquet = isDoubleInParquet
  }

  /// Reads a type of the contract or a DuckDB type name.
  ///
  /// - Throws: ``StageFailure`` `type_unsupported` for types that no PostgreSQL column holds without loss.
  init(parsing text: String, column: String) throws {
    let name = text.uppercased().split(separator: " ").joined(separator: " ")
    if name.hasSuffix("[]"), let element = Self.scalar(String(name.dropLast(2))), !element.isStagedAsText,
      let duckType = element.duckType, Self.arrayElements.contains(duckType)
    {
      self.init(
        duckType + "[]", staging: element.stagingType + "[]",
        target: PostgresType(element.targetType.description + "[]"))
    } else if name.hasSuffix("]") || ["STRUCT", "MAP", "UNION"].contains(where: name.hasPrefix) {
      self.init(nil, staging: "json", target: PostgresType("jsonb"))
    } else if name.hasPrefix("DECIMAL") || name.hasPrefix("NUMERIC") {
      self = try Self.decimal(name, column: column)
    } else if let scalar = Self.scalar(name) {
      self = scalar
    } else {
      throw StageFailure(
        code: "type_unsupported",
        message: "column \(column) has the type \(text), which PostgreSQL cannot hold unchanged",
        hint: "cast it in the dataset's SQL or in its columns, such as to timestamp or text")
    }
  }

  /// DuckDB writes these as arrays that PostgreSQL reads; the element of a text array is `varchar`, not `text`.
  private static let arrayElements: Set<String> = [
    "BOOLEAN", "SMALLINT", "INTEGER", "BIGINT", "FLOAT", "DOUBLE", "VARCHAR", "DATE", "TIMESTAMP", "TIMESTAMPTZ",
    "UUID",
  ]

  private static func scalar(_ name: String) -> DatasetType? {
    switch name {
    case "BOOLEAN", "BOOL", "LOGICAL": DatasetType("BOOLEAN", staging: "boolean")
    case "TINYINT", "INT1", "UTINYINT", "SMALLINT", "INT2", "SHORT": DatasetType("SMALLINT", staging: "smallint")
    case "USMALLINT", "INTEGER", "INT", "INT4", "SIGNED": DatasetType("INTEGER", staging: "integer")
    case "UINTEGER", "BIGINT", "INT8", "LONG": DatasetType("BIGINT", staging: "bigint")
    case "UBIGINT": DatasetType("DECIMAL(20,0)", staging: "numeric(20,0)")
    case "HUGEINT", "INT128", "UHUGEINT":
      DatasetType("DECIMAL(38,0)", staging: "numeric(38,0)", isDoubleInParquet: true)
    case "FLOAT", "REAL", "FLOAT4": DatasetType("FLOAT", staging: "real")
    case "DOUBLE", "FLOAT8", "DOUBLE PRECISION": DatasetType("DOUBLE", staging: "double precision")
    case "VARCHAR", "TEXT", "STRING", "CHAR", "BPCHAR":
      DatasetType("VARCHAR", staging: "varchar", target: PostgresType("text"))
    case "BLOB", "BYTEA", "BINARY", "VARBINARY": DatasetType("BLOB", staging: "bytea")
    case "DATE": DatasetType("DATE", staging: "date")
    case "TIME", "TIME WITHOUT TIME ZONE": DatasetType("TIME", staging: "time", target: PostgresType("time"))
    case "TIMETZ", "TIME WITH TIME ZONE": DatasetType("TIMETZ", staging: "timetz", target: PostgresType("timetz"))
    case "TIMESTAMP", "DATETIME", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP WITHOUT TIME ZONE":
      DatasetType("TIMESTAMP", staging: "timestamp", target: PostgresType("timestamp"))
    case "TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE":
      DatasetType("TIMESTAMPTZ", staging: "timestamptz", target: PostgresType("timestamptz"))
    case "INTERVAL": DatasetType("INTERVAL", staging: "interval")
    case "UUID": DatasetType("UUID", staging: "uuid")
    // Staged as json, because the binary form of jsonb begins with a version that DuckDB does not write.
    case "JSON": DatasetType("JSON", staging: "json", target: PostgresType("jsonb"))
    default: name.hasPrefix("ENUM") ? DatasetType("VARCHAR", staging: "varchar", target: PostgresType("text")) : nil
    }
  }

  private static func decimal(_ name: String, column: String) throws -> DatasetType {
    let inside = name.split(separator: "(").dropFirst().first?.split(separator: ")").first ?? "18,3"
    let numbers = inside.split(separator: ",").map { Int($0.filter(\.isNumber)) }
    guard let first = numbers.first, let precision = first, precision >= 1, precision <= 38,
      let scale = numbers.count > 1 ? numbers[1] : 0, scale <= precision
    else {
      throw StageFailure(
        code: "type_unsupported", message: "column \(column) has the type \(name), which is no decimal")
    }
    let target = PostgresType("numeric(\(precision),\(scale))")
    // DuckDB's writer pads the fraction to a multiple of four digits in the decimal's own integer and overflows it at
    // these scales (found by a round trip of all 741 pairs): one size up has the room, above 38 digits only text has.
    if scale == 9, precision == 9 {
      return DatasetType("DECIMAL(18,9)", staging: "numeric(18,9)", target: target)
    }
    if scale >= 17, precision <= 18 {
      return DatasetType("DECIMAL(38,\(scale))", staging: "numeric(38,\(scale))", target: target)
    }
    if scale >= 37 { return DatasetType("VARCHAR", staging: "varchar", target: target, isStagedAsText: true) }
    return DatasetType("DECIMAL(\(precision),\(scale))", staging: target.description, target: target)
  }
}
