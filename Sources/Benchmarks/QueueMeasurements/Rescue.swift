import Glibc
import JobModel
import JobStore
import JobWorker
import Postgres

/// How long a job stands still whose worker process is killed with SIGKILL, or stopped with SIGSTOP, until another
/// process has begun it again. By the database's clock, in a sink of the measurement's own.
struct Rescue: QueueMeasurement {
  let name = "rescue"
  private static let hangLease = Duration.seconds(3)
  private static let workers = 2
  private static let waiting = Waiting(look: .milliseconds(10), patience: .seconds(90))

  private enum Fault {
    case killed
    case stopped
  }

  func measure(_ bench: QueueBench) async throws -> [Figure] {
    let lease = bench.scale.crashLease
    let killed = Samples(try await rescues(bench, bench.scale.kills, .killed, lease: lease))
    let stopped = Samples(try await rescues(bench, bench.scale.hangs, .stopped, lease: Self.hangLease))
    let limit = Self.hangLease.seconds + 2
    return [
      Figure(
        "kill -9 → running again, p50", killed.median, "s", range: killed.range,
        note: "\(killed.count) kills, worker lease \(lease)"),
      Figure("kill -9 → running again, p99", killed.quantile(0.99), "s", target: .atMost(2)),
      Figure(
        "SIGSTOP → running again", stopped.quantile(1), "s", range: stopped.range, target: .atMost(limit),
        note: "the longest of \(stopped.count), worker lease \(Self.hangLease)"),
    ]
  }

  private func rescues(_ bench: QueueBench, _ count: Int, _ fault: Fault, lease: Duration) async throws -> [Double] {
    try await bench.withQueue { queue in
      try await queue.database.pool.execute(Statement.crashSchema.text)
      let processes = WorkerProcesses(
        executable: bench.surroundings.executable, databaseURL: queue.database.url, lease: lease,
        folder: bench.surroundings.folder)
      let maintenance = queue.maintenance(LeaseTiming(beat: lease / 3, lease: lease))
      return try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await maintenance.run() }
        do {
          // Nobody is revoked while the reaper's own session is younger than a lease.
          try await ContinuousClock().sleep(for: lease + .milliseconds(500))
          var times: [Double] = []
          for turn in 1...count {
            times.append(try await rescue(fault, queue, processes))
            bench.say("  \(fault) \(turn): \(Figure.text(times[turn - 1])) s")
          }
          await processes.close()
          group.cancelAll()
          return times
        } catch {
          await processes.close()
          group.cancelAll()
          throw error
        }
      }
    }
  }

  private func rescue(_ fault: Fault, _ queue: QueueUnderTest, _ processes: WorkerProcesses) async throws -> Double {
    let database = queue.database.pool
    while processes.count < Self.workers { try processes.start() }
    try await Self.waiting.wait(for: "\(Self.workers) workers") {
      try await database.query(Statement.queueLiveWorkers).only.int("workers") == Int64(Self.workers) ? true : nil
    }
    try await queue.enqueue(["{}"])
    let first = try await Self.waiting.wait(for: "a job's first attempt") {
      try await database.query(Statement.crashLatest).first
    }
    let (job, epoch) = (try first.int("job_id"), try first.int("epoch"))
    let holder = Int32(try first.int("pid"))
    let struckAt = try await database.query(Statement.crashNow).only.string("at")
    switch fault {
    case .killed: try processes.signal(holder, SIGKILL)
    case .stopped: try processes.signal(holder, SIGSTOP)
    }
    let again = try await Self.waiting.wait(for: "the job's second attempt") {
      try await database.query(Statement.crashAgain, [.int(job), .int(epoch), .text(struckAt)]).first
    }
    try await database.query(Statement.crashFinish, [.int(job)])
    try await processes.end(holder)
    return try again.double("seconds")
  }
}
