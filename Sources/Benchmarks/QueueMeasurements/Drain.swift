import JobStore
import Postgres

/// How fast two workers do durable jobs that do nothing, history kept; beside pgbench with bare statements of the same
/// shape, two clients. From one lane and from three hundred.
struct Drain: QueueMeasurement {
  let name = "drain"
  private static let workers = 2
  private static let lanes = 300
  /// What pgbench's script claims and completes in a transaction.
  private static let peerBatch = 100
  /// Transactions a second of one client of it on a small machine: decides how long a repetition takes, no more.
  private static let peerRate = 350.0
  /// Below this, starting the workers would be a part of what is measured.
  private static let fewestJobs = 2_000
  private static let mostJobs = 500_000
  private static let patience = Duration.seconds(120)

  private struct Repetition {
    var rate: Double
    var commits: Double
    var walBytes: Double
  }

  func measure(_ bench: QueueBench) async throws -> [Figure] {
    let rate = try await calibrate(bench)
    let jobs = Self.jobs(rate: rate, for: bench.scale.repetition)
    var one: [Repetition] = []
    var many: [Repetition] = []
    var peer: [Double] = []
    for turn in 1...bench.scale.repetitions {
      one.append(try await drain(jobs, lanes: 1, bench))
      if let rate = try await ceiling(bench) { peer.append(rate) }
      many.append(try await drain(jobs, lanes: Self.lanes, bench))
      bench.say(
        "  \(turn): \(Int(one.last?.rate ?? 0)) jobs/s, pgbench \(Int(peer.last ?? 0)), from \(Self.lanes) lanes \(Int(many.last?.rate ?? 0))"
      )
    }
    let rates = Samples(one.map(\.rate))
    let ceiling = peer.isEmpty ? nil : Samples(peer)
    bench.foundDrainedRate(rates.median)
    return [
      Figure(
        "drain", rates, "jobs/s", beside: "pgbench, claim 100 + complete 100", ceiling, target: .ratioAtLeast(0.7),
        note: "\(jobs) jobs, \(Self.workers) workers of \(QueueUnderTest.drainSlots) slots; "
          + "counted in the history, each once"),
      Figure(
        "drain from \(Self.lanes) lanes", Samples(many.map(\.rate)), "jobs/s", beside: "drain from one lane", rates),
      Figure("WAL of a drained job", Samples(one.map(\.walBytes)).median, "bytes"),
      Figure("commits of a drained job", Samples(one.map(\.commits)).median, "commits"),
    ]
  }

  /// A short drain that says how many jobs make a repetition.
  func calibrate(_ bench: QueueBench) async throws -> Double {
    let first = try await drain(Self.fewestJobs, lanes: 1, bench).rate
    let second = Self.jobs(rate: first, for: .milliseconds(500))
    return second > Self.fewestJobs ? try await drain(second, lanes: 1, bench).rate : first
  }

  private static func jobs(rate: Double, for time: Duration) -> Int {
    min(max(Int(rate * time.seconds), fewestJobs), mostJobs)
  }

  private func drain(_ jobs: Int, lanes: Int, _ bench: QueueBench) async throws -> Repetition {
    try await bench.withQueue { queue in
      try await queue.fill(jobs, pipelines: lanes)
      try await queue.database.settle()
      let before = try await queue.database.effort()
      let handler = BenchHandler()
      let clock = ContinuousClock()
      let start = clock.now
      let elapsed = try await queue.withWorkers(Self.workers, handler: handler) {
        let isDone = try await handler.waitUntil(jobs, before: start + Self.patience)
        guard isDone else {
          throw BenchError("drain_slow", "\(handler.count) of \(jobs) jobs were done within \(Self.patience)")
        }
        return start.duration(to: clock.now).seconds
      }
      try await Self.requireEachOnce(jobs, queue)
      let after = try await queue.effortWhenClosed()
      return Repetition(
        rate: Double(jobs) / elapsed, commits: (after.commits - before.commits) / Double(jobs),
        walBytes: (after.walBytes - before.walBytes) / Double(jobs))
    }
  }

  private static func requireEachOnce(_ jobs: Int, _ queue: QueueUnderTest) async throws {
    let row = try await queue.database.pool.query(Statement.queueOutcomes).only
    let (attempts, distinct) = (try row.int("attempts"), try row.int("jobs"))
    guard attempts == Int64(jobs), distinct == Int64(jobs) else {
      throw BenchError(
        "not_once", "of \(jobs) jobs the history tells \(distinct), in \(attempts) attempts: not each exactly once")
    }
  }

  private func ceiling(_ bench: QueueBench) async throws -> Double? {
    guard let pgBench = bench.pgBench else { return nil }
    return try await bench.surroundings.server.withDatabase { database in
      try await database.pool.execute(Statement.peerSchema.text)
      let transactions = max(10, Int(Self.peerRate * bench.scale.repetition.seconds))
      // Some more than are taken, so that the last transactions find as much as the first.
      let jobs = (transactions + 20) * Self.workers * Self.peerBatch
      try await database.pool.query(Statement.peerFill, [.int(Int64(jobs))])
      try await database.settle()
      let rate = try await pgBench.transactionsPerSecond(
        Statement.peerDrain, on: database, clients: Self.workers, .transactions(transactions))
      return rate * Double(Self.peerBatch)
    }
  }
}

extension QueueUnderTest {
  /// The effort so far, when the sessions that ended have reported theirs.
  func effortWhenClosed() async throws -> (commits: Double, walBytes: Double) {
    try await ContinuousClock().sleep(for: .milliseconds(200))
    return try await database.effort()
  }
}
