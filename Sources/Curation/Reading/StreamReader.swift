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
  /// How many records each object has, good and bad, as the reader counted them.
  var records: [Int64: Int] = [:]
  /// The rows of its table.
  var rows = 0
  /// The files of which its table is a view.
  var view: RowsView?
  /// What stood for the first objects of its history.
  var past = StreamReader.Past()
  /// What the reader said of the objects that it read, in their order.
  var read = HistoryContent()

  /// Records, good and bad, of all objects.
  var recordCount: Int { read.records + past.segments.reduce(0) { $0 + $1.content.records } }
}

/// What fields the files of one delivery have.
struct FoundFields: Sendable, Equatable {
  var names: [String]
  /// Columns beyond the stream's `columns`, which stay in raw.
  var extra: [String] = []
  /// Names that cannot be a column's; their values stay in the record.
  var unusable: [String] = []
  /// Fields that have another name as a column, because theirs is taken.
  var renamed: [Renamed] = []

  struct Renamed: Sendable, Equatable {
    var field: String
    var column: String
  }
}

/// Reads the raw objects of streams into tables of the scratch database.
///
/// ``RecordReader`` takes the records apart and counts them. The SQL engine gets rows of text that have one meaning only, and the
/// numbers of rows on both sides are compared.
struct StreamReader: Sendable {
  let session: DuckDBSession
  let scratch: ScratchLimit
  let expansion: ExpansionLimit
  /// Files that are read at once.
  let threads: Int
  /// Whether JSON records are kept as text for the SELECT.
  let keepsRecords: Bool
  /// Whether the SELECT reads the records row by row, so that a table of them would cost more than it saves.
  var readsFiles = false
  /// Rows of which a sample is to have about this many, from all files together; 0: none is needed.
  var sampledRows = 0
  /// Whether a field is kept in the table; others are read and left out.
  var keeps: @Sendable (RecordTable.Field) -> Bool = { _ in true }
  /// Told after each object.
  let advance: @Sendable (_ objects: Int) -> Void

  /// Objects that one statement registers: their names must fit into a statement of a reasonable length.
  private static let objectsPerStatement = 200

  static let schema = """
    create schema raw; create schema "current"; create schema previous; create schema work;
    create table raw.objects (
      id BIGINT, name VARCHAR, run BIGINT, run_at TIMESTAMPTZ, sequence BIGINT, ordinal BIGINT, has_bytes BOOLEAN);
    create table raw.rejects (
      stream INTEGER, object BIGINT, position BIGINT, line BIGINT, byte BIGINT, reasons VARCHAR[], record VARCHAR,
      key VARCHAR)
    """

  /// Reads one stream into the table `name` and returns it with the fields that it has.
  func read(
    _ stream: CurationStream, _ objects: [CurationObject], into name: String, index: Int
  ) async throws -> LoadedStream {
    guard let loaded = try await read(stream, objects, after: Past(), into: name, index: index) else {
      preconditionFailure("only a segment can be of other columns")
    }
    return loaded
  }

  /// The same with what stands before the objects.
  ///
  /// - Returns: nil where a segment was read into other columns than a reading of everything would be.
  func read(
    _ stream: CurationStream, _ objects: [CurationObject], after past: Past, into name: String, index: Int
  ) async throws -> LoadedStream? {
    let reading = try reading(of: stream)
    let readable = try await prepare(objects, of: stream.definition)
    let read = try await readAll(readable, reading, of: stream, index: index)
    try scratch.check()
    for (old, new) in zip(objects, readable) where old.path != new.path {
      try FileManager.default.removeItem(atPath: new.path)
    }
    var loaded = LoadedStream(
      index: index, table: RecordTable(name: name, stream: stream), found: FoundFields(names: []))
    loaded.table.keepsRecords = reading.keepsRecords
    let earlier = past.segments.map(\.content)
    let names = StreamFields(
      stream, earlier.flatMap { $0.fields.map(\.name) } + read.flatMap(\.records.fields))
    loaded.table.fields = names.fields.filter(keeps)
    // What a reading of everything has no columns for stays in the records.
    let hasRoom = earlier.isEmpty || names.fields.count <= RecordReader.maximumColumns
    guard hasRoom, earlier.allSatisfy({ $0.fits(names, loaded.table) }) else {
      for files in read { try files.remove() }
      return nil
    }
    loaded.read = content(of: read.map(\.records), names)
    loaded.found = Self.found(names, earlier + [loaded.read])
    loaded.past = past
    loaded.rows = (earlier + [loaded.read]).reduce(0) { $0 + $1.rows }
    let all = past.objects + objects
    if Set(all.map(\.run)).count == 1, let first = all.first { loaded.table.onlyRun = (first.run, first.runAt) }
    for part in read.flatMap(\.records.parts) {
      loaded.records[Int64(part.number), default: 0] += part.good + part.bad
    }
    try await register(all, past.objects + readable)
    if readsFiles, past.segments.isEmpty {
      try await session.run(ReadRows.createView(loaded.table, read, names))
      loaded.view = RowsView(files: read, names: names)
    } else {
      try await session.run(ReadRows.createTable(loaded.table))
      // Older records come first, as in a reading of everything: the order of a table is that of `list(x)` and `last(x)`.
      for segment in past.segments {
        try await session.run(SegmentRows.insert(segment, past.shape, into: loaded.table))
        if past.shape.keepsBad { try await session.run(SegmentRows.insertRejects(segment, stream: index)) }
      }
      for statement in ReadRows.inserts(loaded.table, read, names) { try await session.run(statement) }
    }
    try await session.run(ReadRows.takeRejects(read, stream: index))
    if !readsFiles { for files in read { try files.remove() } }
    try await compareCounts(loaded)
    return loaded
  }

  private func reading(of stream: CurationStream) throws -> RecordReading {
    let definition = stream.definition
    switch definition.records {
    case .csv(let format):
      let csv = RecordReading.CSVReading(
        hasHeader: format.header, delimiter: format.delimiter, quote: format.quote, escape: format.escape,
        null: format.null, skip: format.skip,
        names: definition.fixesColumns || !format.header ? definition.columns.map(\.name) : [],
        padsShortRows: !definition.columns.isEmpty, columnNames: CSVFormat.columnNames)
      return RecordReading(
        format: .csv(csv), maximumRecordBytes: definition.maximumRecordBytes, keepsRecords: false,
        isUsable: FieldName.isUsable)
    case .json, .ndjson:
      // A record that breaks its stream's own types goes to quarantine as it was.
      let isTyped = definition.columns.contains { $0.type != nil && $0.type != .text }
      // A document's record is held whole already, whatever its length.
      let maximum =
        definition.records.isLineFormat ? definition.maximumRecordBytes : RecordFormat.largestMaximumRecordBytes
      return RecordReading(
        format: .lines, maximumRecordBytes: maximum, keepsRecords: keepsRecords || isTyped, isUsable: FieldName.isUsable
      )
    case .bytes:
      throw StageFailure(
        code: "not_records", message: "\(stream.reference): \"records: bytes\" is kept raw and has no records",
        hint: "take it out of `from`, or give the stream a format", at: "\(definition.place)")
    }
  }

  /// Makes every object a plain file of UTF-8 lines: expanded, documents split, other encodings turned into it.
  private func prepare(_ objects: [CurationObject], of stream: Stream) async throws -> [CurationObject] {
    var readable: [CurationObject] = []
    var limit = expansion
    for object in objects {
      try Task.checkCancellation()
      var plain = object
      let label = "\(stream.name): \(object.name)"
      if let compression = try Decompression.of(object.path) {
        let path = "\(scratch.directory)/expanded-\(object.id)"
        let size = try await compression.expand(object.path, to: path, name: label, limit: limit)
        limit = limit.taking(size)
        plain.path = path
      }
      switch stream.records {
      case .json(let records):
        try await convert(object, &plain, to: "records", label) {
          try JSONDocument.split(file: $0, recordsPath: records, to: $1)
        }
      case .csv(let format):
        guard let encoding = TextEncoding(rawValue: format.encoding), encoding != .utf8 else { break }
        try await convert(object, &plain, to: "text", label) { try TextFile.convert($0, from: encoding, to: $1) }
      case .ndjson, .bytes: break
      }
      readable.append(plain)
    }
    return readable
  }

  /// Makes another file of an object's; removes the one before where it is a copy already.
  private func convert<T: Sendable>(
    _ object: CurationObject, _ plain: inout CurationObject, to kind: String, _ label: String,
    _ body: @escaping @Sendable (_ path: String, _ target: String) throws -> T
  ) async throws {
    let (source, target) = (plain.path, "\(scratch.directory)/\(kind)-\(object.id)")
    do {
      _ = try await BlockingIO.run { try body(source, target) }
    } catch let error as RecordError {
      throw failure(error, label, hint: "the document stays in raw, and the next run continues without it")
    }
    if source != object.path { try FileManager.default.removeItem(atPath: source) }
    plain.path = target
  }

  func failure(_ error: RecordError, _ label: String, hint: String) -> StageFailure {
    StageFailure(
      code: error.code, message: "\(label): \(error.message)", hint: error.hint ?? hint, isTransient: error.isTransient)
  }

  private func register(_ objects: [CurationObject], _ readable: [CurationObject]) async throws {
    let pairs = Array(zip(objects, readable))
    for start in stride(from: 0, to: pairs.count, by: Self.objectsPerStatement) {
      let rows = pairs[start..<min(start + Self.objectsPerStatement, pairs.count)].map { object, plain in
        """
        (\(object.id), \(textExpression(object.name)), \(object.run), \(quoteLiteral(object.runAt))::TIMESTAMPTZ,
        \(object.sequence), 0, \(!plain.path.hasPrefix("\(scratch.directory)/")))
        """
      }
      try await session.run("insert into raw.objects values \(rows.joined(separator: ", "))")
    }
  }

  private func content(of read: [ReadRecords], _ names: StreamFields) -> HistoryContent {
    var content = HistoryContent()
    var seen: Set<ExactText> = []
    for name in read.flatMap(\.fields) where seen.insert(ExactText(name)).inserted {
      content.fields.append(HistoryContent.Field(name: name, column: names.name(of: name)))
    }
    content.unusable = read.flatMap(\.unusable)
    content.extra = read.flatMap(\.extra)
    content.rows = read.reduce(0) { $0 + $1.rows.count }
    content.rejects = read.reduce(0) { $0 + $1.rejects.count }
    content.records = read.flatMap(\.parts).reduce(0) { $0 + $1.good + $1.bad }
    return content
  }

  static func found(_ names: StreamFields, _ read: [HistoryContent]) -> FoundFields {
    var unusable: [String] = names.unusable
    for name in read.flatMap(\.unusable) where !unusable.contains(where: { $0.utf8.elementsEqual(name.utf8) }) {
      unusable.append(name)
    }
    var extra: [String] = []
    for name in read.flatMap(\.extra) where !extra.contains(name) { extra.append(name) }
    return FoundFields(names: names.found, extra: extra, unusable: unusable, renamed: names.renamed)
  }

  /// The engine must have every row that the reader wrote, and every row of the segments.
  private func compareCounts(_ loaded: LoadedStream) async throws {
    let written = loaded.rows
    let past = loaded.past.shape.keepsBad ? loaded.past.segments.reduce(0) { $0 + $1.content.rejects } : 0
    let rejected = loaded.read.rejects + past
    // The rows of a view are counted where they are read.
    let found =
      loaded.view == nil
      ? try await session.value("select count(*) as n from \(loaded.table.name)").int ?? -1 : written
    let bad = try await session.value("select count(*) as n from raw.rejects where stream = \(loaded.index)").int ?? -1
    guard found == written, bad == rejected else {
      throw Self.lostRecords(loaded, found: found, rejected: rejected, rejectsFound: bad)
    }
  }

  static func lostRecords(_ loaded: LoadedStream, found: Int, rejected: Int = 0, rejectsFound: Int = 0) -> StageFailure
  {
    StageFailure(
      code: "rows_unaccounted",
      message: "\(loaded.table.stream.reference): \(loaded.rows) records and \(rejected) bad ones were read, "
        + "and \(found) and \(rejectsFound) arrived",
      hint: "this is a fault of Sluice; nothing was committed; please report it with the pipeline")
  }
}
