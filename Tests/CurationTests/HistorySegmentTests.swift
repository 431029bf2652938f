import Curation
import DuckDB
import FoundationEssentials
import JobModel
import ObjectStore
import PipelineDefinition
import Synchronization
import TestSupport
import Testing

/// Segments of a stream's history: what a run computes with them is what it computes from all raw.
@Suite("Segments of a stream's history")
struct HistorySegmentTests {
  @Test("with segments each run gives what a reading of everything gives", arguments: 1...2)
  func sameRows(seed: UInt64) async throws {
    try await Workbench.with { bench in
      var world = HistoryWorld(seed: seed, bench: bench)
      var dataset = HistoryDataset.all(isCSV: seed.isMultiple(of: 2))
      for run in 1...8 as ClosedRange<Int64> {
        let arrived = try world.deliver(run)
        for index in dataset.indices {
          dataset[index].objects += arrived
          // A run that fails, or is killed before it commits, leaves its raw due and its segments unknown.
          let isLost = world.chance(5)
          try await dataset[index].run(run, world.definition(run), bench, isLost: isLost, "seed \(seed), run \(run)")
        }
      }
      for dataset in dataset { #expect(dataset.objectsSaved > 0, "seed \(seed), \(dataset.sql)") }
    }
  }

  @Test("a run reads its own raw and no other, and has few segments", arguments: 0..<3)
  func readsItsDelivery(kind: Int) async throws {
    try await Workbench.with { bench in
      var dataset = HistoryDataset.all()[kind]
      let definition = HistoryWorld.stream(key: ["id"])
      var written = 0
      for run in 1...16 as ClosedRange<Int64> {
        let lines = (0..<20 as Range<Int64>).map {
          "{\"id\":\"\(run * 20 + $0)\",\"u\":\"\(run)\",\"amount\":\"\($0)\",\"name\":\"n\"}\n"
        }
        dataset.objects += try HistoryWorld.objects([lines.joined()], run: run, bench)
        try await dataset.run(run, definition, bench, isLost: false, "run \(run)", compares: run == 16)
        #expect(dataset.objectsRead == (kind == 2 ? 1 : 2), "run \(run)")
        #expect(dataset.segments.count <= 6)
        written += dataset.rowsWritten
      }
      // Each of the 320 rows is written once, and again in segments that are half as large again.
      #expect(written <= 320 * 10)
    }
  }

  @Test(
    "what is wrong with a segment, or with the raw that it stands for, makes the run read the raw", arguments: 0..<5)
  func damage(kind: Int) async throws {
    try await Workbench.with { bench in
      var dataset = HistoryDataset.all()[0]
      let definition = HistoryWorld.stream(key: ["id"])
      for run in 1...3 as ClosedRange<Int64> {
        dataset.objects += try HistoryWorld.objects(
          ["{\"id\":\"\(run % 2)\",\"u\":\"1\",\"name\":\"n\(run)\",\"amount\":\"1\"}\n"], run: run, bench)
        try await dataset.run(run, definition, bench, isLost: false, "run \(run)")
      }
      let segment = try #require(dataset.segments.first)
      switch kind {
      case 0: try FileManager.default.removeItem(atPath: segment.path)
      case 1:
        var bytes = try Data(contentsOf: URL(filePath: segment.path))
        bytes[bytes.count / 2] ^= 1
        try bytes.write(to: URL(filePath: segment.path))
      case 2: dataset.objects.removeFirst()
      case 3: dataset.objects[0].content = nil
      default: dataset.objects[0].content?.sha256 = String(repeating: "0", count: 64)
      }
      dataset.objects += try HistoryWorld.objects(
        ["{\"id\":\"7\",\"u\":\"1\",\"name\":\"n\",\"amount\":\"1\"}\n"], run: 4, bench)
      try await dataset.run(4, definition, bench, isLost: false, "damage \(kind)")
      #expect(dataset.objectsRead == (kind == 2 ? 4 : 5))
    }
  }

  @Test("raw that is gone ends the run, whatever segments have of it")
  func missingRaw() async throws {
    try await Workbench.with { bench in
      var dataset = HistoryDataset.all()[0]
      let definition = HistoryWorld.stream(key: ["id"])
      for run in 1...2 as ClosedRange<Int64> {
        dataset.objects += try HistoryWorld.objects(["{\"id\":\"1\",\"u\":\"1\"}\n"], run: run, bench)
        try await dataset.run(run, definition, bench, isLost: false, "run \(run)")
      }
      try FileManager.default.removeItem(atPath: dataset.objects[0].path)
      dataset.objects += try HistoryWorld.objects(["{\"id\":\"2\",\"u\":\"1\"}\n"], run: 3, bench)
      let failure = await #expect(throws: StageFailure.self) {
        try await dataset.run(3, definition, bench, isLost: false, "run 3", compares: false)
      }
      #expect(failure?.code == "raw_missing")
    }
  }
}

/// A dataset that reads the history of `facts`, run after run, with the segments that its runs leave.
private struct HistoryDataset {
  let sql: String
  let step: CurateStep
  var objects: [CurationObject] = []
  var segments: [HistorySegment] = []
  /// Of the history, by its segments.
  var objectsSaved = 0
  var objectsRead = 0
  var rowsWritten = 0
  private var consumed: Set<Int64> = []
  private var known: [String] = []
  private var nextSegment: Int64 = 1

  /// - Parameter isCSV: Such a stream has no records as text.
  static func all(isCSV: Bool = false) -> [HistoryDataset] {
    let (record, doc) = isCSV ? ("", "") : (", _record", ", f._record as doc")
    return [
      HistoryDataset(
        """
        select * exclude (_object, _position, _run, _run_at, _cursor\(record)) from (
          select f.*, f._run as r, f._run_at as t, f._position as p\(doc) from orders cross join current.facts f)
        """, CurationTests.step(over: .batch)),
      HistoryDataset("select f.id, f.name from orders cross join current.facts f", CurationTests.step(over: .batch)),
      HistoryDataset(
        """
        select count(*) as n, sum(try_cast(amount as bigint))::BIGINT as s, max(_run) as r,
          string_agg(coalesce(id, '-') || coalesce(name, '-') || _position, ' ' order by id, name, _run, _position) as t,
          string_agg(name || _position) as in_order, last(name) as latest
        from facts
        """, CurationTests.step(from: "facts", over: .all)),
    ]
  }

  private init(_ sql: String, _ step: CurateStep) {
    self.sql = sql
    self.step = step
  }

  private func request(
    _ run: Int64, _ definition: PipelineDefinition.Stream, _ bench: Workbench, withSegments: Bool
  ) throws -> CurationRequest {
    let history = objects.sorted { ($0.run, $0.sequence, $0.id) < ($1.run, $1.sequence, $1.id) }
    var due = history.filter { !consumed.contains($0.id) }
    if step.over == .all { due = history }
    var facts = input(definition, due, history: history, known: known)
    facts.keepsSegments = withSegments
    facts.segments = withSegments ? segments : []
    var streams = [facts]
    if step.over != .all {
      let orders = try HistoryWorld.objects(["{\"o\":1}\n"], run: run, bench, first: 1_000_000 + run)
      streams.insert(input(stream(records: .ndjson), orders), at: 0)
    }
    return try bench.request(step, streams, sql: sql)
  }

  mutating func run(
    _ run: Int64, _ definition: PipelineDefinition.Stream, _ bench: Workbench, isLost: Bool, _ comment: Comment,
    compares: Bool = true
  ) async throws {
    let count = Mutex(0)
    let result = try await Curator(duckdb: bench.duckdb) { progress in count.withLock { $0 = progress.objects } }
      .curate(try request(run, definition, bench, withSegments: true))
    objectsRead = count.withLock { $0 }
    objectsSaved += objects.count + (step.over == .all ? 0 : 1) - objectsRead
    if compares {
      let full = try await bench.curate(try request(run, definition, bench, withSegments: false))
      let rows = try await Self.rows([result, full], bench)
      #expect(rows[0] == rows[1], comment)
      #expect(result.counts == full.counts, comment)
      #expect(result.events == full.events, comment)
      #expect(result.fields == full.fields, comment)
      for (object, records) in result.recordsByObject { #expect(full.recordsByObject[object] == records, comment) }
    }
    guard !isLost else { return }
    consumed.formUnion(objects.map(\.id))
    for name in result.fields.first(where: { $0.key.stream == "facts" })?.value ?? []
    where !known.contains(where: { $0.isExactly(name) }) { known.append(name) }
    segments.removeAll { !result.keptSegments.contains($0.id) }
    rowsWritten = 0
    for new in result.newSegments {
      let path = "\(bench.directory)/segment-\(UUID().uuidString).parquet"
      try FileManager.default.moveItem(atPath: new.path, toPath: path)
      let content = try JSONDecoder().decode(HistoryContent.self, from: try JSONEncoder().encode(new.content))
      segments.append(
        HistorySegment(
          id: nextSegment, path: path, sha256: try FileHash.hash(path).sha256, span: new.span, content: content))
      nextSegment += 1
      rowsWritten += content.rows
    }
  }

  /// The dataset and the quarantine of each result, sorted.
  private static func rows(_ results: [CurationResult], _ bench: Workbench) async throws -> [[String]] {
    try await bench.duckdb.withSession(in: DuckDBPlace(directory: bench.directory), limits: bench.limits) { session in
      var all: [[String]] = []
      for result in results {
        var rows: [String] = []
        for files in [result.files.map(\.path), result.quarantine.map { [$0.path] } ?? []] where !files.isEmpty {
          rows += try await session.rows("from read_parquet(\(quoteList(files)), union_by_name = true)").map { row in
            row.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: " ")
          }.sorted()
        }
        all.append(rows)
      }
      return all
    }
  }
}

/// What a stream delivers, drawn from a seed: new and changed records, equal and missing cursors, keys without a value, files that come
/// again, records that are none or are of no type, new and renamed fields, runs that come late; and a definition that changes.
private struct HistoryWorld {
  private var random: SeededRandom
  private let bench: Workbench
  private let isCSV: Bool
  private var next: Int64 = 1
  private var contents: [String] = []
  private var late: [CurationObject] = []

  init(seed: UInt64, bench: Workbench) {
    random = SeededRandom(seed: seed)
    self.bench = bench
    isCSV = seed.isMultiple(of: 2)
  }

  mutating func chance(_ one: Int) -> Bool { Int.random(in: 0..<one, using: &random) == 0 }

  static func stream(key: [String], isCSV: Bool = false, type: ColumnType? = nil) -> PipelineDefinition.Stream {
    CurationTests.stream(
      "facts", records: isCSV ? .csv(CSVFormat()) : .ndjson, key: key,
      cursor: Cursor(field: "u", type: ColumnType("bigint")),
      columns: type.map { [StreamColumn(name: "amount", type: $0)] } ?? [])
  }

  func definition(_ run: Int64) -> PipelineDefinition.Stream {
    Self.stream(
      key: run < 7 ? ["id", "part"] : ["id"], isCSV: isCSV, type: run < 4 ? ColumnType("bigint") : nil
    )
  }

  static func objects(_ contents: [String], run: Int64, _ bench: Workbench, first: Int64? = nil) throws
    -> [CurationObject]
  {
    try bench.objects(contents, run: run, first: first ?? run * 10).map { object in
      var object = object
      let (bytes, sha256) = try FileHash.hash(object.path)
      object.runAt = "2024-05-01 12:00:\(run + 10)+00"
      object.content = CurationObject.Content(bytes: bytes, sha256: sha256)
      return object
    }
  }

  /// The objects that are there from this run on.
  mutating func deliver(_ run: Int64) throws -> [CurationObject] {
    var files: [String] = []
    for _ in 0..<Int.random(in: 0...2, using: &random) {
      if chance(4), let old = contents.randomElement(using: &random) {
        files.append(old)
      } else {
        files.append(file(run))
      }
    }
    if files.isEmpty { files = [file(run)] }
    contents += files
    let objects = try Self.objects(files, run: run, bench, first: next)
    next += Int64(files.count)
    defer { late = [] }
    guard run < 8, chance(6) else { return late + objects }
    defer { late = objects }
    return late
  }

  private mutating func file(_ run: Int64) -> String {
    var fields = ["id", "part", "u", "name", "amount"]
    if run > 3 { fields.append("since_3") }
    if run > 4 { fields[3] = chance(2) ? "title" : "name" }
    if chance(3) { fields[0] = "ID" }
    if chance(3) { fields.append("_run") }
    fields.shuffle(using: &random)
    var text = isCSV ? fields.joined(separator: ",") + "\n" : ""
    for _ in 0..<Int.random(in: 0...12, using: &random) {
      if chance(15) {
        text += isCSV ? "\"a\"b,,,,,,,,,,\n" : "{\"id\":\n"
        continue
      }
      let values = fields.map { field -> String? in
        switch field {
        case "id", "ID": ["1", "2", "3", "01", nil].randomElement(using: &random) ?? nil
        case "part": ["a", "a", "b", nil].randomElement(using: &random) ?? nil
        case "u": ["1", "2", "10", "9", "x", nil].randomElement(using: &random) ?? nil
        case "amount": ["1", "22", "1", "bad", nil].randomElement(using: &random) ?? nil
        default: "\(field)\(Int.random(in: 0..<1_000_000, using: &random))ü"
        }
      }
      if isCSV {
        text += values.map { $0 ?? "" }.joined(separator: ",") + "\n"
      } else {
        let members = zip(fields, values).map { "\"\($0)\":\($1.map { "\"\($0)\"" } ?? "null")" }
        text += "{\(members.joined(separator: ","))}\n"
      }
    }
    return text
  }
}
