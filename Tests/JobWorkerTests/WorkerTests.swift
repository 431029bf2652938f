import JobModel
import JobStore
import Postgres
import Synchronization
import TestSupport
import Testing

@testable import JobWorker

@Suite("Worker")
struct WorkerTests {
  @Test("two workers do two thousand jobs of three pipelines, each once")
  func drains() async throws {
    try await WorkerFixture.with { queue in
      let started = Mutex<[JobID: Int]>([:])
      let workers = (0..<2).map { _ in
        queue.worker(slots: 150) { attempt in
          started.withLock { $0[attempt.jobID, default: 0] += 1 }
          try await attempt.complete()
        }
      }
      try await queue.store.enqueue((0..<2000).map { NewJob(kind: "test", pipeline: "p\($0 % 3)") })
      try await queue.running(workers) { try await queue.allDone(2000) }
      let times = started.withLock { Set($0.values) }
      #expect(times == [1])
      #expect(try await queue.outcomes() == ["done": 2000])
      #expect(try await queue.doneTwice() == 0)
      #expect(try await queue.store.workers().isEmpty)
    }
  }

  @Test("sessions that are cut while jobs are done lose none and repeat none", arguments: [3])
  func cutSessions(cuts: Int) async throws {
    try await WorkerFixture.with { queue in
      let worker = queue.worker(slots: 40) { attempt in
        try await Task.sleep(for: .milliseconds(5))
        try await attempt.complete()
      }
      try await queue.store.enqueue((0..<1500).map { _ in NewJob(kind: "test", maximumAttempts: 1) })
      try await queue.running([worker]) {
        let session = try await PostgresConnection.connect(queue.database.settings)
        for cut in 1...cuts {
          try await eventually("some more are done") {
            try await session.query("select count(*) as done from sluice.outcome").only.int("done") > cut * 200
          }
          let others = "pid <> pg_backend_pid() and datname = current_database()"
          try await session.execute("select pg_terminate_backend(pid) from pg_stat_activity where \(others)")
        }
        // Yields are outcomes too.
        try await eventually(within: .seconds(60), "all have ended") {
          try await session.query("select count(*) as done from sluice.outcome where status in ('done', 'dead')").only
            .int("done") >= 1500
        }
        await session.close()
      }
      // Nobody was charged for it: every job has one attempt, and that is all each may have.
      let outcomes = try await queue.outcomes()
      #expect(outcomes["done"] == 1500, "\(outcomes)")
      #expect(outcomes["dead"] == nil && outcomes["crashed"] == nil, "\(outcomes)")
      #expect(try await queue.doneTwice() == 0)
    }
  }

  @Test(
    "a job that is cancelled while it runs is stopped within a second, and is not tried again until someone says so")
  func cancelled() async throws {
    try await WorkerFixture.with { queue in
      let (began, stopped) = (WakeUp(), WakeUp())
      let isPatient = Mutex(true)
      let worker = queue.worker(slots: 2) { attempt in
        began.set()
        if isPatient.withLock({ $0 }) {
          do { try await Task.sleep(for: .seconds(60)) } catch {
            stopped.set()
            throw error
          }
        }
        try await attempt.complete()
      }
      let job = try await queue.store.enqueue([NewJob(kind: "test", uniqueKey: "k")])[0].id
      try await queue.running([worker]) {
        await began.wait()
        let asked = ContinuousClock.now
        #expect(try await queue.store.cancel(job: job).stopping == [job])
        await stopped.wait()
        #expect(asked.duration(to: .now) < .seconds(1))
        try await eventually("it stands cancelled") {
          try await queue.store.jobs(job: job).first?.state == .cancelled
        }
        #expect(try await queue.store.cancel(job: job) == JobStore.Cancellation())
        #expect(try await queue.store.enqueue([NewJob(kind: "other", uniqueKey: "k")])[0].isNew, "its key is free")
        #expect(try await queue.store.retry(job: job) == false, "its key is another's now")
        let other = try await queue.store.jobs(state: .ready)
        #expect(try await queue.store.cancel(job: try #require(other.first).id).ended.count == 1)
        isPatient.withLock { $0 = false }
        #expect(try await queue.store.retry(job: job))
        try await queue.allDone(1)
      }
      #expect(try await queue.store.jobs(job: job).first?.state == .done)
      #expect(try await queue.store.attempts(of: [job]).map(\.status) == ["cancelled", "done"])
    }
  }

  @Test("an attempt that runs longer than its job allows is stopped and charged, and the last one ends the job")
  func timeLimit() async throws {
    try await WorkerFixture.with { queue in
      let worker = queue.worker(slots: 1) { _ in try await Task.sleep(for: .seconds(60)) }
      let job = try await queue.store.enqueue([
        NewJob(kind: "test", maximumAttempts: 2, timeLimit: .milliseconds(300))
      ])[0].id
      try await queue.running([worker]) {
        try await eventually("it is dead") { try await queue.store.jobs(job: job).first?.state == .dead }
      }
      let attempts = try await queue.store.attempts(of: [job])
      #expect(attempts.count == 2)
      #expect(attempts.allSatisfy { $0.detail?.contains("time_limit") == true })
    }
  }

  @Test("a worker that waits hears of a job that another process enqueued, long before it would look")
  func notified() async throws {
    try await WorkerFixture.with { queue in
      let started = WakeUp()
      let worker = queue.worker(slots: 1, poll: .seconds(600)) { attempt in
        started.set()
        try await attempt.complete()
      }
      // A bell of its own stands for another process.
      let other = JobStore(database: queue.database.pool, bell: LaneBell())
      let bell = try #require(other.bell)
      try await other.enqueue([NewJob(kind: "test")])
      try await queue.running([worker]) {
        await started.wait()
        try await withThrowingTaskGroup(of: Void.self) { group in
          let notifier = LaneNotifier(bell, store: other, database: queue.database.settings, logger: queue.logger)
          group.addTask { try await notifier.run() }
          for _ in 1...3 {
            try await other.enqueue([NewJob(kind: "test")])
            await started.wait()
          }
          try await queue.database.pool.query("select sluice.enqueue('test', wake => true)")
          await started.wait()
          group.cancelAll()
        }
        try await queue.allDone(5)
      }
    }
  }

  @Test("without sessions of its own, as behind a transaction pooler, a worker finds its jobs by looking")
  func pollOnly() async throws {
    try await WorkerFixture.with { queue in
      let pooled = try PostgresSettings(queue.database.url, isPooled: true)
      let pool = PostgresPool(pooled)
      let store = JobStore(database: pool)
      let worker = queue.worker(slots: 10, settings: pooled, store: store) { try await $0.complete() }
      try await queue.running([worker]) {
        for _ in 1...3 { try await queue.store.enqueue((0..<50).map { _ in NewJob(kind: "test") }) }
        try await queue.allDone(150)
        let listeners =
          "select count(*) as sessions from pg_stat_activity where query like 'listen%' and datname = current_database()"
        #expect(try await queue.database.pool.query(SQLStatement(text: listeners)).only.int("sessions") == 0)
        #expect(try await queue.store.suspects(on: queue.database.pool).isEmpty)
      }
      await pool.close()
    }
  }

  @Test(
    "behind a pooler, a job that loses its session each time while the server is well is dead in the end, with the reason"
  )
  func brokenSession() async throws {
    try await WorkerFixture.with { queue in
      let pooled = try PostgresSettings(queue.database.url, isPooled: true)
      let pool = PostgresPool(pooled)
      let store = JobStore(database: pool)
      let jobs = try await queue.store.enqueue([NewJob(kind: "test", maximumAttempts: 1), NewJob(kind: "test")])
      // All of its times but two have passed.
      try await pool.query(
        "insert into sluice.suspect (job_id, losses, since) values ($1, $2, now())",
        [.int(jobs[0].id.rawValue), .int(Int64(JobStore.lossLimit - 2))])
      let worker = queue.worker(slots: 2, settings: pooled, store: store) { attempt in
        if attempt.jobID == jobs[0].id {
          throw PostgresError(.connectionLost, operation: "checkpoint", message: "the session ended")
        }
        try await attempt.complete()
      }
      try await queue.running([worker]) {
        try await eventually("it is dead") { try await queue.store.jobs(job: jobs[0].id).first?.state == .dead }
        try await queue.allDone(1)
      }
      let attempts = try await queue.store.attempts(of: [jobs[0].id])
      #expect(attempts.map(\.status) == ["snoozed", "dead"])
      #expect(attempts.last?.detail?.contains("sluice jobs retry \(jobs[0].id)") == true)
      await pool.close()
    }
  }

  @Test("a job that ran out of memory runs alone from then on, and is dead at the third time")
  func outOfMemory() async throws {
    try await WorkerFixture.with { queue in
      let jobs = try await queue.store.enqueue((0..<20).map { _ in NewJob(kind: "test") })
      let running = Mutex<Set<JobID>>([])
      let company = Mutex<[Set<JobID>]>([])
      let worker = queue.worker(slots: 4) { attempt in
        running.withLock { _ = $0.insert(attempt.jobID) }
        defer { running.withLock { _ = $0.remove(attempt.jobID) } }
        if attempt.jobID == jobs[0].id {
          if attempt.claim.memoryKills > 0 { company.withLock { $0.append(running.withLock { $0 }) } }
          throw Exhausted()
        }
        try await attempt.complete()
      }
      try await queue.running([worker]) {
        try await eventually("it is dead") { try await queue.store.jobs(job: jobs[0].id).first?.state == .dead }
        try await queue.allDone(19)
      }
      #expect(company.withLock { $0 } == [[jobs[0].id], [jobs[0].id]])
      #expect(try await queue.store.attempts(of: [jobs[0].id]).map(\.status) == ["retried", "retried", "dead"])
    }
  }

  private struct Exhausted: Failure {
    var code: String { "memory_limit" }
    var message: String { "the SQL needs more memory" }
    var hint: String? { nil }
    var isTransient: Bool { false }
    var isOutOfMemory: Bool { true }
  }

  @Test("what an attempt waits for is shown while it runs, and its history has the seconds", arguments: [true, false])
  func waits(succeeds: Bool) async throws {
    try await WorkerFixture.with { queue in
      let mayEnd = WakeUp()
      let worker = queue.worker(slots: 1) { attempt in
        await attempt.waiting(for: .source) { await mayEnd.wait() }
        try await attempt.waiting(for: .limit) {
          if !succeeds { throw StageFailure(code: "limited", message: "m") }
        }
        try await attempt.complete()
      }
      let job = try await queue.store.enqueue([NewJob(kind: "test", pipeline: "p")])[0].id
      try await queue.running([worker]) {
        try await eventually("it is shown") {
          try await queue.store.waits().map { "\($0.pipeline) \($0.stage) \($0.cause) \($0.attempts)" } == [
            "p test source 1"
          ]
        }
        #expect(try await queue.store.jobs(job: job).first?.progress?.contains(#""waiting": "source""#) == true)
        mayEnd.set()
        try await eventually("it has ended") { try await queue.store.jobs(job: job).first?.state.isTerminal == true }
      }
      #expect(try await queue.store.waits().isEmpty)
      // It waited until the worker had shown it, which it does twice a second.
      let seconds = try await queue.database.pool.query(
        "select (detail->'waited'->>'source')::double precision as seconds, detail->'waited'->>'limit' as none, detail->>'code' as code from sluice.outcome"
      ).only
      #expect(try seconds.double("seconds") >= 0.1)
      #expect(try seconds.optionalString("none") == nil)
      #expect(try seconds.optionalString("code") == (succeeds ? nil : "limited"))
    }
  }

  @Test("jobs of kinds that a worker does not know stay ready for one that does")
  func otherKinds() async throws {
    try await WorkerFixture.with { queue in
      let worker = queue.worker(slots: 4) { try await $0.complete() }
      let jobs = try await queue.store.enqueue([NewJob(kind: "foreign"), NewJob(kind: "test")])
      try await queue.running([worker]) { try await queue.allDone(1) }
      #expect(try await queue.store.jobs(job: jobs[0].id).first?.state == .ready)
      #expect(try await queue.store.attempts(of: [jobs[0].id]).isEmpty)
    }
  }
}
