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

  /// The views of one loaded stream.
  static func statements(_ table: RecordTable, names: [String]) -> [String] {
    names.map { "create view main.\(quoteIdentifier($0)) as \(table.goodRecords)" }
  }

  /// `current.STREAM`: the latest row of each key over everything the stream ever brought, this run included.
  static func currentStatements(due: RecordTable, earlier: RecordTable, names: [String]) -> [String] {
    let stream = due.stream.definition
    let key = stream.key.map { "v.\(quoteIdentifier($0))" }.joined(separator: ", ")
    let cursor = stream.cursor == nil ? "" : "v.\(SystemColumn.cursor) desc nulls last, "
    let table = "\"current\".\(quoteIdentifier(names[0]))"
    let latest = """
      create table \(table) as
      select v.* from (\(due.goodRecords) union all by name \(earlier.goodRecords)) v
      join raw.objects o on o.id = v._object
      qualify row_number() over (partition by \(key) order by \(cursor)o.ordinal desc, v._position desc) = 1
      """
    return [latest] + names.dropFirst().map { "create view \"current\".\(quoteIdentifier($0)) as from \(table)" }
  }
}
