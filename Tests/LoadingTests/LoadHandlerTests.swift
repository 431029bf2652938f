import Catalog
import DuckDB
import JobModel
import JobStore
import Logging
import ObjectStore
import PipelineDefinition
import Postgres
import TestSupport
import Testing

@testable import Loading

@Suite("The job that loads a target")
struct LoadHandlerTests {
  /// A control database with one load job that is claimed, its catalog and its object store, beside a target.
  private struct Control: Sendable {
    let store: JobStore
    let catalog: Catalog
    let objects: LocalObjectStore
    let release: Int64
    let worker: Int64
    let target: TargetFixture

    static func with(_ body: @Sendable (Control) async throws -> Void) async throws {
      try await TargetFixture.with { target in
        try await TestDatabase.withDatabase { database in
          let store = JobStore(database: database.pool)
          let release = try await store.registerRelease(contentHash: "one", files: [], label: nil, engine: "test")
          let session = try await PostgresConnection.connect(database.settings)
          let worker = try await store.registerWorker(
            JobStore.WorkerBirth(release: release, host: "here", pid: 1, engine: "test", slots: 1),
            lease: .seconds(600),
            on: session)
          let control = Control(
            store: store, catalog: Catalog(database: database.pool),
            objects: LocalObjectStore(root: target.directory + "/objects"), release: release, worker: worker,
            target: target)
          do { try await body(control) } catch {
            await session.close()
            throw error
          }
          await session.close()
        }
      }
    }

    var pipeline: Pipeline {
      Pipeline(
        name: "shop",
        curate: [
          CurateStep(name: "orders", from: [], columns: [ContractColumn(name: "name", type: .text, required: true)])
        ],
        load: [
          LoadTarget(
            name: "warehouse", kind: .postgres(url: ValueTemplate(literal: target.url)),
            tables: [TargetFixture.table(.merge, key: ["id"])])
        ])
    }

    /// Commits a snapshot whose one data file holds the SELECT's rows.
    func commit(_ number: Int, _ select: String, run: RunID) async throws {
      let made = try await target.snapshot(number, select)
      let key = try ObjectKey("curated/\(number).parquet")
      let stored = try await objects.adopt(file: made.files[0].localPath, as: key)
      _ = try await store.database.transaction { transaction in
        try await catalog.commit(
          NewSnapshot(
            id: made.uuid, pipeline: "shop", dataset: "orders", runID: run, jobID: JobID(1), isFull: false,
            columns: made.columns.map { SnapshotColumn(name: $0.name, type: $0.type) }
              + [SnapshotColumn(name: "_object", type: "BIGINT"), SnapshotColumn(name: "_position", type: "BIGINT")],
            key: ["id"], cursorField: nil,
            counts: SnapshotCounts(rowsIn: 1, rowsOut: 1, filtered: 0, deduplicated: 0, quarantined: 0),
            quarantineKey: nil, quarantineKeysReadable: true, previousID: nil,
            files: [
              DataFile(
                chunk: 0, key: key.text, partition: "", rows: made.files[0].rows, bytes: stored.bytes,
                sha256: stored.sha256)
            ], taken: []),
          in: transaction)
      }
    }

    /// Claims a load job of a new run.
    func attempt(_ reload: LoadPayload.Reload? = nil) async throws -> JobAttempt {
      let plan = RunPlan(
        pipeline: "shop",
        jobs: [RunPlan.Job(kind: "load", stage: "load", label: "warehouse", payload: #"{"target": "warehouse"}"#)],
        loads: [])
      _ = try await store.enqueue(reload.map { try pipeline.plan($0) } ?? plan, release: release)
      let claims = try await store.claim(worker: worker, limit: 1)
      return JobAttempt(
        claim: try #require(claims.first), store: store, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
      )
    }

    func handler(_ mode: LoadTable.Mode = .merge) async throws -> LoadHandler {
      var pipeline = pipeline
      if mode != .merge { pipeline.load[0].tables = [TargetFixture.table(mode)] }
      return LoadHandler(
        catalog: catalog, objects: objects, duckDB: target.duckDB,
        installation: try await catalog.installation(proposal: "here"), environment: "test",
        scratch: target.directory + "/scratch",
        resolver: ValueResolver(environment: { _ in nil }, secret: { _ in nil }),
        definition: { [pipeline] _ in pipeline })
    }

    /// Ends an attempt that failed, and its run.
    func end(_ attempt: JobAttempt) async throws {
      _ = try await store.endAttempt(attempt.claim.holder, as: .yielded)
      _ = try await store.cancel(run: try #require(attempt.runID))
    }
  }

  @Test("a job loads what the ledger lacks, completes, and tells the catalog, the progress and the history")
  func loads() async throws {
    try await Control.with { control in
      let attempt = try await control.attempt()
      let run = try #require(attempt.runID)
      try await control.commit(1, "select 1 as id, 'a' as name", run: run)
      try await control.commit(2, "select 2 as id, 'b' as name", run: run)
      try await control.handler().run(attempt)
      #expect(attempt.isEnded)
      #expect(attempt.currentProgress.rows == 2)
      #expect(attempt.currentProgress.units == 2)
      #expect(attempt.currentProgress.totalUnits == 2)
      #expect(attempt.currentProgress.bytes > 0)
      #expect(try await control.target.rows("select * from mart.orders order by id") == ["(1,a)", "(2,b)"])
      let records = try await control.catalog.loads(ofRun: run)
      #expect(records.map(\.status) == [.loaded, .loaded])
      #expect(records.map(\.inserted) == [1, 1])
      #expect(records.map(\.table) == ["mart.orders", "mart.orders"])
    }
  }

  @Test("what an earlier attempt committed before it died is told by the next, and not loaded twice")
  func toldLater() async throws {
    try await Control.with { control in
      let dead = try await control.attempt()
      let run = try #require(dead.runID)
      try await control.commit(1, "select 1 as id, 'a' as name", run: run)
      let handler = try await control.handler()
      let load = handler.tableLoad(
        TargetFixture.table(.merge, key: ["id"]), of: control.pipeline, target: "warehouse")
      _ = try await control.target.target.load(
        load,
        by: Loader(
          installation: handler.installation, environment: "test", pipeline: "shop", jobID: dead.jobID,
          ticket: dead.ticket), hooks: LoadHooks())
      #expect(try await control.catalog.loads(ofRun: run) == [])
      _ = try await control.store.endAttempt(dead.claim.holder, as: .yielded)
      let claims = try await control.store.claim(worker: control.worker, limit: 1)
      let next = JobAttempt(claim: try #require(claims.first), store: control.store, logger: dead.logger)
      try await handler.run(next)
      #expect(try await control.catalog.loads(ofRun: run).map(\.inserted) == [1])
      #expect(try await control.target.rows("select ticket from sluice_ledger.ledger") == ["(\(dead.ticket))"])
    }
  }

  @Test("an attempt whose lease moved on loads nothing after the successor and completes nothing")
  func leaseLost() async throws {
    try await Control.with { control in
      let zombie = try await control.attempt()
      let run = try #require(zombie.runID)
      try await control.commit(1, "select 1 as id, 'a' as name", run: run)
      _ = try await control.store.endAttempt(zombie.claim.holder, as: .yielded)
      let claims = try await control.store.claim(worker: control.worker, limit: 1)
      let next = JobAttempt(claim: try #require(claims.first), store: control.store, logger: zombie.logger)
      let handler = try await control.handler()
      try await handler.run(next)
      await #expect {
        try await handler.run(zombie)
      } throws: { error in
        // Its permit is gone, or its ticket is refused, or its lease: it stops at the first it meets.
        error is LeaseLost || error is Fenced
      }
      #expect(!zombie.isEnded)
      #expect(try await control.target.rows("select * from mart.orders") == ["(1,a)"])
    }
  }

  @Test("a control database that is behind its target's ledger catches up and loads at the next attempt")
  func restored() async throws {
    try await Control.with { control in
      let first = try await control.attempt()
      let run = try #require(first.runID)
      try await control.commit(1, "select 1 as id, 'a' as name", run: run)
      let handler = try await control.handler()
      try await handler.run(first)
      // As after a restore from a backup: the ledger has seen tickets that this database has not drawn yet.
      try await control.target.withSession { try await $0.execute("update sluice_ledger.head set ticket = 5000") }

      let behind = try await control.attempt()
      try await control.commit(2, "select 2 as id, 'b' as name", run: run)
      #expect(behind.ticket < 5000)
      await #expect(throws: Fenced.self) { try await handler.run(behind) }
      #expect(try await control.target.rows("select id from mart.orders") == ["(1)"])
      _ = try await control.store.endAttempt(behind.claim.holder, as: .yielded)

      let claims = try await control.store.claim(worker: control.worker, limit: 1)
      let next = JobAttempt(claim: try #require(claims.first), store: control.store, logger: first.logger)
      #expect(next.ticket > 5000)
      try await handler.run(next)
      #expect(try await control.target.rows("select id from mart.orders order by id") == ["(1)", "(2)"])
    }
  }

  @Test(
    "a draining worker gives the job back between chunks and before a transaction of seconds, and what is staged stays",
    arguments: [
      ("", 1, [String]()),
      // So is all of an attempt that follows one that failed.
      ("", 2, ["(1)"]),
      // A merge into rows is staged.
      (
        "create schema mart; create table mart.orders (id integer primary key, name text); insert into mart.orders values (7)",
        1, ["(1)"]
      ),
    ])
  func drain(script: String, number: Int, staged: [String]) async throws {
    try await Control.with { control in
      try await control.target.execute(script)
      let first = try await control.attempt()
      var claim = first.claim
      claim.attempt = number
      let attempt = JobAttempt(claim: claim, store: control.store, logger: first.logger)
      try await control.commit(1, "select 1 as id, 'a' as name", run: try #require(attempt.runID))
      attempt.requestYield()
      let handler = try await control.handler()
      await #expect(throws: JobYield.self) { try await handler.run(attempt) }
      #expect(try await control.target.rows("select rows from sluice_ledger.staged") == staged)
      #expect(try await control.target.rows("select count(*) from sluice_ledger.ledger") == ["(0)"])
    }
  }

  @Test("a table that fails does not keep the next one from being loaded")
  func oneTableFails() async throws {
    try await Control.with { control in
      try await control.target.execute("create schema mart; create view mart.orders as select 1 as id")
      let attempt = try await control.attempt()
      try await control.commit(1, "select 1 as id, 'a' as name", run: try #require(attempt.runID))
      var pipeline = control.pipeline
      pipeline.load[0].tables.append(TargetFixture.table(.append, name: "history"))
      let handler = LoadHandler(
        catalog: control.catalog, objects: control.objects, duckDB: control.target.duckDB, installation: "here",
        environment: "test", scratch: control.target.directory + "/scratch",
        resolver: ValueResolver(environment: { _ in nil }, secret: { _ in nil }),
        definition: { [pipeline] _ in pipeline })
      await #expect { try await handler.run(attempt) } throws: { ($0 as? StageFailure)?.code == "target_not_a_table" }
      #expect(!attempt.isEnded)
      #expect(try await control.target.rows("select id, name from mart.history") == ["(1,a)"])
    }
  }

  @Test("a thousand snapshots that are in are neither listed, asked for nor recorded again by a quiet load")
  func quiet() async throws {
    try await Control.with { control in
      let first = try await control.attempt()
      try await control.commit(5000, "select 1 as id, 'a' as name", run: try #require(first.runID))
      // Older ones, whose files are gone: to read one of them would fail.
      try await control.store.database.execute(
        """
        insert into sluice.snapshot (snapshot_id, number, pipeline, dataset, run_id, job_id, is_full, columns, key, rows_in, rows_out,
          deduplicated, quarantined, created_at)
        overriding system value
        select gen_random_uuid(), -n, 'shop', 'orders', 1, 1, false, '[]', '[]', 0, 0, 0, 0, now() from generate_series(1, 1000) n;
        insert into sluice.loaded
        select snapshot_id, 'warehouse', 'mart.orders', 'loaded', 0, 0, 0, 0, 0, 1, now() from sluice.snapshot where number < 0
        """)
      let handler = try await control.handler()
      let load = handler.tableLoad(
        TargetFixture.table(.merge, key: ["id"]), of: control.pipeline, target: "warehouse")
      let newest = TargetFixture.uuid(5000)
      #expect(try await load.list(nil).snapshots.count == 1)
      #expect(try await load.list(newest) == TableLoad.Listing(unrecorded: [newest], snapshots: []))
      try await handler.run(first)
      #expect(try await load.list(newest) == TableLoad.Listing(snapshots: []))
      #expect(try await control.target.rows("select right(through::text, 4) from sluice_ledger.mark") == ["(5000)"])
    }
  }

  @Test("a job that reloads a table is a load of its own, does nothing to other tables, and records what it loaded")
  func reloads() async throws {
    try await Control.with { control in
      let first = try await control.attempt()
      try await control.commit(1, "select 1 as id, 'a' as name", run: try #require(first.runID))
      let handler = try await control.handler()
      try await handler.run(first)
      try await control.target.execute("drop table mart.orders")
      let ordinary = try await control.attempt()
      await #expect { try await handler.run(ordinary) } throws: { ($0 as? StageFailure)?.code == "target_changed" }
      _ = try await control.store.endAttempt(ordinary.claim.holder, as: .yielded)
      _ = try await control.store.cancel(run: try #require(ordinary.runID))

      let reload = LoadPayload.Reload(target: "warehouse", tables: ["mart.orders"], how: .reload)
      let again = try await control.attempt(reload)
      try await handler.run(again)
      let run = try #require(again.runID)
      #expect(try await control.store.run(run).map(\.kind) == [.load])
      #expect(try await control.target.rows("select * from mart.orders") == ["(1,a)"])
      #expect(try await control.catalog.loads(ofRun: run).map(\.inserted) == [1])
      #expect(again.payload.contains("target") && !again.payload.hasPrefix(#"{"target""#))
    }
  }

  @Test("a catalog that was restored to an older state does not append what it reads again, until someone decides")
  func restoredCatalog() async throws {
    try await Control.with { control in
      let first = try await control.attempt()
      try await control.commit(1, "select 1 as id, 'a' as name", run: RunID(101))
      try await control.commit(2, "select 2 as id, 'b' as name", run: RunID(102))
      let handler = try await control.handler(.append)
      try await handler.run(first)
      try await control.store.database.execute(
        "delete from sluice.loaded where snapshot_id = '\(TargetFixture.uuid(2))'; "
          + "delete from sluice.snapshot where snapshot_id = '\(TargetFixture.uuid(2))'")
      try await control.commit(3, "select 2 as id, 'b' as name", run: RunID(103))
      let ordinary = try await control.attempt()
      await #expect { try await handler.run(ordinary) } throws: { ($0 as? StageFailure)?.code == "target_changed" }
      try await control.end(ordinary)
      #expect(try await control.target.rows("select id from mart.orders order by id") == ["(1)", "(2)"])
      let reload = LoadPayload.Reload(target: "warehouse", tables: ["mart.orders"], how: .reload, id: 70)
      try await handler.run(try await control.attempt(reload))
      #expect(try await control.target.rows("select id from mart.orders order by id") == ["(1)", "(2)"])
    }
  }

  @Test("the catalog's records of loads tell that a ledger was restored to an older state; a reload forgets them")
  func restoredLedger() async throws {
    try await Control.with { control in
      let first = try await control.attempt()
      try await control.commit(1, "select 1 as id, 'a' as name", run: RunID(101))
      try await control.commit(2, "select 2 as id, 'b' as name", run: RunID(102))
      let handler = try await control.handler(.append)
      try await handler.run(first)
      try await control.target.execute(
        "delete from sluice_ledger.ledger where number = 2; "
          + "update sluice_ledger.mark set kept = 1, through = '\(TargetFixture.uuid(1))'")
      let ordinary = try await control.attempt()
      await #expect { try await handler.run(ordinary) } throws: { ($0 as? StageFailure)?.code == "target_changed" }
      try await control.end(ordinary)
      let reload = LoadPayload.Reload(target: "warehouse", tables: ["mart.orders"], how: .reload, id: 71)
      let again = try await control.attempt(reload)
      try await handler.run(again)
      #expect(try await control.target.rows("select id from mart.orders order by id") == ["(1)", "(2)"])
      #expect(try await control.catalog.loads(ofRun: try #require(again.runID)).map(\.status) == [.loaded, .loaded])
    }
  }

  @Test("a snapshot that is left out is recorded as superseded, and the run loads the later ones")
  func leavesOut() async throws {
    try await Control.with { control in
      try await control.target.execute(
        "create schema mart; create table mart.orders (id integer, name varchar(1), _sluice_batch uuid)")
      let first = try await control.attempt()
      try await control.commit(1, "select 1 as id, 'too long' as name", run: RunID(101))
      try await control.commit(2, "select 2 as id, 'b' as name", run: RunID(102))
      let handler = try await control.handler(.append)
      await #expect { try await handler.run(first) } throws: { error in
        let hint = (error as? StageFailure)?.hint
        return hint?.contains("--without \(TargetFixture.uuid(1))") == true
      }
      try await control.end(first)
      let reload = LoadPayload.Reload(
        target: "warehouse", tables: ["mart.orders"], how: .leaveOut, snapshots: [TargetFixture.uuid(1)], id: 72)
      let second = try await control.attempt(reload)
      #expect(second.payload.contains("leave_out"))
      try await handler.run(second)
      #expect(try await control.target.rows("select id from mart.orders") == ["(2)"])
      let records = try await control.catalog.loads(ofRun: try #require(second.runID))
      #expect(Set(records.map { "\($0.snapshotID.suffix(1)) \($0.status)" }) == ["1 superseded", "2 loaded"])
    }
  }
}
