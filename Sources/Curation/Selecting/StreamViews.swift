import DuckDB
import JobModel
import PipelineDefinition

/// How SQL calls the streams of a step.
enum StreamViews {
  /// `source.stream` always; the stream's own name too, where no other source has one of that name.
  static func names(of streams: [StreamReference]) -> [StreamReference: [String]] {
    var byName: [SQLName: Int] = [:]
    for stream in Set(streams) { byName[SQLName(stream.stream), default: 0] += 1 }
    return Dictionary(
      uniqueKeysWithValues: Set(streams).map { stream in
        let isShared = byName[SQLName(stream.stream), default: 0] > 1
        return (stream, (isShared ? [] : [stream.stream]) + [stream.description])
      })
  }

  /// The columns of a stream's view as definitions of a table's: what `check` binds a SELECT to.
  static func emptyColumns(of stream: PipelineDefinition.Stream, fields: [String]) -> [String] {
    var taken: Set<SQLName> = []
    var columns: [String] = []
    for name in fields where !SystemColumn.isReserved(name) && taken.insert(SQLName(name)).inserted {
      let type = stream.columns.first { SQLName($0.name) == SQLName(name) }?.type ?? .text
      columns.append("\(quoteIdentifier(name)) \(type.duckDBName)")
    }
    columns += ["_object BIGINT", "_position BIGINT", "_run BIGINT", "_run_at TIMESTAMPTZ"]
    if case .csv = stream.records {} else { columns.append("\(SystemColumn.record) VARCHAR") }
    if let cursor = stream.cursor { columns.append("\(SystemColumn.cursor) \(CursorOrder(cursor.type).duckDBType)") }
    return columns
  }

  /// The views of one loaded stream.
  ///
  /// - Parameters:
  ///   - absent: Fields that the SELECT reads from a stream that has delivered no record yet.
  ///   - isLatest: Only the latest row of each key.
  static func statements(
    _ table: RecordTable, names: [String], absent: [String] = [], isLatest: Bool = false
  ) -> [String] {
    guard !isLatest else {
      let latest = "work.\(quoteIdentifier("latest " + table.stream.reference.description))"
      return ["create table \(latest) as \(latestRows(of: records(table, absent: absent), table.stream.definition))"]
        + names.map { "create view main.\(quoteIdentifier($0)) as from \(latest)" }
    }
    return names.map { "create view main.\(quoteIdentifier($0)) as \(records(table, absent: absent))" }
  }

  /// The last version of each key: by cursor, then run, then position.
  private static func latestRows(of records: String, _ stream: PipelineDefinition.Stream) -> String {
    // Key, cursor and place decide; the other fields are read of the latest rows alone.
    """
    with latest as materialized (\(latestPlaces(of: records, stream)))
    select v.* from (\(records)) v semi join latest l on l._object = v._object and l._position = v._position
    """
  }

  /// The places of the last versions.
  ///
  /// - Parameter first: Only of this object and those after it.
  static func latestPlaces(
    of records: String, _ stream: PipelineDefinition.Stream, from first: Int64? = nil
  ) -> String {
    let key = stream.key.map { "v.\(quoteIdentifier($0))" }.joined(separator: ", ")
    let cursor = stream.cursor == nil ? "" : "v.\(SystemColumn.cursor) desc nulls last, "
    let isPartial = stream.key.map { "v.\(quoteIdentifier($0)) is null" }.joined(separator: " or ")
    let range = first.map { "where o.ordinal >= \(ordinal(of: $0))" } ?? ""
    // A record without a whole key is no version of another one.
    return """
      select v._object, v._position from (\(records)) v
      join raw.objects o on o.id = v._object \(range)
      qualify row_number() over (partition by \(key) order by \(cursor)o.ordinal desc, v._position desc) = 1
        or \(isPartial)
      """
  }

  static func ordinal(of object: Int64) -> String { "(select ordinal from raw.objects where id = \(object))" }

  static func records(_ table: RecordTable, absent: [String]) -> String {
    let fields = Set(table.fields.map { SQLName($0.name) })
    let nulls = absent.filter { !fields.contains(SQLName($0)) }.map { "null::VARCHAR as \(quoteIdentifier($0))" }
    guard !nulls.isEmpty else { return table.goodRecords }
    return "select \(nulls.joined(separator: ", ")), * from (\(table.goodRecords))"
  }

  /// `current.STREAM`: the latest row of each key over everything the stream ever brought, this run included.
  static func currentStatements(
    due: RecordTable, earlier: RecordTable, names: [String], absent: [String] = []
  ) -> [String] {
    let all = "\(records(due, absent: absent)) union all by name \(earlier.goodRecords)"
    let table = "\"current\".\(quoteIdentifier(names[0]))"
    let latest = "create table \(table) as \(latestRows(of: all, due.stream.definition))"
    return [latest] + names.dropFirst().map { "create view \"current\".\(quoteIdentifier($0)) as from \(table)" }
  }
}
