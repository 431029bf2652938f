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
  static let all: Set<String> = [object, position, run, runAt, record, cursor]
  /// Columns of the tables between the SELECT and the files. DuckDB takes the first of two columns with one name, so a field of
  /// such a name could pass for a verdict.
  private static let inner: Set<String> = ["_row", "_reasons", "_original", "_new", "_snapshot"]
  private static let innerPrefix = Array("_sluice_".utf8)
  private static let reserved = Set(all.map(SQLName.init))
  private static let reservedInner = Set(inner.map(SQLName.init))

  static func isReserved(_ name: String) -> Bool { reserved.contains(SQLName(name)) || isInner(name) }

  /// Whether no SELECT may give a column of this name.
  static func isInner(_ name: String) -> Bool { reservedInner.contains(SQLName(name)) || hasInnerPrefix(name) }

  static func hasInnerPrefix(_ name: String) -> Bool {
    let bytes = name.utf8.prefix(innerPrefix.count).map { (0x41...0x5A).contains($0) ? $0 + 0x20 : $0 }
    return bytes == innerPrefix
  }
}

/// The table of the scratch database with the good records of one stream; a view of the reader's files where they are read once.
///
/// Its columns are `_object`, `_position`, `_record` where it is kept, and the fields as text, each as it is in raw: a scalar's
/// own text, an object or a list as JSON.
struct RecordTable: Sendable {
  /// `"raw"."due_0"`.
  let name: String
  let stream: CurationStream
  var fields: [Field] = []
  var keepsRecords = false
  /// The run that brought all of its records, with its time; nil where several did.
  var onlyRun: (id: Int64, at: String)?

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

  /// The expression of one field, typed by the stream's `columns`.
  func expression(_ field: Field) -> String {
    guard let type = field.type, type != .text else { return field.column }
    return TypeCast(column: field.column, from: "VARCHAR", to: type, sourceTimezone: nil).value
  }

  /// Whether one field breaks its type.
  func typeViolation(_ field: Field) -> String? {
    guard let type = field.type, type != .text else { return nil }
    return TypeCast(column: field.column, from: "VARCHAR", to: type, sourceTimezone: nil).violation
  }

  /// SELECT list and source of the good records with their place in raw; the base of every view.
  var goodRecords: String {
    var columns = fields.map { "\(expression($0)) as \(quoteIdentifier($0.name))" }
    columns += ["_object", "_position", "_run", "_run_at"]
    if isJSON { columns.append(keepsRecords ? SystemColumn.record : "null::VARCHAR as \(SystemColumn.record)") }
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
    if let onlyRun {
      return """
        select *, \(onlyRun.id)::BIGINT as _run, \(quoteLiteral(onlyRun.at))::TIMESTAMPTZ as _run_at from \(name)
        """
    }
    return """
      select r.*, o.run as _run, o.run_at as _run_at from \(name) r join raw.objects o on o.id = r._object
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
    let record = isJSON && keepsRecords ? SystemColumn.record : "json_object(\(pairs))"
    let key = stream.definition.key.compactMap { name in
      fields.first { SQLName($0.name) == SQLName(name) }.map { (quoteLiteral(name), $0.column) }
    }
    let keyText =
      key.isEmpty || key.count < stream.definition.key.count || hidesValues
      ? "null" : Quarantine.keyObject(key)
    return """
      insert into raw.rejects
      select \(index), _object, _position, null, null,
        list_filter([\(reasons.joined(separator: ", "))], lambda r: r is not null),
        \(hidesValues ? "null" : record), \(keyText)
      from (\(placedRecords)) where \(violations.joined(separator: " or "))
      """
  }

  private func cursorExpression(_ cursor: Cursor) -> String {
    guard let field = fields.first(where: { SQLName($0.name) == SQLName(cursor.field) }) else {
      return "null::\(CursorOrder(cursor).duckDBType)"
    }
    return CursorOrder(cursor).expression(field.column, type: "VARCHAR")
  }
}
