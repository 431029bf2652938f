import JobModel
import JobStore
import Postgres
import TestSupport
import Testing

@testable import Releases

@Suite("Releases move from state to state")
struct ReleaseDeskTests {
  @Test("one is current; the one before drains, is drained once nothing is left, and retired once its workers are gone")
  func lifeOfARelease() async throws {
    try await ReleaseBench.with { bench in
      let one = try await bench.current("one")
      let worker = try await bench.worker(of: one)
      try await bench.run()
      let two = try await bench.current("two")
      #expect(try await bench.state(one) == .draining)
      #expect(try await bench.state(two) == .current)
      try await bench.desk.retire()
      #expect(try await bench.state(one) == .draining, "a job waits for its worker")

      let ingest = try #require(try await bench.claim(worker, of: one).first)
      try await bench.desk.retire()
      #expect(try await bench.state(one) == .draining, "a job runs")
      try await bench.complete(ingest)
      let curate = try #require(try await bench.claim(worker, of: one).first, "what waited for it is its own release's")
      try await bench.complete(curate)
      try await bench.desk.retire()
      #expect(try await bench.state(one) == .drained)
      try await bench.store.workerLeaves(worker)
      try await bench.desk.retire()
      #expect(try await bench.state(one) == .retired)

      let trail = try await bench.store.auditTrail(of: one.id).map(\.action)
      #expect(trail == ["retired", "drained", "drain", "promote", "stage"])
      #expect(try await bench.store.auditTrail(of: one.id).last?.actor == "tester")
    }
  }

  @Test("a rollback goes to the release that was current before, also a retired one, and back again")
  func rollback() async throws {
    try await ReleaseBench.with { bench in
      await #expect(throws: ReleaseRefusal.self) { try await bench.desk.predecessor() }
      let one = try await bench.current("one")
      await #expect(throws: ReleaseRefusal.self) { try await bench.desk.predecessor() }
      let two = try await bench.current("two")
      try await bench.desk.retire()
      #expect(try await bench.state(one) == .retired)
      let (earlier, current) = try await bench.desk.predecessor()
      #expect(earlier.id == one.id && current.id == two.id)
      try await bench.promote(earlier)
      #expect(try await bench.state(one) == .current)
      #expect(try await bench.state(two) == .draining)
      #expect(try await bench.desk.predecessor().earlier.id == two.id)
      #expect(try await bench.store.releases(in: .current).count == 1)
    }
  }

  @Test("a second rollback in a row does not return to the release that was left: it is refused until it names one")
  func secondRollback() async throws {
    try await ReleaseBench.with { bench in
      let zero = try await bench.current("zero")
      let one = try await bench.current("one")
      _ = try await bench.current("bad")
      let (earlier, current) = try await bench.desk.predecessor()
      #expect(earlier.id == one.id)
      try await bench.rollback(to: earlier, from: current)
      let refusal = await #expect(throws: ReleaseRefusal.self) { try await bench.desk.predecessor() }
      #expect(refusal?.code == "rolled_back_already")
      #expect(refusal?.message.contains("one took the place of bad (a test)") == true)
      #expect(refusal?.hint?.contains("sluice rollback --to") == true)
      // Named, it goes; and after the next deploy the one before is clear again.
      try await bench.rollback(to: zero)
      await #expect(throws: ReleaseRefusal.self) { try await bench.desk.predecessor() }
      _ = try await bench.current("good")
      #expect(try await bench.desk.predecessor().earlier.id == zero.id)
    }
  }

  @Test("two rollbacks at once are one: the second finds another release current")
  func rollbacksAtOnce() async throws {
    try await ReleaseBench.with { bench in
      let one = try await bench.current("one")
      _ = try await bench.current("two")
      let (earlier, current) = try await bench.desk.predecessor()
      try await bench.rollback(to: earlier, from: current)
      let refusal = await #expect(throws: ReleaseRefusal.self) { try await bench.rollback(to: current, from: current) }
      #expect(refusal?.code == "current_changed")
      #expect(try await bench.state(one) == .current)
    }
  }

  @Test("a rejected canary is not the release before, and its end is not followed by a rollback of the current release")
  func rollbackAfterCanary() async throws {
    try await ReleaseBench.with { bench in
      let one = try await bench.current("one")
      let two = try await bench.current("two")
      let canary = try await bench.stage("canary")
      _ = try await bench.desk.beginCanary(canary.id, ramp: 1000, evidence: .seconds(60), by: ReleaseBench.author)
      #expect(try await bench.desk.reject(canary.id, by: ReleaseBench.author))
      let refusal = await #expect(throws: ReleaseRefusal.self) { try await bench.desk.predecessor() }
      #expect(refusal?.message.contains("the end of the canary canary") == true)
      #expect(refusal?.hint?.contains("sluice rollback --to one") == true)
      // One that was current once, and was rejected as a canary since.
      try await bench.rollback(to: one)
      try await bench.desk.retire()
      let again = try await bench.stage("two")
      #expect(again.id == two.id)
      _ = try await bench.desk.beginCanary(again.id, ramp: 1000, evidence: .seconds(60), by: ReleaseBench.author)
      #expect(try await bench.desk.reject(again.id, by: ReleaseBench.author))
      _ = try await bench.current("three")
      #expect(try await bench.desk.predecessor().earlier.id == one.id)
      // A deploy that did not start ends without having been anything: it stands in no rollback's way.
      let failed = try await bench.stage("failed")
      #expect(try await bench.desk.reject(failed.id, by: ReleaseBench.author))
      #expect(try await bench.desk.predecessor().earlier.id == one.id)
    }
  }

  @Test("runs begin with the canary in the share that it is given, and keep their side")
  func canaryShare() async throws {
    try await ReleaseBench.with { bench in
      let one = try await bench.current("one")
      let two = try await bench.stage("two")
      await #expect(throws: ReleaseRefusal.self, "two canaries") {
        let three = try await bench.stage("three")
        _ = try await bench.desk.beginCanary(two.id, ramp: 2500, evidence: .seconds(60), by: ReleaseBench.author)
        _ = try await bench.desk.beginCanary(three.id, ramp: 2500, evidence: .seconds(60), by: ReleaseBench.author)
      }
      var onCanary = 0
      for _ in 0..<400 {
        let assignment = try #require(try await bench.store.assignRun())
        #expect(assignment.release == one.id || assignment.release == two.id)
        if assignment.release == two.id { onCanary += 1 }
        let run = try #require(assignment.run)
        let again = RunAssignment.deployed(current: one.id, canary: (two.id, 2500), run: run)
        #expect(again == assignment)
      }
      // 100 are expected; these bounds are five standard deviations away.
      #expect((57...143).contains(onCanary))
      // A second canary, or another promotion, is refused as long as there is one.
      await #expect(throws: ReleaseRefusal.self) { try await bench.stage("four") }
      #expect(try await bench.desk.reject(two.id, by: ReleaseBench.author))
      #expect(try await bench.state(two) == .rejected)
      #expect(try await bench.store.assignRun()?.release == one.id)
      await #expect(throws: ReleaseRefusal.self) { try await bench.promote(two) }
    }
  }

  @Test("a run cannot begin with a release that stopped taking runs after it was assigned")
  func lateRun() async throws {
    try await ReleaseBench.with { bench in
      _ = try await bench.current("one")
      let assignment = try #require(try await bench.store.assignRun())
      _ = try await bench.current("two")
      await #expect(throws: ReleaseMoved.self) { try await bench.run(with: assignment) }
      #expect(try await bench.store.runs().isEmpty)
    }
  }

  @Test("whoever moves releases waits for a claim that has begun, and the claim is seen")
  func claimBeside() async throws {
    try await ReleaseBench.with { bench in
      let one = try await bench.current("one")
      let worker = try await bench.worker(of: one)
      try await bench.run()
      let two = try await bench.stage("two")
      let other = try await PostgresConnection.connect(bench.settings)
      // A claim between its lock and its snapshot.
      try await other.execute("begin; select pg_advisory_xact_lock_shared(7351904228)")
      let promoting = Task { try await bench.promote(two) }
      try await eventually("the promotion waits for the lock") {
        try await !bench.session.query(
          "select from pg_locks where locktype = 'advisory' and mode = 'ExclusiveLock' and not granted"
        ).isEmpty
      }
      #expect(try await bench.state(one) == .current)
      try await other.execute("commit")
      _ = try await promoting.value
      await other.close()
      #expect(try await bench.state(one) == .draining)
      #expect(try await bench.claim(worker, of: one).count == 1)
    }
  }

  @Test("a dead job pins no release; taken up again it opens its own, and never a rejected one")
  func deadJobs() async throws {
    try await ReleaseBench.with { bench in
      let one = try await bench.current("one")
      let worker = try await bench.worker(of: one)
      let run = try await bench.run()
      let claim = try #require(try await bench.claim(worker, of: one).first)
      _ = try await bench.store.endAttempt(claim.holder, as: .dead(failure: "{\"code\":\"x\"}"))
      try await bench.store.workerLeaves(worker)
      _ = try await bench.current("two")
      try await bench.desk.retire()
      #expect(try await bench.state(one) == .retired)

      #expect(try await bench.store.retry(run: run) == 1)
      #expect(try await bench.state(one) == .draining)
      let later = try await bench.worker(of: one)
      let again = try #require(try await bench.claim(later, of: one).first)
      _ = try await bench.store.endAttempt(again.holder, as: .dead(failure: "{\"code\":\"x\"}"))
      try await bench.session.query(
        "update sluice.release set state = 'REJECTED' where release_id = $1", [.int(one.id)])
      await #expect(throws: StageFailure.self) { try await bench.store.retry(run: run) }
      #expect(try await bench.store.jobs(run: run, state: .dead).count == 1)
    }
  }

  @Test("at the configured number of releases with work a deploy is refused with their names")
  func cap() async throws {
    try await ReleaseBench.with { bench in
      _ = try await bench.current("one")
      try await bench.run()
      _ = try await bench.current("two")
      try await bench.run()
      _ = try await bench.current("three")
      do {
        try await bench.stage("four", cap: 2)
        Issue.record("two releases have work")
      } catch let refusal as ReleaseRefusal {
        #expect(refusal.code == "too_many_releases")
        #expect(refusal.message.contains("one (1 jobs)") && refusal.message.contains("two (1 jobs)"))
      }
      #expect(try await bench.store.releases(named: "four").isEmpty)
      try await bench.stage("four", cap: 3)
    }
  }

  @Test("a label belongs to one release, and a rejected one lends it to others")
  func labels() async throws {
    try await ReleaseBench.with { bench in
      let one = try await bench.stage("v1")
      let other = JobStore.NewRelease(
        contentHash: "other", definitionHash: "d", label: "v1", engine: "1", engineHash: "e", engineBytes: 1,
        schemaNumber: 5, formats: EngineFormats(), files: [])
      await #expect(throws: StageFailure.self) { try await bench.desk.stage(other, cap: 8, by: ReleaseBench.author) }
      #expect(try await bench.desk.reject(one.id, by: ReleaseBench.author))
      let second = try await bench.desk.stage(other, cap: 8, by: ReleaseBench.author)
      #expect(try await bench.store.releases(named: "v1").first?.id == second.id)
    }
  }

  @Test(
    "of a canary's runs those that failed are moved once, of a rejected one also those that have not ended; backfills never"
  )
  func moved() async throws {
    try await ReleaseBench.with { bench in
      let one = try await bench.current("one")
      let two = try await bench.stage("two")
      let early = try await bench.run(with: RunAssignment(release: one.id, lanes: one.id, run: nil))
      _ = try await bench.desk.beginCanary(two.id, ramp: 10_000, evidence: .seconds(60), by: ReleaseBench.author)
      let worker = try await bench.worker(of: two)
      let failed = try await bench.run()
      let claim = try #require(try await bench.claim(worker, of: two).first)
      _ = try await bench.store.endAttempt(claim.holder, as: .dead(failure: "{\"code\":\"x\"}"))
      let open = try await bench.run("q")
      let backfill = try await bench.run("r")
      try await bench.session.query(
        "insert into sluice.backfill values ($1, 'a', 'b', '{s.a}')", [.int(backfill.rawValue)])
      try await bench.session.query(
        "update sluice.run set run_at = '2020-02-02' where run_id = $1", [.int(failed.rawValue)])

      #expect(try await bench.store.unmovedRuns(of: two.id, isRejected: false).map(\.id) == [failed])
      let plan = RunPlan(
        pipeline: "p", jobs: [RunPlan.Job(kind: "ingest", stage: "ingest", label: "s.0", payload: "{}")], loads: [])
      let here = RunAssignment(release: one.id, lanes: one.id, run: nil)
      let successor = try #require(try await bench.store.move(failed, to: plan, with: here))
      #expect(try await bench.store.move(failed, to: plan, with: here) == nil, "once")
      #expect(try await bench.store.run(failed).first?.movedTo == successor)
      let at = try await bench.session.query(
        "select run_at::date::text as at from sluice.run where run_id = $1", [.int(successor.rawValue)])
      #expect(try at.first?.string("at") == "2020-02-02", "its own time goes with it")
      #expect(try await bench.store.unmovedRuns(of: two.id, isRejected: false).isEmpty)
      #expect(try await bench.store.unmovedRuns(of: two.id, isRejected: true).map(\.id) == [open])
      #expect(try await bench.store.run(early).first?.state == .queued)
      // Staged again, it has no old failures to move.
      #expect(try await bench.desk.reject(two.id, by: ReleaseBench.author))
      try await bench.stage("two")
      #expect(try await bench.store.unmovedRuns(of: two.id, isRejected: false).isEmpty)
    }
  }

  @Test("an engine that does not know a breaking migration of this database cannot become current")
  func schema() async throws {
    try await ReleaseBench.with { bench in
      let one = try await bench.stage("one")
      try await bench.session.execute("insert into sluice.migration values (9000, 'later', true, now())")
      do {
        try await bench.promote(one)
        Issue.record("it could not work")
      } catch let refusal as ReleaseRefusal { #expect(refusal.code == "schema_too_new") }
      #expect(try await bench.state(one) == .staged)
    }
  }

  @Test("a release that was compared with another than the current one is not promoted")
  func currentChanged() async throws {
    try await ReleaseBench.with { bench in
      let one = try await bench.current("one")
      let two = try await bench.stage("two")
      _ = try await bench.current("hotfix")
      do {
        _ = try await bench.desk.promote(two.id, replacing: one.id, by: ReleaseBench.author) { _ in }
        Issue.record("the hotfix would be gone")
      } catch let refusal as ReleaseRefusal {
        #expect(refusal.code == "current_changed")
        #expect(refusal.message.contains("hotfix"))
      }
      #expect(try await bench.state(two) == .staged)
      #expect(try await bench.store.keepStaged(two.id))
      #expect(try await !bench.store.keepStaged(one.id), "it drains")
    }
  }

  @Test("history promises attempts by pipeline and stage; memory is evidence where enough of it was seen")
  func promises() async throws {
    try await ReleaseBench.with { bench in
      let one = try await bench.current("one")
      let worker = try await bench.worker(of: one)
      for pipeline in ["p", "p", "q"] { try await bench.run(pipeline, ingests: 2) }
      let since = try #require(try await bench.store.release(one.id)?.changedAt)
      var memory: Int64 = 100_000_000
      while case let claims = try await bench.claim(worker, of: one, limit: 10), !claims.isEmpty {
        for claim in claims {
          _ = try await bench.store.database.transaction { transaction in
            try await bench.store.complete(
              [claim.holder], runs: claim.runID.map { [$0] } ?? [], detail: "{\"peak_memory\":\(memory)}",
              in: transaction)
          }
          memory += 1_000_000
        }
      }
      func stage(_ pipeline: String, _ stage: String) -> JobStore.PipelineStage {
        .init(pipeline: pipeline, stage: stage)
      }
      let promised = try await bench.store.promisedAttempts(within: .seconds(600))
      #expect(
        promised == [
          stage("p", "ingest"): 4, stage("p", "curate"): 2, stage("q", "ingest"): 2, stage("q", "curate"): 1,
        ])
      try await bench.session.query(
        "update sluice.outcome set finished_at = finished_at - interval '3 hours'", [])
      let mean = try await bench.store.promisedAttempts(within: .seconds(600))
      #expect(abs((mean[stage("p", "ingest")] ?? 0) - 4.0 / 144) < 1e-9, "the mean of a day")

      try await bench.session.query(
        "update sluice.outcome set finished_at = finished_at + interval '3 hours'", [])
      let enough = try await bench.store.evidence(of: 0, beside: one.id, since: since, fewest: 6)
      let heaviest = try #require(enough.first { $0.kind == "ingest" }?.heaviest)
      #expect(heaviest > 104e6 && heaviest < 109e6)
      #expect(enough.first { $0.kind == "curate" }?.heaviest == nil, "three are fewer than six")
    }
  }

  @Test("a load that fails on a canary is evidence only against the same load of the run that was moved")
  func failedLoads() async throws {
    try await ReleaseBench.with { bench in
      let one = try await bench.current("one")
      let two = try await bench.stage("two")
      let canary = try await bench.desk.beginCanary(
        two.id, ramp: 10_000, evidence: .seconds(60), by: ReleaseBench.author)
      let since = try #require(canary.canarySince)
      let plan = RunPlan(
        pipeline: "p", jobs: [RunPlan.Job(kind: "curate", stage: "curate", label: "d", payload: "{}")],
        loads: [RunPlan.Job(kind: "load", stage: "load", label: "warehouse", payload: "{}", after: [0])])
      let assignment = try #require(try await bench.store.assignRun())
      let run = try await bench.store.database.transaction {
        try await bench.store.enqueue(plan, with: assignment, in: $0)
      }
      let load = try #require(run.loads.first)
      let state: SQLStatement = "update sluice.run set state = $2 where run_id = $1"
      try await bench.session.query(state, [.int(run.runID.rawValue), "succeeded"])
      try await bench.session.query(state, [.int(load.rawValue), "failed"])
      #expect(try await bench.store.unmovedRuns(of: two.id, isRejected: false).map(\.id) == [run.runID])
      let here = RunAssignment(release: one.id, lanes: one.id, run: nil)
      let moved = try #require(try await bench.store.move(run.runID, to: plan, with: here))
      let other = try #require(try await bench.store.run(moved).first { $0.kind == .load }).id
      try await bench.session.query(state, [.int(moved.rawValue), "succeeded"])
      try await bench.session.query(state, [.int(other.rawValue), "failed"])
      #expect(try await bench.store.alarms(of: two.id, beside: one.id, since: since).isEmpty, "the target is down")
      try await bench.session.query(state, [.int(other.rawValue), "succeeded"])
      #expect(
        try await bench.store.alarms(of: two.id, beside: one.id, since: since) == [.succeededElsewhere(load)])
    }
  }
}
