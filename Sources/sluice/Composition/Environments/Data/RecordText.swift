import Catalog
import DuckDB
import JobModel
import PipelineDefinition

/// Rows of a sample as records of a stream: the same fields in the same format, so that curation makes the same rows of them.
struct RecordText: Sendable {
  let stream: PipelineDefinition.Stream
  let columns: [SnapshotColumn]

  /// Why the rows of a dataset cannot be the records of its stream; nil: they can.
  static func problem(of stream: PipelineDefinition.Stream, _ dataset: SamplePlan.Dataset, _ step: CurateStep)
    -> String?
  {
    switch stream.records {
    case .bytes: return "it has no records"
    case .csv(let format):
      if format.encoding != "utf-8" { return "it is not UTF-8" }
      if format.skip > 0 { return "it begins with lines that are skipped" }
      if !format.header, !stream.fixesColumns { return "its fields have no names" }
    case .ndjson: break
    case .json(let path) where wrapping(path) == nil: return "its records are not the elements of one list"
    case .json: break
    }
    let needed = stream.key + (stream.cursor.map { [$0.field] } ?? [])
    if let field = needed.first(where: { dataset.column($0) == nil }) { return "its dataset lacks the field \(field)" }
    if let column = dataset.columns.first(where: { $0.type == "bytea" }) {
      return "\(column.name) may be no text"
    }
    for column in step.columns where dataset.masked.contains(SQLName(column.name)) {
      if column.mask != nil { return "\(column.name) is a hash, which a run would hash again" }
      let isBounded = column.min != nil || column.max != nil || column.pattern != nil || !column.oneOf.isEmpty
      if isBounded { return "a hash would break the contract of \(column.name)" }
    }
    return nil
  }

  var suffix: String {
    switch stream.records {
    case .csv: "csv"
    case .json: "json"
    case .ndjson, .bytes: "ndjson"
    }
  }

  /// Writes the rows of a relation.
  func write(_ rows: String, to path: String) -> String {
    "copy (select \(values.joined(separator: ", ")) from \(rows)) to \(quoteLiteral(path)) (\(options))"
  }

  private var values: [String] {
    guard case .csv(let format) = stream.records else {
      return columns.map { column in
        let name = quoteIdentifier(column.name)
        // JSON has no form for every number, so these are texts. Curation takes both.
        return ["bigint", "integer", "smallint", "boolean", "json"].contains(column.type)
          ? name : "\(name)::VARCHAR as \(name)"
      }
    }
    guard !format.header || stream.fixesColumns else { return columns.map(\.name).map(Self.text) }
    return stream.columns.map { field in
      let column = columns.first { SQLName($0.name) == SQLName(field.name) }
      return column.map { Self.text($0.name) } ?? "null::VARCHAR as \(quoteIdentifier(field.name))"
    }
  }

  private static func text(_ name: String) -> String { "\(quoteIdentifier(name))::VARCHAR as \(quoteIdentifier(name))" }

  private var options: String {
    switch stream.records {
    case .csv(let format):
      """
      format csv, header \(format.header), delimiter \(quoteLiteral(format.delimiter)), quote \(quoteLiteral(format.quote)),
      escape \(quoteLiteral(format.escape ?? format.quote)), nullstr \(quoteLiteral(format.null)), force_quote *
      """
    case .json: "format json, array true"
    case .ndjson, .bytes: "format json, array false"
    }
  }

  /// What stands around the list of records in a document.
  var wrapping: (before: String, after: String) {
    guard case .json(let path) = stream.records else { return ("", "") }
    return Self.wrapping(path) ?? ("", "")
  }

  /// Of `$[*]` and of `$.a.b[*]`; nil of other paths.
  private static func wrapping(_ path: String) -> (before: String, after: String)? {
    guard path.hasPrefix("$"), path.hasSuffix("[*]") else { return nil }
    let names = path.dropFirst().dropLast(3).split(separator: ".", omittingEmptySubsequences: false).dropFirst()
    let written = "$" + names.map { ".\($0)" }.joined() + "[*]"
    guard path == written,
      names.allSatisfy({ !$0.isEmpty && $0.utf8.allSatisfy(isWord) })
    else { return nil }
    return (names.map { "{\"\($0)\":" }.joined(), String(repeating: "}", count: names.count))
  }

  private static func isWord(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"),
      UInt8(ascii: "_"), UInt8(ascii: "-"):
      true
    default: false
    }
  }
}
