import DuckDB
import JobModel
import PipelineDefinition

/// Columns that Sluice adds to every stream's view; a field of the same name is read under another one.
enum SystemColumn {
  static let object = "_object"
  static let position = "_position"
  static let run = "_run"
  static let runAt = "_run_at"
  static let record = "_record"
  /// The stream's cursor, typed; orders the versions of a row.
  static let cursor = "_cursor"
  static let all: Set<String> = [
    object, position, run, runAt, record, cursor, "_n", "_state", "_line", "_fields", "_ordinal",
  ]
  private static let reserved = Set(all.map(SQLName.init))

  static func isReserved(_ name: String) -> Bool { reserved.contains(SQLName(name)) }
}

/// The table of the scratch database that holds the records of one stream.
///
/// Records are read from the raw files once; everything after reads this table. A CSV stream's table has its fields
/// as text; a JSON stream's has the record, and the view takes it apart.
struct RecordTable: Sendable {
  /// What becomes of a record: the values of the column `_state`.
  enum State: Int {
    case good = 0
    /// Malformed: quarantined.
    case bad = 1
    /// An empty line: not a record.
    case blank = 2
  }

  /// `"raw"."due_0"`.
  let name: String
  let stream: CurationStream
  var fields: [Field] = []

  /// A field of the stream. Its name may come from data, so the tables that hold records know it by a generated name; only the
  /// views that SQL sees have its own.
  struct Field: Sendable, Equatable {
    var name: String
    var type: ColumnType?
    /// `_field0`, `_field1`, …
    var column: String
  }

  var isJSON: Bool {
    switch stream.definition.records {
    case .json, .ndjson: true
    case .csv, .bytes: false
    }
  }

  /// The field as it is in raw: a scalar as text, an object or a list as JSON.
  private func text(of field: Field) -> String {
    isJSON ? "struct_extract(_fields, \(quoteLiteral(field.name)))" : field.column
  }

  /// A JSON record taken apart in one go: to parse it again for each of its fields takes three times as long.
  private var takenApart: String {
    guard !fields.isEmpty else { return "null" }
    // No dictionary: to Swift two names may be equal whose bytes are not.
    let shape = fields.map { "\(DuckDBValue.text($0.name).json): \"VARCHAR\"" }.joined(separator: ", ")
    return "from_json(\(Self.exactNumbers("r._record")), \(quoteLiteral("{\(shape)}")))"
  }

  /// The expression of one field, typed by the stream's `columns`.
  func expression(_ field: Field) -> String {
    let text = text(of: field)
    guard let type = field.type, type != .text else { return text }
    return TypeCast(column: text, from: "VARCHAR", to: type, sourceTimezone: nil).value
  }

  /// Whether one field breaks its type.
  func typeViolation(_ field: Field) -> String? {
    let text = text(of: field)
    guard let type = field.type, type != .text else { return nil }
    return TypeCast(column: text, from: "VARCHAR", to: type, sourceTimezone: nil).violation
  }

  /// SELECT list and source of the good records with their place in raw; the base of every view.
  ///
  /// A number with more than 17 significant digits is made text first: DuckDB's JSON reader would round it.
  var goodRecords: String {
    var columns = fields.map { "\(expression($0)) as \(quoteIdentifier($0.name))" }
    columns += ["_object", "_position", "_run", "_run_at"]
    if isJSON { columns.append("_record") }
    if let cursor = stream.definition.cursor {
      columns.append("\(cursorExpression(cursor)) as \(SystemColumn.cursor)")
    }
    return """
      select \(columns.joined(separator: ", "))
      from (\(placedRecords))
      \(violations.isEmpty ? "" : "where not (\(violations.joined(separator: " or ")))")
      """
  }

  /// Every good record with its place, the fields still as they are in raw.
  var placedRecords: String {
    let fields =
      isJSON ? "r._record, \(takenApart) as _fields" : "r.* exclude (_object, _n, _state)"
    return """
      select \(fields), r._object, r._n - o.base as _position, o.run as _run, o.run_at as _run_at,
        o.ordinal as _ordinal
      from \(name) r join raw.objects o on o.id = r._object
      where r._state = 0
      """
  }

  var violations: [String] { fields.compactMap(typeViolation) }

  /// Moves records whose fields break the stream's own types to the rejects; nil where no field has a type.
  ///
  /// - Parameter hidesValues: A masked dataset keeps no record's text.
  func takeTypeViolations(stream index: Int, hidesValues: Bool) -> String? {
    let reasons = fields.compactMap { field in
      typeViolation(field).map { "case when \($0) then \(quoteLiteral("\(field.name):type")) end" }
    }
    guard !reasons.isEmpty else { return nil }
    let pairs = fields.map { "\(quoteLiteral($0.name)), \($0.column)" }.joined(separator: ", ")
    let record = isJSON ? "_record" : "json_object(\(pairs))"
    let key = stream.definition.key.compactMap { name in
      fields.first { SQLName($0.name) == SQLName(name) }.map { field in
        (quoteLiteral(name), text(of: field))
      }
    }
    let keyText =
      key.isEmpty || key.count < stream.definition.key.count || hidesValues
      ? "null" : Quarantine.keyObject(key)
    return """
      insert into raw.rejects
      select \(index), _object, _position, null, null,
        list_filter([\(reasons.joined(separator: ", "))], lambda r: r is not null),
        \(hidesValues ? "null" : record), \(keyText), null
      from (\(placedRecords)) where \(violations.joined(separator: " or "))
      """
  }

  private func cursorExpression(_ cursor: Cursor) -> String {
    guard let field = fields.first(where: { SQLName($0.name) == SQLName(cursor.field) }) else {
      return "null::\(cursor.type.duckDBName)"
    }
    let text = text(of: field)
    return "try_cast(\(text) as \(cursor.type.duckDBName))"
  }

  /// The record with every number of more than 17 digits made a text, token by token; other records unchanged.
  static func exactNumbers(_ record: String) -> String {
    let number = #"^-?[0-9]+\.[0-9]+([eE][-+]?[0-9]+)?$"#
    let token = #""(?:[^"\\]|\\.)*"|-?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?|[^"0-9-]+|-"#
    return """
      case when regexp_matches(\(record), '[0-9.]{18}') then
        array_to_string(list_transform(regexp_extract_all(\(record), \(quoteLiteral(token))),
          lambda t: case when length(t) > 17 and regexp_matches(t, \(quoteLiteral(number)))
            then '"' || t || '"' else t end), '')
      else \(record) end
      """
  }
}
