import FoundationEssentials
import JobModel
import JobStore
import ObjectStore
import Postgres
import Synchronization
import TestSupport
import Testing

@testable import Releases

@Suite("What is stored of releases that nothing needs is removed")
struct ReleaseRetentionTests {
  /// What keeps a release, and `nothing`.
  enum Hold: String, CaseIterable, Sendable {
    case nothing, youth, rollback, state, run, job, deadJob, deadAlone, otherDefinition, schedule, message, worker
  }

  /// A retired release with a finished run, behind eleven that were current after it.
  private func old(_ bench: ReleaseBench, except hold: Hold) async throws -> JobStore.ReleaseRecord {
    let old = try await bench.current("old")
    let worker = try await bench.worker(of: old)
    let run = try await bench.run()
    func end(_ claims: Int) async throws {
      for _ in 0..<claims { try await bench.complete(try #require(try await bench.claim(worker, of: old).first)) }
    }
    switch hold {
    case .job, .otherDefinition: break
    case .deadJob, .deadAlone:
      let claim = try #require(try await bench.claim(worker, of: old).first)
      try await bench.session.execute(
        """
        delete from sluice.lease where job_id = \(claim.jobID.rawValue);
        insert into sluice.dead (job_id, lane_id, attempt, epoch, since)
        select job_id, lane_id, 1, 1, now() from sluice.job where job_id = \(claim.jobID.rawValue);
        delete from sluice.blocked;
        update sluice.run set state = 'failed' where run_id = \(run.rawValue);
        update sluice.job set run_id = null where job_id = \(claim.jobID.rawValue) and \(hold == .deadAlone)
        """)
    default: try await end(2)
    }
    if hold != .worker { try await bench.store.workerLeaves(worker) }
    let last = try await bench.current("next")
    if hold == .otherDefinition {
      // Its jobs are on another engine; their definition is its own still.
      try await bench.session.execute("update sluice.lane set engine_id = \(last.id), takes_new = false")
    }
    for number in 0..<(hold == .rollback ? 8 : 10) { _ = try await bench.current("later \(number)") }
    try await bench.desk.retire()
    let state = [.job, .otherDefinition, .state].contains(hold) ? "DRAINING" : "RETIRED"
    try await bench.session.execute(
      """
      update sluice.release set state = '\(state)', changed_at = now() - interval '\(hold == .youth ? 29 : 31) days'
      where release_id = \(old.id)
      """)
    switch hold {
    // Whatever a state says, what is there counts.
    case .job, .otherDefinition:
      try await bench.session.execute("update sluice.release set state = 'RETIRED' where release_id = \(old.id)")
    case .run:
      try await bench.session.execute("update sluice.run set state = 'running' where run_id = \(run.rawValue)")
    case .schedule:
      try await bench.session.execute(
        """
        insert into sluice.schedule (pipeline, release_id, cron, timezone, overlap, catch_up, considered_at)
        values ('p', \(old.id), '* * * * *', 'UTC', 'skip', 'none', now())
        """)
    case .message:
      try await bench.session.execute(
        """
        insert into sluice.outbox (kind, pipeline, run_id, body, created_at, next_at)
        values ('failed', 'p', \(run.rawValue), '{}', now(), now())
        """)
    default: break
    }
    return old
  }

  private func with(_ body: @Sendable (ReleaseBench, ReleaseRetention, EngineStore) async throws -> Void) async throws {
    try await TestProject.withProject { folder in
      try await ReleaseBench.with { bench in
        let engines = EngineStore(
          objects: LocalObjectStore(root: folder.path("store")), cache: folder.path("cache"))
        try await body(bench, ReleaseRetention(store: bench.store, engines: engines), engines)
      }
    }
  }

  @Test("a release is removed only when nothing holds it", arguments: Hold.allCases)
  func holds(_ hold: Hold) async throws {
    try await with { bench, retention, _ in
      let old = try await old(bench, except: hold)
      let removed = try await retention.run().releases
      let after = try #require(try await bench.store.release(old.id))
      let files = try await bench.session.query(
        "select from sluice.release_file where release_id = $1", [.int(old.id)]
      ).count
      guard hold == .nothing else {
        #expect(removed.isEmpty && after.removedAt == nil && files == 1)
        return
      }
      #expect(removed == ["old"] && after.removedAt != nil && files == 0)
      #expect(try await bench.store.auditTrail(of: old.id).first?.action == "remove")
      // It cannot be rolled back to, and what was cancelled of it cannot be taken up again.
      let refusal = await #expect(throws: ReleaseRefusal.self) { try await bench.promote(old) }
      #expect(refusal?.code == "release_removed")
      // Deployed again, it is whole.
      _ = try await bench.stage("old")
      #expect(try await bench.store.release(old.id)?.removedAt == nil)
      #expect(try await bench.store.releaseFiles(old.id).files.count == 1)
    }
  }

  @Test("a person is told what holds a release, and what would free it")
  func named() async throws {
    try await with { bench, _, _ in
      let old = try await old(bench, except: .deadJob)
      let holds = try await bench.store.holds(of: old.id)
      #expect(holds.map(\.kind) == [.dead])
      #expect(holds.first?.id == 1 && holds.first?.name == "p")
      try await bench.session.execute("update sluice.run set state = 'cancelled'")
      #expect(try await bench.store.holds(of: old.id).isEmpty, "who cancels the run gives its dead jobs up")
      let author = ReleaseBench.author
      #expect(
        try await bench.store.removeReleases(after: .zero, keeping: 0, only: old.id, by: author) == ["old"])
      let failure = await #expect(throws: StageFailure.self) { try await bench.store.retry(run: RunID(1)) }
      #expect(failure?.code == "release_rejected")
    }
  }

  @Test("a dead job without a run keeps its release, and a person is told so")
  func deadAlone() async throws {
    try await with { bench, _, _ in
      let old = try await old(bench, except: .deadAlone)
      let holds = try await bench.store.holds(of: old.id)
      #expect(holds.map(\.kind) == [.dead])
      #expect(holds.first?.id == nil && holds.first?.name == "p" && holds.first?.number == 1)
      let removed = try await bench.store.removeReleases(
        after: .zero, keeping: 0, only: old.id, by: ReleaseBench.author)
      #expect(removed.isEmpty)
    }
  }

  @Test("an engine that this database does not know stays: the storage may be another database's as well")
  func unknownEngine() async throws {
    try await with { bench, retention, engines in
      let (known, unknown) = (String(repeating: "b", count: 64), String(repeating: "c", count: 64))
      let release = try await bench.stage("one")
      try await bench.session.execute(
        "update sluice.release set engine_hash = '\(known)', removed_at = now() where release_id = \(release.id)")
      for hash in [known, unknown] {
        let key = try EngineStore.key(hash)
        try await engines.objects.put(key, condition: .absent, bytes: [1])
        let path = try #require(engines.objects.localPath(key))
        let age = Date(timeIntervalSinceNow: -2 * 86_400)
        try FileManager.default.setAttributes([.modificationDate: age], ofItemAtPath: path)
      }
      #expect(try await retention.run().engines == [known])
      #expect(try await engines.stored().map(\.hash) == [unknown])
    }
  }

  @Test("an engine goes with the last release that has it, not while one is staged, and not a young one")
  func engines() async throws {
    try await with { bench, retention, engines in
      let hash = String(repeating: "a", count: 64)
      let key = try EngineStore.key(hash)
      try await engines.objects.put(key, condition: .absent, bytes: [1])
      #expect(try await retention.run().engines.isEmpty, "its deploy may be under way")
      let release = try await bench.stage("one")
      try await bench.session.execute(
        "update sluice.release set engine_hash = '\(hash)' where release_id = \(release.id)")
      #expect(try await bench.store.whileUnneeded(engine: hash) { Issue.record("a release has it") } == false)
      try await bench.session.execute("update sluice.release set removed_at = now()")
      // What is staged at this moment finds out, and is staged as soon as the removal is over.
      let pool = PostgresPool(bench.settings, maximum: 2)
      let staged = Mutex<Task<JobStore.ReleaseRecord, any Error>?>(nil)
      let isRemoved = try await bench.store.whileUnneeded(engine: hash) {
        let other = JobStore(database: pool)
        let task = Task.detached {
          let refused = await #expect(throws: EnginesSwept.self) {
            try await other.moveReleases { try await other.stage(Self.release, in: $0) }
          }
          return refused
        }
        #expect(await task.value != nil)
        staged.withLock {
          $0 = Task.detached {
            try await ReleaseDesk(store: other).stage(Self.release, cap: 8, by: ReleaseBench.author)
          }
        }
      }
      #expect(isRemoved)
      let task = staged.withLock { $0 }
      #expect(try await task?.value.state == .staged)
      await pool.close()
    }
  }

  @Test("a storage that does not delete in time keeps no release from being staged")
  func slowStorage() async throws {
    try await with { bench, _, _ in
      let pool = PostgresPool(bench.settings, maximum: 2)
      let store = JobStore(database: pool)
      await #expect(throws: PostgresError.self) {
        try await store.whileUnneeded(engine: String(repeating: "a", count: 64), within: .milliseconds(100)) {
          try await eventually("the lock ends") {
            do { _ = try await bench.desk.stage(Self.release, cap: 8, by: ReleaseBench.author) } catch is EnginesSwept {
              return false
            }
            return true
          }
        }
      }
      await pool.close()
    }
  }

  private static let release = JobStore.NewRelease(
    contentHash: "three", definitionHash: "d", label: nil, engine: "1", engineHash: "e", engineBytes: 1,
    schemaNumber: 5,
    formats: EngineFormats(reads: [], writes: []), files: [])

  @Test("definitions from before any deploy go when no run names them; one that is registered again stays")
  func implicit() async throws {
    try await with { bench, retention, _ in
      func register(_ name: String) async throws -> Int64 {
        try await bench.store.registerRelease(
          contentHash: name, files: [("pipelines/p.yaml", Array(name.utf8))], label: nil, engine: "1")
      }
      let used = try await register("used")
      _ = try await register("unused")
      _ = try await register("again")
      _ = try await bench.run(with: .implicit(used))
      try await bench.session.execute("update sluice.release set changed_at = now() - interval '31 days'")
      _ = try await register("again")
      #expect(try await retention.run().definitions == 1)
      let left = try await bench.session.query("select content_hash from sluice.release order by 1", [])
      #expect(try left.map { try $0.string("content_hash") } == ["again", "used"])
    }
  }
}
