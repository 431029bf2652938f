import Catalog
import JobModel
import Postgres
import TestSupport
import Testing

@Suite("The history of a stream")
struct HistoryGrowthTests {
  /// Files that each run brings.
  private static let files = 20

  /// The pages that a statement reads, in the cache or on disk.
  private static func pages(
    _ name: String, _ values: [PostgresValue], on session: PostgresConnection
  ) async throws -> Int {
    let statement = try #require(catalogStatements.first { $0.name == name })
    let text = "explain (analyze, buffers, costs off, timing off, summary off) \(statement.text)"
    let plan = try await session.query(SQLStatement(name: name, text: text), values).compactMap {
      $0.optionalString(at: 0)
    }
    // Of the topmost node, which counts those below it.
    let line = try #require(plan.first { $0.contains("Buffers: shared") }, "\(plan)")
    return line.split(whereSeparator: { " =".contains($0) }).compactMap { Int($0) }.reduce(0, +)
  }

  /// Adds runs that brought files and were taken; the last of all is not taken yet.
  private static func add(_ runs: ClosedRange<Int>, on session: PostgresConnection) async throws {
    let (first, last) = (runs.lowerBound, runs.upperBound)
    try await session.execute(
      """
      set session_replication_role = replica;
      insert into sluice.run (run_id, pipeline, kind, release_id, state, pending, run_at, created_at) overriding system value
        select r, 'p', 'batch', 1, 'succeeded', 0, now(), now() from generate_series(\(first), \(last)) as r;
      insert into sluice.sealed (run_id, pipeline, source, stream, read, sealed_at)
        select r, 'p', 's', t, 'incremental', now() from generate_series(\(first), \(last)) as r, unnest(array['a', 'b']) as t;
      insert into sluice.consumed (pipeline, dataset, source, stream, run_id, snapshot_id)
        select 'p', 'd', 's', 'a', r, gen_random_uuid() from generate_series(\(first), \(last - 1)) as r;
      insert into sluice.raw_object (run_id, job_id, epoch, pipeline, source, stream, sequence, key, bytes, sha256, request,
          origin_bytes, origin_sha256, fetched_at)
        select r, r, 1, 'p', 's', 'a', f, r || '/' || f, 1, 'h', 'in/' || case when f = 1 then 'same' else r || '-' || f end,
          1, 'h' || r, now()
        from generate_series(\(first), \(last)) as r, generate_series(1, \(files)) as f;
      """)
    try await session.execute("vacuum analyze sluice.raw_object, sluice.sealed, sluice.consumed, sluice.run")
  }

  @Test("makes neither the question for known files nor that for due raw dearer")
  func flat() async throws {
    try await TestDatabase.withDatabase { database in
      let session = try await PostgresConnection.connect(database.settings)
      // What the last run brought, and files that no run has seen.
      func seen(_ run: Int) async throws -> Int {
        let known = ["in/same"] + (2...Self.files).map { "in/\(run)-\($0)" }
        let paths = known + (1...Self.files).map { "in/new-\($0)" }
        return try await Self.pages(
          "seen_files", [.text("p"), .text("s"), .text("a"), .int(Int64(run + 1)), .texts(paths)], on: session)
      }
      func due(_ run: Int) async throws -> Int {
        try await Self.pages(
          "due_runs", [.text("p"), .text("d"), .texts(["s"]), .texts(["a"]), .int(Int64(run))], on: session)
      }
      try await Self.add(1...50, on: session)
      let (firstSeen, firstDue) = (try await seen(50), try await due(50))
      try await Self.add(51...1500, on: session)
      let (lastSeen, lastDue) = (try await seen(1500), try await due(1500))
      // An index of 30 times the size has one level more.
      #expect(lastSeen <= firstSeen + 2 * 2 * 2 * Self.files, "\(firstSeen) pages, then \(lastSeen)")
      // Two runs of the stream are due now, as nothing took the 50th; their places fill a few pages of two indexes.
      #expect(lastDue <= firstDue + 60, "\(firstDue) pages, then \(lastDue)")
      await session.close()
    }
  }

  @Test("knows the newest version of a file that finished runs took, and no file that was not asked for")
  func newest() async throws {
    try await TestDatabase.withDatabase { database in
      let session = try await PostgresConnection.connect(database.settings)
      try await Self.add(1...3, on: session)
      try await session.execute(
        "delete from sluice.sealed where run_id = 3; update sluice.sealed set skipped = run_id = 2")
      let stream = StreamID(pipeline: "p", source: "s", stream: "a")
      let catalog = Catalog(database: database.pool)
      func seen(_ run: Int64, _ paths: [String]) async throws -> [String] {
        try await catalog.seenFiles(of: stream, run: RunID(run), among: paths).map { "\($0.path) \($0.sha256)" }
          .sorted()
      }
      // The third run is not finished: only it knows what it has.
      #expect(try await seen(4, ["in/same", "in/1-2", "in/3-2", "in/none"]) == ["in/1-2 h1", "in/same h2"])
      #expect(try await seen(3, ["in/same", "in/3-2"]) == ["in/3-2 h3", "in/same h3"])
      #expect(try await seen(4, []) == [])
      // The second was skipped by a person, and the third is not sealed.
      let due = try await catalog.dueRaw(pipeline: "p", dataset: "other", streams: [stream], upTo: RunID(9))
      #expect(due.first?.runs.map(\.id) == [RunID(1)])
      await session.close()
    }
  }
}
