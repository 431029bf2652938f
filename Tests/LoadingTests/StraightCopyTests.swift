import DuckDB
import FoundationEssentials
import JobModel
import PipelineDefinition
import Postgres
import Synchronization
import TestSupport
import Testing

@testable import Loading

@Suite("Snapshots that go straight into their table")
struct StraightCopyTests {
  private static func with(_ body: @Sendable (TargetFixture) async throws -> Void) async throws {
    try await TargetFixture.with { fixture in
      var straight = fixture
      straight.straightRows = StraightCopy.maximumRows
      try await body(straight)
    }
  }

  private let rows = "select id, t from mart.orders order by id"

  @Test(
    "nothing is staged, and table, ledger and mark are as after staging",
    arguments: [LoadTable.Mode.append, .replace, .merge])
  func straight(mode: LoadTable.Mode) async throws {
    try await Self.with { fixture in
      let snapshot = try await fixture.snapshot(
        1, full: mode == .replace, "select 1 as id, 'a' as t", "select 2 as id, null::varchar as t")
      let steps = Steps()
      let hooks = steps.hooks(at: .loadInsideFinal) {
        let seen = try await fixture.staged() + fixture.rows("select from mart.orders")
        #expect(seen.isEmpty)
      }
      let loaded = try await fixture.load(TargetFixture.table(mode), [snapshot], hooks: hooks)
      #expect(
        loaded == [LoadedSnapshot(uuid: snapshot.uuid, status: .loaded, rows: 2, inserted: 2, isNew: true)])
      #expect(steps[.loadInsideFinal] == 1 && steps[.loadChunkStaged] == 0)
      #expect(try await fixture.rows(rows) == ["(1,a)", "(2,)"])
      #expect(try await fixture.rows("select kept from sluice_ledger.mark") == ["(2)"])
      #expect(try await fixture.staged().isEmpty)
      if mode == .append {
        #expect(try await fixture.rows("select distinct _sluice_batch from mart.orders") == ["(\(snapshot.uuid))"])
      }
    }
  }

  @Test(
    "a replacement and a repeat of a batch take the earlier rows out", arguments: [LoadTable.Mode.append, .replace])
  func replaced(mode: LoadTable.Mode) async throws {
    try await Self.with { fixture in
      let first = try await fixture.snapshot(1, full: true, "select unnest([1, 2, 3]) as id, 'a' as t")
      var second = try await fixture.snapshot(2, full: true, "select unnest([3, 4]) as id, 'b' as t")
      second.repeats = [first.uuid]
      try await fixture.load(TargetFixture.table(mode), [first])
      let loaded = try await fixture.load(TargetFixture.table(mode), [first, second], ticket: 2)
      #expect(loaded.last?.inserted == 2 && loaded.last?.deleted == 3)
      #expect(try await fixture.rows(rows) == ["(3,b)", "(4,b)"])
      #expect(try await fixture.rows("select kept from sluice_ledger.mark") == ["(2)"])
    }
  }

  @Test(
    "an attempt that ends at any step is followed by one that finishes, and every row is there once",
    arguments: [KillPoint.loadBeforeFinal, .loadInsideFinal, .loadCommitted],
    [LoadTable.Mode.append, .merge])
  func anyStep(point: KillPoint, mode: LoadTable.Mode) async throws {
    try await Self.with { fixture in
      let snapshots = [
        try await fixture.snapshot(1, "select 1 as id, 'a' as t", "select 2 as id, 'b' as t"),
        try await fixture.snapshot(2, "select 3 as id, 'c' as t"),
      ]
      let table = TargetFixture.table(mode)
      await #expect(throws: Fault.self) {
        try await fixture.load(table, snapshots, hooks: Steps().hooks(at: point) { throw Fault() })
      }
      try await fixture.load(table, snapshots, ticket: 2)
      #expect(try await fixture.rows(rows) == ["(1,a)", "(2,b)", "(3,c)"])
      #expect(try await fixture.rows("select count(*), sum(inserted) from sluice_ledger.ledger") == ["(2,3)"])
    }
  }

  @Test("a worker that hangs within its COPY is ended by its successor", arguments: [1, 2])
  func hung(job: Int64) async throws {
    try await Self.with { fixture in
      let snapshot = try await fixture.snapshot(1, "select 1 as id, 'a' as t")
      let append = TargetFixture.table(.append)
      let failure = await fixture.failure(
        append, [snapshot],
        hooks: Steps().hooks(at: .loadInsideFinal) {
          try await fixture.load(append, [snapshot], ticket: 2, job: job)
        })
      #expect(failure?.isTransient == true)
      #expect(try await fixture.rows(rows) == ["(1,a)"])
      #expect(try await fixture.rows("select ticket from sluice_ledger.ledger") == ["(2)"])
    }
  }

  @Test("a merge is straight only into an empty table; with rows of others that come in between it merges after all")
  func merge() async throws {
    try await Self.with { fixture in
      let merge = TargetFixture.table(.merge)
      let first = try await fixture.snapshot(1, "select 1 as id, 'a' as t", "select 2 as id, 'b' as t")
      let second = try await fixture.snapshot(2, "select 2 as id, 'c' as t", "select 3 as id, 'd' as t")
      let steps = Steps()
      let hooks = steps.hooks(at: .loadBeforeFinal) {
        guard steps[.loadBeforeFinal] == 1 else { return }
        try await fixture.execute("insert into mart.orders values (2, 'other'), (9, 'other')")
      }
      let loaded = try await fixture.load(merge, [first], hooks: hooks)
      #expect(steps[.loadBeforeFinal] == 2 && steps[.loadChunkStaged] == 2)
      #expect(steps.events == ["staged_instead"])
      #expect(loaded.last?.inserted == 1 && loaded.last?.updated == 1)
      #expect(try await fixture.rows(rows) == ["(1,a)", "(2,b)", "(9,other)"])

      let more = Steps()
      let next = try await fixture.load(merge, [first, second], ticket: 2, hooks: more.hooks())
      #expect(more[.loadChunkStaged] == 2)
      #expect(next.last?.inserted == 1 && next.last?.updated == 1)
      #expect(try await fixture.rows(rows) == ["(1,a)", "(2,c)", "(3,d)", "(9,other)"])
      #expect(try await fixture.staged().isEmpty)
    }
  }

  @Test(
    "what staging refuses is refused with the same words, and nothing is in",
    arguments: [
      (LoadTable.Mode.merge, "select unnest([1, 1]) as id, 'a' as t", "key_repeated"),
      (.merge, "select unnest([1, null]) as id, 'a' as t", "key_null"),
      (.append, "select 1 as id, 'a' || chr(0) as t", "nul_byte"),
    ])
  func refused(_ one: (mode: LoadTable.Mode, select: String, code: String)) async throws {
    try await Self.with { fixture in
      let snapshot = try await fixture.snapshot(1, key: [], "select 7 as id, 'x' as t", one.select)
      let failure = await fixture.failure(TargetFixture.table(one.mode, key: ["id"]), [snapshot])
      #expect(failure?.code == one.code)
      #expect(try await fixture.rows("select from mart.orders").isEmpty)
    }
  }

  @Test("many files of many columns are staged: one child has not the memory for all", arguments: [1000, 1001])
  func wide(columns: Int) async throws {
    try await Self.with { fixture in
      let select = "select " + (1...columns).map { "\($0) as c\($0)" }.joined(separator: ", ")
      var snapshot = try await fixture.snapshot(1, key: [], select)
      let file = snapshot.files[0]
      snapshot.files = (0..<4).map { chunk in
        DataFileToLoad(
          chunk: chunk, key: "\(file.key)-\(chunk)", localPath: file.localPath, rows: 1, sha256: "\(chunk)")
      }
      let steps = Steps()
      try await fixture.load(TargetFixture.table(.append), [snapshot], hooks: steps.hooks())
      #expect(steps[.loadChunkStaged] == (columns > 1000 ? 4 : 0))
      #expect(try await fixture.rows("select count(*), sum(c7) from mart.orders") == ["(4,28)"])
    }
  }

  @Test(
    "a child that has not the memory for all files is followed by one for each",
    arguments: [LoadTable.Mode.append, .replace])
  func outOfMemory(mode: LoadTable.Mode) async throws {
    try await Self.with { fixture in
      let snapshot = try await fixture.snapshot(1, full: true, "select 1 as id, 'a' as t", "select 2 as id, 'b' as t")
      let narrow = "\(fixture.directory)/narrow-duckdb"
      let script = #"""
        #!/bin/sh
        input=$(cat)
        case "$input" in *"union all"*) echo "Out of Memory Error: failed to allocate data" >&2; exit 1 ;; esac
        printf '%s\n' "$input" | "\#(fixture.duckDB.executable)" "$@"
        """#
      try script.write(toFile: narrow, atomically: true, encoding: .utf8)
      try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: narrow)
      var small = TargetFixture(
        url: fixture.url, directory: fixture.directory,
        duckDB: DuckDB(executable: narrow, extensionDirectory: fixture.duckDB.extensionDirectory))
      small.straightRows = StraightCopy.maximumRows
      let steps = Steps()
      let told = Told()
      var hooks = steps.hooks()
      hooks.event = { kind, message in told.note("\(kind): \(message)") }
      let loaded = try await small.load(TargetFixture.table(mode), [snapshot], hooks: hooks)
      #expect(
        told.all == [
          "staged_instead: target warehouse, table mart.orders: snapshot \(snapshot.uuid) goes through a staging table, because one "
            + "DuckDB child has not the memory to encode all of it by one COPY"
        ])
      #expect(steps[.loadBeforeFinal] == 2 && steps[.loadChunkStaged] == 2)
      #expect(loaded.last?.inserted == 2 && loaded.last?.deleted == 0)
      #expect(try await fixture.rows(rows) == ["(1,a)", "(2,b)"])
      #expect(try await fixture.staged().isEmpty)
    }
  }

  @Test("a COPY that the table takes too long for is ended, and the rows are staged over the same session")
  func outOfTime() async throws {
    try await Self.with { fixture in
      let snapshot = try await fixture.snapshot(1, "select 1 as id, 'a' as t", "select 2 as id, 'b' as t")
      try await fixture.execute("create schema mart; create table mart.orders (id integer primary key, t text)")
      let clock = ToldClock()
      var slow = TargetFixture(
        url: fixture.url, directory: fixture.directory,
        duckDB: DuckDB(
          executable: fixture.duckDB.executable, extensionDirectory: fixture.duckDB.extensionDirectory, clock: clock))
      slow.straightRows = StraightCopy.maximumRows
      let other = try await PostgresConnection.connect(try PostgresSettings(fixture.url, applicationName: "other"))
      // The key's index makes the COPY wait for the end of this transaction.
      try await other.execute("begin; insert into mart.orders values (1, 'other')")
      let steps = Steps()
      let hooks = steps.hooks(at: .loadChunkStaged) { await other.close() }
      async let load = slow.load(TargetFixture.table(.merge), [snapshot], hooks: hooks)
      try await eventually("the COPY waits") {
        try await !fixture.rows("select from pg_locks where not granted and locktype = 'transactionid'").isEmpty
      }
      clock.tell()
      let loaded = try await load
      #expect(steps.events == ["staged_instead"])
      #expect(steps[.loadBeforeFinal] == 2 && steps[.loadChunkStaged] == 2)
      #expect(loaded.last?.inserted == 2)
      #expect(try await fixture.rows(rows) == ["(1,a)", "(2,b)"])
      #expect(try await fixture.staged().isEmpty)
    }
  }

  @Test(
    "a data file that is missing is named, whether its rows are staged or not",
    arguments: [0, StraightCopy.maximumRows])
  func missing(straightRows: Int64) async throws {
    try await Self.with { fixture in
      var fixture = fixture
      fixture.straightRows = straightRows
      let snapshot = try await fixture.snapshot(1, "select 1 as id, 'a' as t", "select 2 as id, 'b' as t")
      try FileManager.default.removeItem(atPath: snapshot.files[1].localPath)
      let failure = await fixture.failure(TargetFixture.table(.append), [snapshot])
      #expect(failure?.isTransient == false)
      if straightRows > 0 { #expect(failure?.code == "data_file_unreadable") }
      #expect(try await fixture.rows("select from mart.orders").isEmpty)
    }
  }

  @Test("a file with other rows than the catalog says leaves nothing in the table")
  func differs() async throws {
    try await Self.with { fixture in
      var snapshot = try await fixture.snapshot(1, "select 1 as id", "select 2 as id")
      snapshot.files[1].rows = 2
      #expect(await fixture.failure(TargetFixture.table(.append), [snapshot])?.code == "data_file_differs")
      #expect(try await fixture.rows("select from mart.orders").isEmpty)
    }
  }

  @Test("more rows than the limit are staged, and so is what an earlier attempt began to stage")
  func staged() async throws {
    try await Self.with { fixture in
      let append = TargetFixture.table(.append)
      let snapshot = try await fixture.snapshot(1, "select 1 as id, 'a' as t", "select 2 as id, 'b' as t")
      var careful = fixture
      careful.straightRows = 1
      await #expect(throws: Fault.self) {
        try await careful.load(append, [snapshot], hooks: Steps().hooks(at: .loadBeforeFinal) { throw Fault() })
      }
      #expect(try await fixture.rows("select count(*) from sluice_ledger.staged") == ["(2)"])
      let steps = Steps()
      try await fixture.load(
        append, [snapshot], ticket: 2,
        hooks: steps.hooks(at: .loadInsideFinal) {
          let staged = try await fixture.staged()
          #expect(!staged.isEmpty)
        })
      #expect(steps[.loadChunkStaged] == 0 && steps[.loadInsideFinal] == 1)
      #expect(try await fixture.rows(rows) == ["(1,a)", "(2,b)"])
      #expect(try await fixture.staged().isEmpty)
    }
  }
}

/// A clock whose first sleep is over when it is told to be; the others are real.
private final class ToldClock: Clock {
  private let isFirst = Mutex(true)
  private let told: AsyncStream<Void>
  private let teller: AsyncStream<Void>.Continuation

  init() { (told, teller) = AsyncStream.makeStream() }

  var now: ContinuousClock.Instant { ContinuousClock.now }
  var minimumResolution: Duration { .zero }

  func tell() { teller.yield() }

  func sleep(until deadline: ContinuousClock.Instant, tolerance: Duration?) async throws {
    let isFirst = isFirst.withLock { first in
      defer { first = false }
      return first
    }
    guard isFirst else { return try await ContinuousClock().sleep(until: deadline, tolerance: tolerance) }
    for await _ in told { return }
    try Task.checkCancellation()
  }
}
