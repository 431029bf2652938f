import DuckDB
import FoundationEssentials
import JobModel
import ObjectStore
import PipelineDefinition
import Records

/// One stream's records of this run, read into the scratch database.
struct LoadedStream: Sendable {
  /// Its place in `from`; the number of its rejects.
  var index: Int
  var table: RecordTable
  var found: FoundFields
}

/// What fields the files of one delivery have.
struct FoundFields: Sendable, Equatable {
  var names: [String]
  /// Columns beyond the stream's `columns`, which stay in raw.
  var extra: [String] = []
  /// Names that cannot be a column's; their values stay in the record.
  var unusable: [String] = []
}

/// Reads the raw objects of streams into tables of the scratch database.
///
/// Every statement leaves either all of its objects in the table or none; a file that makes a statement fail is found
/// by reading one at a time.
struct StreamReader: Sendable {
  let session: DuckDBSession
  let scratch: String
  let dataset: String
  let expansion: ExpansionLimit
  /// Told after each group of objects.
  let advance: @Sendable (_ objects: Int) -> Void

  /// Objects that one statement reads: their names must fit into a statement of a reasonable length.
  static let objectsPerStatement = 200

  static let schema = """
    create schema raw; create schema "current"; create schema previous; create schema work;
    create table raw.objects (
      id BIGINT, path VARCHAR, name VARCHAR, run BIGINT, run_at TIMESTAMPTZ, sequence BIGINT,
      ordinal BIGINT, base BIGINT);
    create table raw.rejects (
      stream INTEGER, object BIGINT, position BIGINT, line BIGINT, byte BIGINT, reasons VARCHAR[], record VARCHAR,
      key VARCHAR, width INTEGER)
    """

  /// Makes every object readable for DuckDB: expanded, and documents split into lines. Returns what to read instead.
  func prepare(_ objects: [CurationObject], of stream: Stream) async throws -> [CurationObject] {
    var readable: [CurationObject] = []
    var limit = expansion
    for object in objects {
      try Task.checkCancellation()
      var plain = object
      let label = "\(stream.name): \(object.name)"
      if let compression = try Decompression.of(object.path) {
        plain.path = "\(scratch)/expanded-\(object.id)"
        let size = try await compression.expand(object.path, to: plain.path, name: label, limit: limit)
        limit = limit.taking(size)
      }
      if case .json(let path) = stream.records {
        let lines = "\(scratch)/records-\(object.id)"
        try await split(plain.path, recordsPath: path, to: lines, name: label)
        if plain.path != object.path { try FileManager.default.removeItem(atPath: plain.path) }
        plain.path = lines
      }
      readable.append(plain)
    }
    return readable
  }

  private func split(_ path: String, recordsPath: String, to lines: String, name: String) async throws {
    do {
      _ = try await BlockingIO.run { try JSONDocument.split(file: path, recordsPath: recordsPath, to: lines) }
    } catch let error as RecordError {
      throw StageFailure(
        code: error.code, message: "\(name): \(error.message)",
        hint: error.hint ?? "the document stays in raw, and the next run goes on without it")
    }
  }

  /// Reads one stream into the table `name` and returns it with the fields that it has.
  func read(
    _ stream: CurationStream, _ objects: [CurationObject], into name: String, index: Int
  ) async throws -> LoadedStream {
    var table = RecordTable(name: name, stream: stream)
    let readable = try await prepare(objects, of: stream.definition)
    try await register(readable)
    let found: FoundFields
    switch stream.definition.records {
    case .csv(let format): found = try await readCSV(readable, format, into: &table, index: index)
    case .json, .ndjson: found = try await readLines(readable, into: &table, index: index)
    case .bytes:
      throw StageFailure(
        code: "not_records", message: "\(stream.reference): \"records: bytes\" is kept raw and has no records",
        hint: "take it out of `from`, or give the stream a format", at: "\(stream.definition.place)")
    }
    try await session.run(Self.setBases(of: name))
    for (old, new) in zip(objects, readable) where old.path != new.path {
      try FileManager.default.removeItem(atPath: new.path)
    }
    return LoadedStream(index: index, table: table, found: found)
  }

  private func register(_ objects: [CurationObject]) async throws {
    for start in stride(from: 0, to: objects.count, by: Self.objectsPerStatement) {
      let rows = objects[start..<min(start + Self.objectsPerStatement, objects.count)].map { object in
        """
        (\(object.id), \(quoteLiteral(object.path)), \(textExpression(object.name)), \(object.run),
        \(quoteLiteral(object.runAt))::TIMESTAMPTZ, \(object.sequence), 0, 0)
        """
      }
      try await session.run("insert into raw.objects values \(rows.joined(separator: ", "))")
    }
  }

  /// The number before an object's first record, so that positions count from 1.
  static func setBases(of table: String) -> String {
    """
    update raw.objects set base = first.base
    from (select _object, min(_n) - 1 as base from \(table) where _state = 0 group by all) first
    where first._object = objects.id
    """
  }

  private func readLines(
    _ objects: [CurationObject], into table: inout RecordTable, index: Int
  ) async throws -> FoundFields {
    try await session.run(
      """
      create table \(table.name) (
        _object BIGINT, _n BIGINT, _line BIGINT, _state TINYINT, _record VARCHAR)
      """)
    let name = table.name
    try await inGroups(
      objects, index: index, statement: { JSONReading.insertLines($0.map(\.path), into: name) }, mend: { _ in nil })
    try await session.run(JSONReading.takeBadLines(of: name, stream: index))
    let found = try await session.rows(JSONReading.fieldNames(of: name)).compactMap { $0["name"]?.text }
    table.fields = Self.fields(found: found, of: table.stream)
    let names = Set(table.fields.map { Array($0.name.utf8) })
    let declared = Set(table.stream.definition.columns.map { SQLName($0.name) })
    func isColumn(_ name: String) -> Bool { names.contains(Array(name.utf8)) || declared.contains(SQLName(name)) }
    return FoundFields(names: found.filter(isColumn), unusable: found.filter { !isColumn($0) })
  }

  /// Known fields first, in their order, then new ones; of names that differ in case only, the first.
  static func fields(found: [String], of stream: CurationStream) -> [RecordTable.Field] {
    var taken: Set<SQLName> = []
    var fields: [RecordTable.Field] = []
    let declared = stream.definition.columns
    for name in declared.map(\.name) + stream.knownFields + found {
      guard FieldName.isUsable(name), !SystemColumn.isReserved(name),
        taken.insert(SQLName(name)).inserted
      else { continue }
      let type = declared.first { SQLName($0.name) == SQLName(name) }?.type
      fields.append(RecordTable.Field(name: name, type: type, column: "_field\(fields.count)"))
    }
    return fields
  }

  /// Runs a statement over groups of objects and takes what it rejected.
  ///
  /// - Parameter mend: Makes another copy of an object that cannot be read as it is; nil where there is no way.
  func inGroups(
    _ objects: [CurationObject], index: Int, statement: ([CurationObject]) -> String,
    mend: (CurationObject) async throws -> CurationObject?
  ) async throws {
    var rest = objects[...]
    while !rest.isEmpty {
      let group = Array(rest.prefix(Self.objectsPerStatement))
      rest = rest.dropFirst(Self.objectsPerStatement)
      do { try await insert(statement(group), index: index) } catch let error as DuckDBError where error.kind == .sql {
        for object in group where try await !canInsert(object, index: index, statement: statement) {
          guard let mended = try await mend(object) else { throw unreadable(object, error) }
          guard try await canInsert(mended, index: index, statement: statement) else { throw unreadable(object, error) }
        }
      }
      advance(group.count)
    }
  }

  /// Reads one object; false where it cannot be read.
  private func canInsert(
    _ object: CurationObject, index: Int, statement: ([CurationObject]) -> String
  ) async throws -> Bool {
    do { try await insert(statement([object]), index: index) } catch let error as DuckDBError where error.kind == .sql {
      return false
    }
    return true
  }

  private func insert(_ statement: String, index: Int) async throws {
    try await session.run("drop table if exists \(CSVReading.rejects)")
    try await session.run("drop table if exists \(CSVReading.rejectScans)")
    try await session.run(statement)
    try await session.run(CSVReading.takeRejects(stream: index))
  }

  private func unreadable(_ object: CurationObject, _ error: DuckDBError) -> StageFailure {
    StageFailure(
      code: "raw_unreadable", message: "\(dataset): \(object.name) cannot be read: \(error.message)",
      hint: "check delimiter, quote and encoding of the stream's records; the object stays in raw")
  }
}
