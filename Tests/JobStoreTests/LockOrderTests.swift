import JobModel
import JobStore
import Postgres
import Synchronization
import TestSupport
import Testing

/// Many sessions do whatever can be done to a handful of jobs, all at the same moment. Statements that take the same locks in
/// different orders meet here.
@Suite("The order of locks")
struct LockOrderTests {
  private static let sessions = 8
  private static let callsOfEach = 400

  /// Every change of a row takes a moment, in which others take the next one's lock.
  private static let slowness = """
    create function linger() returns trigger language plpgsql as
      'begin perform pg_sleep(0.001); return case when tg_op = ''DELETE'' then old else new end; end';
    do $$ declare t text; begin
      foreach t in array '{run,lease,later,blocked,dead,live_key,permit}'::text[] loop
        execute format('create trigger linger before update or delete on sluice.%I for each row execute function linger()', t);
      end loop;
    end $$
    """

  @Test("no two calls of the queue ever wait for each other, and every job is in one place after it")
  func storm() async throws {
    var seeds = SeededRandom.drawn(for: "order of locks")
    let randoms = (0..<Self.sessions).map { _ in SeededRandom(seed: seeds.next()) }
    try await TestDatabase.withDatabase { database in
      try await QueueFixture.with(database) { queue in
        // One who waits for one who waits for it is told at once.
        let settings = try PostgresSettings(database.url, options: ["deadlock_timeout": "20ms"])
        try await database.pool.execute(Self.slowness)
        let pool = PostgresPool(settings, maximum: Self.sessions)
        let world = try await World(queue, JobStore(database: pool))
        let calls = try await withThrowingTaskGroup(of: [String: Int].self) { group in
          for random in randoms {
            group.addTask {
              var caller = Caller(world, random)
              return try await caller.call(Self.callsOfEach)
            }
          }
          return try await group.reduce(into: [:]) { $0.merge($1, uniquingKeysWith: +) }
        }
        await pool.close()
        // A call that never acts says nothing of its locks.
        for call in Caller.Call.allCases { #expect(calls[call.rawValue, default: 0] > 0, "\(call)") }
        #expect(try await queue.misplaced() == [])
      }
    }
  }

  /// What all sessions act on.
  private final class World: Sendable {
    let store: JobStore
    let release: Int64
    let workers: Mutex<[Int64]>
    let runs: Mutex<[RunID]> = Mutex([])
    let jobs: Mutex<[JobID]> = Mutex([])
    let claims: Mutex<[Claim]> = Mutex([])

    init(_ queue: QueueFixture, _ store: JobStore) async throws {
      self.store = store
      release = queue.release
      workers = Mutex([try await queue.worker(), try await queue.worker()])
    }

    func birth() async throws {
      let birth = JobStore.WorkerBirth(release: 0, host: "h", pid: 1, engine: "test", slots: 1)
      let worker = try await store.registerWorker(birth, lease: .seconds(3600), keepsSession: false, on: store.database)
      workers.withLock { $0.append(worker) }
    }
  }

  private struct Caller {
    enum Call: String, CaseIterable {
      case enqueue, enqueueUnique, turn, claim, claimLimited, complete, finish, end, checkpoint, split, cancelRun,
        cancelJob,
        retryRun,
        retryJob, promote, revokeAndReap, pause, takePermits, passOn
    }

    private let world: World
    private var random: SeededRandom
    private var store: JobStore { world.store }

    init(_ world: World, _ random: SeededRandom) {
      self.world = world
      self.random = random
    }

    /// How often each acted on something.
    mutating func call(_ times: Int) async throws -> [String: Int] {
      var acted: [String: Int] = [:]
      for _ in 0..<times {
        guard let call = Call.allCases.randomElement(using: &random) else { continue }
        do {
          if try await act(call) { acted[call.rawValue, default: 0] += 1 }
        } catch is LeaseLost {
        } catch let error as PostgresError {
          Issue.record("\(call): \(String(reflecting: error))")
        }
      }
      return acted
    }

    private mutating func act(_ call: Call) async throws -> Bool {
      switch call {
      case .enqueue:
        let jobs = (0..<4).map { index in
          RunPlan.Job(
            kind: "k", stage: "ingest", label: "j", payload: "{}",
            after: index == 0 ? [] : [index - 1].filter { _ in Bool.random(using: &random) },
            maximumAttempts: 2)
        }
        let run = try await store.enqueue(
          RunPlan(pipeline: pipeline(), concurrency: 3, jobs: jobs, loads: []), release: world.release)
        // Few, so that all meet at the same.
        world.runs.withLock { $0 = $0.suffix(2) + [run.runID] }
        return true
      case .enqueueUnique:
        var jobs = (0..<3).map { NewJob(kind: "loose", uniqueKey: "key \($0)", maximumAttempts: 2) }
        jobs.shuffle(using: &random)
        let enqueued = try await store.enqueue(jobs)
        world.jobs.withLock { $0 = ($0 + enqueued.map(\.id)).suffix(6) }
        return true
      case .claim, .claimLimited:
        guard let worker = world.workers.withLock({ $0.randomElement(using: &random) }) else { return false }
        let claims = try await store.claim(
          worker: worker, stages: call == .claim ? ["loose"] : ["ingest"], limit: 5)
        world.claims.withLock { $0 += claims }
        return !claims.isEmpty
      case .turn:
        let finished = some { $0.runID == nil }.map { FinishedJob($0.holder, detail: nil) }
        guard let worker = world.workers.withLock({ $0.randomElement(using: &random) }),
          let lane = try await store.survey(stages: ["loose"]).first
        else { return false }
        let turn = QueueTurn(finished: finished, request: ClaimRequest(lanes: [(lane, 0)], each: .ten))
        let outcome = try await store.take(turn, worker: worker, release: 0)
        world.claims.withLock { $0 += outcome.claims }
        return !outcome.claims.isEmpty
      case .complete:
        let claims = some { $0.runID != nil }
        let done = try await store.database.transaction {
          try await store.complete(claims.map(\.holder), runs: Set(claims.compactMap(\.runID)), in: $0)
        }
        return !done.ended.isEmpty
      case .finish:
        let claims = some { $0.runID == nil }
        let lost = try await store.finish(claims.map { FinishedJob($0.holder, detail: nil) }, in: store.database)
        return lost.count < claims.count
      case .end:
        guard let claim = some({ _ in true }).first else { return false }
        let end: JobStore.AttemptEnd? = [
          .yielded, .snoozed(.zero), .retried(after: .zero, failure: "{}"), .dead(failure: "{}"), .cancelled,
        ].randomElement(using: &random)
        return try await store.endAttempt(claim.holder, as: end ?? .yielded)
      case .checkpoint:
        guard let claim = peek() else { return false }
        _ = try await store.database.transaction {
          try await store.checkpoint(claim.holder, JobMark(format: CheckpointFormat("f", 1), state: "1"), in: $0)
        }
        return true
      case .split:
        guard let claim = peek(), let run = claim.runID else { return false }
        do {
          let format = CheckpointFormat("f", 1)
          _ = try await store.database.transaction { transaction in
            _ = try await store.split(
              claim.holder, of: run, format: format, into: [JobPart(state: "2", label: "j")], in: transaction)
            try await store.checkpoint(claim.holder, JobMark(format: format, state: "1"), in: transaction)
          }
          return true
        } catch is JobYield { return false }
      case .cancelRun:
        guard let run = run() else { return false }
        let met = try await store.cancel(run: run)
        return !met.ended.isEmpty || !met.stopping.isEmpty
      case .cancelJob:
        guard let job = world.jobs.withLock({ $0.randomElement(using: &random) }) else { return false }
        let met = try await store.cancel(job: job)
        return !met.ended.isEmpty || !met.stopping.isEmpty
      case .retryRun:
        guard let run = run() else { return false }
        return try await store.retry(run: run) > 0
      case .retryJob:
        guard let job = world.jobs.withLock({ $0.randomElement(using: &random) }) else { return false }
        return try await store.retry(job: job)
      case .promote: return try await !store.promoteDue(on: store.database).isEmpty
      case .revokeAndReap:
        guard let worker = world.workers.withLock({ $0.count > 1 ? $0.removeFirst() : nil }) else { return false }
        try await world.birth()
        try await store.database.query("delete from sluice.beat where worker_id = $1", [.int(worker)])
        // As the maintenance does it in a round.
        return try await store.database.transaction { transaction in
          let reaped = try await store.reapLeases(limit: 4, on: transaction)
          _ = try await store.promoteDue(limit: 4, on: transaction)
          _ = try await store.passOnAll(in: transaction)
          return !reaped.isEmpty
        }
      case .pause:
        let pipeline = pipeline()
        _ = try await store.pause(pipeline)
        return try await store.resume(pipeline) != nil
      case .takePermits:
        guard let claim = peek() else { return false }
        _ = try await store.takePermits(
          [PermitNeed("host/a", slots: 2), PermitNeed("host/b", slots: 3)], for: claim.holder)
        return true
      case .passOn: return try await !store.passOn(["pipeline/p", "host/b", "host/a"]).isEmpty
      }
    }

    /// A new one, or one of which something runs.
    private mutating func run() -> RunID? {
      Bool.random(using: &random) ? world.runs.withLock { $0.randomElement(using: &random) } : peek()?.runID
    }

    private mutating func pipeline() -> String { Bool.random(using: &random) ? "p" : "q" }

    /// Takes up to three claims out of the hand that all have.
    private mutating func some(_ fits: (Claim) -> Bool) -> [Claim] {
      var taken: [Claim] = []
      world.claims.withLock { claims in
        claims.shuffle(using: &random)
        while taken.count < 3, let index = claims.firstIndex(where: fits) { taken.append(claims.remove(at: index)) }
      }
      return taken
    }

    private mutating func peek() -> Claim? { world.claims.withLock { $0.randomElement(using: &random) } }
  }
}

extension QueueFixture {
  /// Jobs that are in no place, in two, or done twice.
  func misplaced() async throws -> [String] {
    let sql = """
      select j.job_id, count(p.place)::int as places,
        (select count(*)::int from sluice.outcome o where o.job_id = j.job_id and o.status = 'done') as done
      from sluice.job j
      left join (
        select job_id, 'ready' as place from sluice.ready union all select job_id, 'lease' from sluice.lease
        union all select job_id, 'later' from sluice.later union all select job_id, 'blocked' from sluice.blocked
        union all select job_id, 'dead' from sluice.dead) p on p.job_id = j.job_id
      group by j.job_id
      having count(p.place) + (select count(*) from sluice.outcome o where o.job_id = j.job_id and o.status = 'done') <> 1
      """
    return try await session.query(SQLStatement(text: sql), []).map {
      "job \(try $0.int("job_id")): in \(try $0.int("places")) places, done \(try $0.int("done")) times"
    }
  }
}
