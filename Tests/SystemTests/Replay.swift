import DuckDB
import FoundationEssentials
import Glibc
import JobModel
import Postgres
import Subprocess
import SystemPackage
import TestSupport
import Testing

/// A project that takes one real file day by day and merges it into a target.
struct Replay: ~Copyable {
  let deliveries: Deliveries
  let columns: Int
  let isSoft: Bool
  let sluice: Installed
  let target: TestDatabase.Handle
  var random: SeededRandom
  /// The kill points that were hit, in order.
  var hit: [KillPoint] = []

  static func with(
    _ name: String, columns: Int, deletes: String, _ body: @Sendable (inout Replay) async throws -> Void
  ) async throws {
    let random = SeededRandom.drawn(for: "replay \(name)")
    try await TestProject.withProject { project in
      try await TestDatabase.withEmptyDatabase { target in
        let deliveries = try await Deliveries.unpack(name, into: project.path("history"))
        #expect(deliveries.files.count > 15)
        try project.write("pipelines/\(name).yaml", pipeline(name, columns: columns, deletes: deletes))
        let sluice = Installed(project, ["SLUICE_SECRET_WAREHOUSE": target.url])
        var replay = Replay(
          deliveries: deliveries, columns: columns, isSoft: deletes == "soft", sluice: sluice, target: target,
          random: random)
        do { try await body(&replay) } catch {
          sluice.killAll()
          throw error
        }
      }
    }
  }

  private static func pipeline(_ name: String, columns: Int, deletes: String) -> String {
    curation(name, columns: columns) + """
      load:
        warehouse:
          postgres: {url: "secret:warehouse"}
          tables: {public.\(name): {from: \(name), mode: merge, key: [id], deletes: \(deletes)}}

      """
  }

  private static func curation(_ name: String, columns: Int) -> String {
    let names = ["id"] + (2...columns).map { "f\($0)" }
    return """
      pipeline: \(name)
      sources:
        published:
          files: {at: "file:deliveries"}
          streams:
            \(name):
              match: "*.dat"
              read: full
              key: [id]
              records: {format: csv, header: false, null: '\\N'}
              columns: [\(names.joined(separator: ", "))]
      curate:
        \(name): {from: published.\(name)}

      """
  }

  /// One run a delivery. The n-th point of `points` kills the worker of the n-th delivery after the first.
  mutating func deliverAll(killingAt points: [KillPoint]) async throws {
    let folder = sluice.project.path("deliveries")
    for (day, file) in deliveries.files.enumerated() {
      try? FileManager.default.removeItem(atPath: folder)
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      try FileManager.default.copyItem(atPath: file, toPath: folder + "/\(deliveries.name).dat")
      if day > 0, day <= points.count {
        try await deliver(day, killingAt: points[day - 1])
      } else {
        let run = try await sluice("run", deliveries.name, "--json")
        #expect(run.status == 0, "delivery \(day + 1): \(run.errors)")
      }
    }
  }

  /// A worker that dies at the point, then one that goes on from what it left.
  private mutating func deliver(_ day: Int, killingAt point: KillPoint) async throws {
    let control = try sluice.start("control", name: "control-\(day)")
    let armed = try sluice.start("worker", name: "armed-\(day)", adding: ["SLUICE_KILL_AT": point.rawValue])
    try await eventually(within: .seconds(30), "the armed worker registers") {
      try await !sluice("status", "--json").json("workers").list.isEmpty
    }
    let queued = try await sluice("run", deliveries.name, "--json")
    let run = try queued.json("run").int ?? 0
    try await Installed.ended(armed)
    let said = try sluice.project.text("armed-\(day).log")
    #expect(said.contains("kill point \(point.rawValue)"), "\(said)")
    print("replay \(deliveries.name): delivery \(day + 1) killed at \(point.rawValue)")
    hit.append(point)
    let heir = try sluice.start("worker", name: "heir-\(day)")
    try await eventually(within: .seconds(60), "run \(run) goes on to its end after \(point.rawValue)") {
      try await sluice("runs", "show", "\(run)", "--json").json("state").text == "succeeded"
    }
    try await Installed.stop(heir)
    try await Installed.stop(control)
  }

  /// Python's own csv reader over the last delivery, against the target's rows.
  func compareWithLastDelivery() async throws {
    let reader = #"""
      import csv, json, re, sys
      text = open(sys.argv[1], encoding="utf-8", newline="").read()
      # An unquoted \N is null.
      text = re.sub(r"(?m)(^|,)\\N(?=,|\r?$)", r"\1@NULL@", text)
      rows = {}
      for row in csv.reader(text.splitlines(True)):
          row = [None if field == "@NULL@" else field for field in row]
          rows[row[0]] = row + [None] * (int(sys.argv[2]) - len(row))
      for key in sorted(rows):
          print(json.dumps(rows[key], ensure_ascii=False))
      """#
    let last = try #require(deliveries.files.last)
    let independent = try await run(
      .name("python3"), arguments: ["-c", reader, last, "\(columns)"], output: .string(limit: 64 << 20),
      error: .string(limit: 4096))
    #expect(independent.terminationStatus.isSuccess, "\(independent.standardError)")
    let expected = Set(independent.standardOutput.split(separator: "\n").map(String.init))
    let names = (["id"] + (2...columns).map { "f\($0)" }).joined(separator: ", ")
    let alive = isSoft ? "where _sluice_deleted_at is null" : ""
    let rows = try await target.pool.query(
      SQLStatement(
        name: "target", text: "select json_build_array(\(names))::text as line from public.\(deliveries.name) \(alive)"),
      [])
    let actual = Set(try rows.map { try $0.string("line") })
    #expect(rows.count == expected.count)
    #expect(actual.subtracting(expected).sorted().prefix(3) == [])
    #expect(expected.subtracting(actual).sorted().prefix(3) == [])
    #expect(expected.count > 5000)
  }

  /// Every raw object's recorded hash is its file's, as sha256sum reads it.
  func compareRawHashes() async throws {
    let recorded = try await control("select sha256 from sluice.raw_object order by run_id")
    let sums = try await run(
      .name("sha256sum"), arguments: Arguments(deliveries.files), output: .string(limit: 1 << 20), error: .discarded)
    let expected = (sums.standardOutput).split(separator: "\n").map { String($0.prefix(64)) }
    #expect(recorded == expected)
    let stored = try await control("select key from sluice.raw_object order by run_id")
    let objects = try await run(
      .name("sha256sum"), arguments: Arguments(stored.map { sluice.project.path(".sluice/storage/\($0)") }),
      output: .string(limit: 1 << 20), error: .string(limit: 4096))
    #expect(objects.standardOutput.split(separator: "\n").map { String($0.prefix(64)) } == expected)
  }

  /// Curates every raw object from scratch, in another project, and compares each snapshot's rows.
  func curateAgain() async throws {
    let keys = try await control("select key from sluice.raw_object order by run_id")
    let dataset = deliveries.name
    let first = sluice
    try await TestProject.withProject { project in
      try project.write("pipelines/\(dataset).yaml", Replay.curation(dataset, columns: 14))
      let again = Installed(project)
      for key in keys {
        let bytes = try Data(contentsOf: URL(filePath: first.project.path(".sluice/storage/\(key)")))
        try project.write("deliveries/\(dataset).dat", Array(bytes))
        let run = try await again("run", dataset, "--json")
        #expect(run.status == 0, "\(run.errors)")
      }
      let original = try await first("catalog", "--json").json("catalog").list
      let repeated = try await again("catalog", "--json").json("catalog").list
      #expect(original.count == repeated.count)
      #expect(original.count == keys.count)
      for (one, other) in zip(original, repeated) {
        let left = files(one, first.project)
        let right = files(other, project)
        let sql = """
          with a as (select * exclude (_object) from read_parquet([\(left)])),
            b as (select * exclude (_object) from read_parquet([\(right)]))
          select (select count(*) from (select * from a except all select * from b))
            + (select count(*) from (select * from b except all select * from a)) as n, (select count(*) from a) as rows
          """
        // Data files are nothing that "sluice query" opens.
        let place = DuckDBPlace(
          directory: project.path("."),
          directories: [first.project, project].map { $0.path(".sluice/storage") })
        let compared = try await DuckDB.locate().query(sql, in: place, limits: DuckDBLimits()).rows.first
        #expect(compared?["n"]?.int == 0)
        #expect(compared?["rows"]?.int == one["rows_out"].int)
      }
    }
  }

  private func files(_ snapshot: JSONNode, _ project: TestProject) -> String {
    snapshot["files"].list.compactMap { $0["key"].text }
      .map { "'" + project.path(".sluice/storage/\($0)") + "'" }.joined(separator: ", ")
  }

  /// One text column of the control database, which a verb of this kind keeps running meanwhile.
  private func control(_ sql: String) async throws -> [String] {
    try? FileManager.default.removeItem(atPath: sluice.project.path("look.log"))
    let holder = try sluice.start("control", name: "look")
    defer { kill(holder, SIGTERM) }
    // A verb that started the server itself would take it along.
    try await eventually("control is up") { try sluice.project.text("look.log").contains("control is up") }
    let url = try await sluice("doctor", "--json").json("database_url").text ?? ""
    let connection = try await PostgresConnection.connect(PostgresSettings(url))
    let rows = try await connection.query(SQLStatement(name: "look", text: sql), [])
    let values = rows.compactMap { $0.optionalString(at: 0) }
    await connection.close()
    try await Installed.stop(holder)
    return values
  }
}
