import DuckDB
import JobModel
import PipelineDefinition

/// The rows that broke the contract or were no records, as one Parquet file.
struct Quarantine: Sendable {
  let dataset: String
  let streams: [StreamReference]
  /// The key as the SELECT's result has it; empty where it does not.
  let key: [String]
  let carriesPositions: Bool
  /// A malformed record may hold a value that the dataset masks; then only its place is kept.
  let hidesRecords: Bool

  /// Rejected records of this run's raw, then rows that broke the contract.
  var rows: String {
    let names = streams.enumerated().map { "(\($0.offset), \(quoteLiteral($0.element.description)))" }
    let parts = key.map { (quoteLiteral($0), "json_extract_string(_original, \(quoteLiteral(jsonPointer(to: $0))))") }
    let keyText = Self.keyObject(parts)
    let place = carriesPositions ? "c._object, c._position" : "null::BIGINT, null::BIGINT"
    let run = carriesPositions ? "left join raw.objects o on o.id = c._object" : "left join raw.objects o on false"
    return """
      select n.name as stream, r.object, r.position, r.line, r.byte, r.reasons,
        \(hidesRecords ? "null::VARCHAR" : "r.record") as record, r.key, o.run
      from raw.rejects r join (values \(names.joined(separator: ", "))) n(stream, name) on n.stream = r.stream
      left join raw.objects o on o.id = r.object
      union all
      select null, \(place), null, null, c._reasons, c._original, \(keyText), o.run
      from \(ContractPlan.bad) c \(run)
      """
  }

  /// The key as a JSON object; null where a part of it is missing or null, so that nobody takes it for a key.
  static func keyObject(_ parts: [(name: String, value: String)]) -> String {
    guard !parts.isEmpty else { return "null::VARCHAR" }
    let isWhole = parts.map { "\($0.value) is not null" }.joined(separator: " and ")
    let object = parts.map { "\($0.name), \($0.value)" }.joined(separator: ", ")
    return "case when \(isWhole) then json_object(\(object))::VARCHAR end"
  }

  func copy(to path: String) -> String {
    """
    copy (select \(quoteLiteral(dataset)) as dataset, * from (\(rows))
      order by \(Self.order))
    to \(quoteLiteral(path)) (format parquet, compression zstd)
    """
  }

  private static let order = "object nulls last, position nulls last, byte nulls last, line nulls last"

  /// SQL that makes one quarantine of those of several parts of a batch.
  static func join(_ paths: [String], to path: String) -> String {
    """
    copy (select * from read_parquet(\(quoteList(paths)), hive_partitioning = false) order by \(order))
    to \(quoteLiteral(path)) (format parquet, compression zstd)
    """
  }

  /// How many rows the run before quarantined too, for the same reasons: a read that begins at the last one's edge brings them again.
  func known(in path: String) -> String {
    """
    select count(*) as n from (\(rows)) q
    where q.record is not null and exists (
      from read_parquet(\(quoteLiteral(path)), hive_partitioning = false) p where p.record = q.record and p.reasons = q.reasons)
    """
  }

  /// How many rows there are, and whether every one's key can be read.
  var summary: String { "select count(*) as n, count(*) filter (key is null) as unreadable from (\(rows))" }
}
