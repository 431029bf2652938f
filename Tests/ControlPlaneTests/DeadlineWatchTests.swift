import Autoscaling
import Catalog
import JobModel
import Logging
import Postgres
import TestSupport
import Testing

@testable import ControlPlane
@testable import JobStore

@Suite("Runs that will miss their deadline")
struct DeadlineWatchTests {
  /// A pipeline whose one ingest and one load have taken ten minutes each, five times.
  private struct Bench: Sendable {
    let store: JobStore
    let release: Int64
    let watch: DeadlineWatch
    let session: PostgresConnection

    static func with(_ body: @Sendable (Bench) async throws -> Void) async throws {
      try await TestDatabase.withDatabase { database in
        let store = JobStore(database: database.pool)
        let release = try await store.registerRelease(contentHash: "h", files: [], label: nil, engine: "test")
        let watch = DeadlineWatch(store: store, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let session = try await PostgresConnection.connect(database.settings)
        do { try await body(Bench(store: store, release: release, watch: watch, session: session)) } catch {
          await session.close()
          throw error
        }
        await session.close()
      }
    }

    /// - Parameter minutes: Until it is due; nil: it has no deadline.
    func enqueue(dueIn minutes: Int?) async throws -> Int64 {
      let plan = RunPlan(
        pipeline: "p", jobs: [RunPlan.Job(kind: "ingest", stage: "ingest", label: "a", payload: "{}")],
        loads: [RunPlan.Job(kind: "load", stage: "load", label: "w", payload: "{}", after: [0])])
      let run = try await store.enqueue(plan, release: release)
      if let minutes {
        try await store.database.execute(
          "update sluice.run set deadline_at = now() + interval '\(minutes) minutes' where state = 'queued'")
      }
      return run.runID.rawValue
    }

    /// Lets the open runs succeed now, each of their jobs after ten minutes.
    func succeed() async throws {
      try await store.database.execute(
        """
        insert into sluice.outcome (job_id, attempt, epoch, status, started_at, finished_at, detail)
        select j.job_id, 1, 1, 'done', now() - interval '10 minutes', now(), '{"peak_memory": 1000000000}'
        from sluice.job j join sluice.run r on r.run_id = j.run_id where r.state = 'queued';
        delete from sluice.ready; delete from sluice.blocked;
        update sluice.run set state = 'succeeded', pending = 0, created_at = now() - interval '1 hour', finished_at = now()
        where state = 'queued'
        """)
    }

    func learn() async throws {
      for _ in 0..<5 {
        _ = try await enqueue(dueIn: nil)
        try await succeed()
      }
    }

    func worker(slots: Int = 1) async throws {
      _ = try await store.registerWorker(
        JobStore.WorkerBirth(release: 0, host: "h", pid: 1, engine: "test", slots: slots), lease: .seconds(3600),
        on: session)
    }

    func told() async throws -> [String] {
      try await store.database.query(
        "select kind || ' ' || run_id || ' ' || (body ->> 'missed') as told from sluice.outbox order by outbox_id", []
      ).map { try $0.string("told") }
    }

    func events(_ run: Int64) async throws -> [(kind: String, message: String)] {
      try await store.events(ofRun: RunID(run)).map { ($0.kind, $0.message) }
    }
  }

  @Test(
    "a run that will be late is told before it is, once, with what it takes; that it missed its deadline is told too")
  func late() async throws {
    try await Bench.with { bench in
      try await bench.learn()
      try await bench.worker()
      // Twenty minutes of work, and fifteen are left.
      let run = try await bench.enqueue(dueIn: 15)
      try await bench.watch.look()
      try await bench.watch.look()
      #expect(try await bench.told() == ["late \(run) false"])
      let event = try #require(try await bench.events(run).first)
      #expect(event.kind == "deadline_late")
      #expect(event.message.contains("will be late by 5 min"), "\(event.message)")
      #expect(event.message.contains("take longer than is left"), "\(event.message)")
      // It is later than was told by far.
      try await bench.store.database.execute("update sluice.run set deadline_at = now() + interval '2 minutes'")
      try await bench.watch.look()
      #expect(try await bench.told().count == 2)
      try await bench.store.database.execute("update sluice.run set deadline_at = now() - interval '1 minute'")
      try await bench.watch.look()
      try await bench.watch.look()
      #expect(try await bench.told() == ["late \(run) false", "late \(run) false", "late \(run) true"])
      let forecasts = try await bench.store.database.query(
        "select run_id, early_at < mean_at and mean_at < late_at as ordered from sluice.finish_forecast", [])
      #expect(try forecasts.map { try $0.int("run_id") } == [run])
      #expect(try forecasts.only.bool("ordered"))
    }
  }

  @Test("more slots that would end runs in time are named, with their memory; with these nothing is late")
  func slots() async throws {
    try await Bench.with { bench in
      try await bench.learn()
      try await bench.worker()
      // Two runs of twenty minutes share one slot.
      let first = try await bench.enqueue(dueIn: nil)
      let second = try await bench.enqueue(dueIn: 35)
      try await bench.watch.look()
      #expect(try await bench.told() == ["late \(first) false", "late \(second) false"])
      let message = try #require(try await bench.events(first).first?.message)
      #expect(message.contains("needs 1 more slot, about 1 GB of memory"), "\(message)")
      try await bench.worker()
      try await bench.watch.look()
      #expect(try await bench.told().count == 2)
      let report = try await StatusReport.gather(
        environment: "e", controlURL: nil, store: bench.store, catalog: .init(database: bench.store.database))
      #expect(report.late.isEmpty)
      #expect(report.runs.first?.expected?.needs == nil)
      #expect(report.runs.first?.deadline != nil)
    }
  }

  @Test("without a worker a run is told as late once even a worker that begins now would end it too late")
  func noWorker() async throws {
    try await Bench.with { bench in
      try await bench.learn()
      let run = try await bench.enqueue(dueIn: 25)
      try await bench.watch.look()
      #expect(try await bench.told().isEmpty)
      try await bench.store.database.execute("update sluice.run set deadline_at = now() + interval '10 minutes'")
      try await bench.watch.look()
      #expect(try await bench.told() == ["late \(run) false"])
      let message = try #require(try await bench.events(run).first?.message)
      #expect(message.contains("late by 10 min at least"), "\(message)")
      #expect(message.contains("no worker of its release is at work"), "\(message)")
    }
  }

  @Test("a run with time enough is told nothing, and one of which nothing is known only that it missed its deadline")
  func unknown() async throws {
    try await Bench.with { bench in
      try await bench.worker()
      let run = try await bench.enqueue(dueIn: 1)
      try await bench.watch.look()
      #expect(try await bench.told().isEmpty)
      let outlook = try await RunOutlook.gather([run], store: bench.store)
      #expect(outlook.expected(of: run) == .failure(.noHistory(kind: "ingest")))
      try await bench.store.database.execute("update sluice.run set deadline_at = now() - interval '1 minute'")
      try await bench.watch.look()
      #expect(try await bench.told() == ["late \(run) true"])
      try await bench.succeed()
      #expect(try await RunOutlook.gather([run], store: bench.store).expected(of: run) == nil)
      try await bench.learn()
      let early = try await bench.enqueue(dueIn: 600)
      try await bench.watch.look()
      #expect(try await bench.events(early).isEmpty)
    }
  }

  @Test("two that look at the same time tell it once")
  func together() async throws {
    try await Bench.with { bench in
      try await bench.learn()
      try await bench.worker()
      let run = try await bench.enqueue(dueIn: 5)
      try await bench.store.database.transaction { transaction in
        #expect(try await bench.store.leadsDeadlines(in: transaction))
        try await bench.watch.look()
      }
      #expect(try await bench.told().isEmpty, "another process tells")
      async let one: Void = bench.watch.look()
      async let two: Void = bench.watch.look()
      _ = try await (one, two)
      #expect(try await bench.told() == ["late \(run) false"])
    }
  }

  @Test(
    "it is news when a run is late for the first time, half as late again and more, in time again, or has missed it")
  func news() {
    func forecast(_ late: Double, to end: Double) -> RunForecast {
      RunForecast(early: 900, mean: 1000 + late, late: end, lateSeconds: late)
    }
    func notice(_ forecast: RunForecast?, _ told: (Double, Bool)?, now: Double = 500) -> LateNotice? {
      LateNotice(
        deadline: 1000, forecast: forecast,
        told: told.map { JobStore.LateWarningRecord(lateSeconds: $0.0, missed: $0.1) }, now: now)
    }
    #expect(notice(forecast(60, to: 1200), nil)?.kind == .late)
    #expect(notice(forecast(60, to: 1200), (0, false))?.kind == .late)
    #expect(notice(forecast(80, to: 1200), (60, false)) == nil)
    #expect(notice(forecast(600, to: 1200), (60, false)) == nil)
    #expect(notice(forecast(700, to: 1200), (60, false))?.kind == .late)
    #expect(notice(forecast(4000, to: 9200), (3000, false)) == nil)
    #expect(notice(forecast(0, to: 1001), (60, false)) == nil)
    #expect(notice(forecast(0, to: 999), (60, false))?.kind == .inTime)
    #expect(notice(forecast(0, to: 999), (0, false)) == nil)
    #expect(notice(forecast(0, to: 999), nil) == nil)
    #expect(notice(nil, (60, false)) == nil)
    #expect(notice(nil, nil, now: 1000)?.kind == .missed)
    #expect(notice(forecast(60, to: 1200), (60, false), now: 1010)?.lateSeconds == 60)
    #expect(notice(nil, (60, true), now: 1010) == nil)
  }
}
