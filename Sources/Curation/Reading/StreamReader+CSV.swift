import DuckDB
import JobModel
import ObjectStore
import PipelineDefinition

extension StreamReader {
  /// Reads CSV objects: those with the same header together.
  func readCSV(
    _ objects: [CurationObject], _ format: CSVFormat, into table: inout RecordTable, index: Int
  ) async throws -> FoundFields {
    let declared = table.stream.definition.columns.map(\.name)
    var groups: [(columns: [String], objects: [CurationObject])] = []
    var widest = 0
    for object in objects {
      let line: String
      do {
        // Nothing in it: no record, and no field.
        guard let first = try await CSVHead.firstLine(of: object.path, format) else { continue }
        line = first
      } catch let unreadable as CSVHead.Unreadable {
        throw StageFailure(
          code: "csv_header", message: "\(table.stream.reference): \(object.name): \(unreadable.reason)",
          hint: "the object stays in raw; correct the definition or have it delivered again")
      }
      guard let names = format.names(inHeader: line) else {
        throw StageFailure(
          code: "csv_header",
          message: "\(table.stream.reference): \(object.name): a quote of the first line is left open",
          hint: "set `quote` or `skip` of the stream's records")
      }
      widest = max(widest, names.count)
      let columns = format.header ? CSVFormat.columnNames(names) : []
      if let index = groups.firstIndex(where: { $0.columns.map(ExactText.init) == columns.map(ExactText.init) }) {
        groups[index].objects.append(object)
      } else {
        groups.append((columns, [object]))
      }
    }
    guard format.header else {
      let all = groups.flatMap(\.objects)
      return try await readHeaderless(all, format, declared: declared, width: widest, into: &table, index: index)
    }
    var seen: Set<SQLName> = []
    let found = groups.flatMap(\.columns).filter { seen.insert(SQLName($0)).inserted }
    table.fields = Self.fields(found: found, of: table.stream)
    try await createTable(table)
    for group in groups {
      try await insertCSV(
        group.objects, format, columns: group.columns, pads: !declared.isEmpty, into: table, index: index)
    }
    return FoundFields(names: found)
  }

  /// Without a header the names are the stream's `columns`, or `c1` to `cn` for the widest row there is.
  ///
  /// The width of later rows is only known once they were read: rows that turn out too long widen the next try.
  private func readHeaderless(
    _ objects: [CurationObject], _ format: CSVFormat, declared: [String], width: Int, into table: inout RecordTable,
    index: Int
  ) async throws -> FoundFields {
    var width = width
    while true {
      let columns = (0..<max(width, 1)).map { $0 < declared.count ? declared[$0] : "c\($0 + 1)" }
      table.fields = Self.fields(found: declared.isEmpty ? columns : [], of: table.stream)
      try await createTable(table)
      try await insertCSV(objects, format, columns: columns, pads: true, into: table, index: index)
      let needed = try await session.value(Self.widestReject(stream: index)).int ?? 0
      guard needed > width else {
        return FoundFields(
          names: Array(declared.isEmpty ? columns : Array(declared.prefix(width))),
          extra: declared.isEmpty ? [] : Array(columns.dropFirst(declared.count)))
      }
      width = needed
      try await session.run("drop table \(table.name)")
      try await session.run("delete from raw.rejects where stream = \(index)")
    }
  }

  /// How many fields the longest of the rejected rows has.
  static func widestReject(stream: Int) -> String {
    """
    select max(width) as width from raw.rejects
    where stream = \(stream) and list_contains(reasons, 'record:too_many_fields')
    """
  }

  private func createTable(_ table: RecordTable) async throws {
    let fields = table.fields.map { ", \($0.column) VARCHAR" }.joined()
    try await session.run("create table \(table.name) (_object BIGINT, _n BIGINT, _state TINYINT\(fields))")
  }

  private func insertCSV(
    _ objects: [CurationObject], _ format: CSVFormat, columns: [String], pads: Bool, into table: RecordTable,
    index: Int
  ) async throws {
    let name = table.name
    let fields = table.fields
    let statement: ([CurationObject]) -> String = { group in
      CSVReading(format: format, paths: group.map(\.path), columns: columns, padsShortRows: pads)
        .insert(into: name, fields: fields)
    }
    try await inGroups(
      objects, index: index, statement: statement, mend: { try await unifyLineEnds($0, format) })
  }

  /// A copy of the object with one kind of line end, registered under the object's number.
  private func unifyLineEnds(_ object: CurationObject, _ format: CSVFormat) async throws -> CurationObject? {
    guard format.encoding != "utf-16", !object.path.hasPrefix("\(scratch)/unified-") else { return nil }
    var copy = object
    copy.path = "\(scratch)/unified-\(object.id)"
    let (source, target) = (object.path, copy.path)
    let quote = format.quote.utf8.first
    let escape = format.escape?.utf8.first
    guard try await BlockingIO.run({ LineEnds.unify(source, to: target, quote: quote, escape: escape) }) else {
      throw StageFailure(
        code: "disk_full", message: "\(dataset): \(object.name) could not be copied to \(target)",
        hint: "free space there; the work goes on by itself", isTransient: true)
    }
    try await session.run("update raw.objects set path = \(quoteLiteral(target)) where id = \(object.id)")
    return copy
  }
}
