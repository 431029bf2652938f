import JobStore
import Postgres
import Synchronization

/// How long the jobs of one pipeline wait, arriving one at a time, while two workers are busy with a flood of another's.
struct Fairness: QueueMeasurement {
  let name = "fairness"
  private static let pause = Duration.milliseconds(20)
  private static let jobs = 250
  /// A job that has not begun by then counts as having waited until then.
  private static let patience = Duration.seconds(15)

  func measure(_ bench: QueueBench) async throws -> [Figure] {
    let flood = bench.scale.deepQueueJobs
    let times = StartTimes()
    let left = try await bench.withQueue { queue in
      try await queue.enqueue(["{}"], pipeline: "flood")
      try await queue.database.pool.query(
        Statement.queueFillReady, [.text("flood"), .text(QueueUnderTest.kind), .int(Int64(flood))])
      try await queue.database.settle()
      let handler = BenchHandler { attempt in if attempt.pipeline == "trickle" { times.began(attempt) } }
      return try await queue.withWorkers(2, handler: handler) {
        let clock = ContinuousClock()
        // The flood is at full speed first.
        _ = try await handler.waitUntil(1_000, before: clock.now + Self.patience)
        for _ in 0..<Self.jobs {
          try await queue.enqueue([times.payload()], pipeline: "trickle")
          try await clock.sleep(for: Self.pause)
        }
        let deadline = clock.now + Self.patience
        while times.count < Self.jobs, clock.now < deadline { try await clock.sleep(for: .milliseconds(10)) }
        return flood - handler.count
      }
    }
    let missing = Array(repeating: Self.patience.milliseconds, count: Self.jobs - times.count)
    let waits = Samples(times.all + missing)
    bench.say("  p50 \(Figure.text(waits.median)) ms, p99 \(Figure.text(waits.quantile(0.99))) ms")
    return [
      Figure(
        "wait beside a flood of another pipeline, p99", waits.quantile(0.99), "ms", target: .atMost(50),
        note: "flood of \(flood), \(max(0, left)) of them left at the end; p50 \(Figure.text(waits.median)) ms; "
          + "\(missing.count) of \(Self.jobs) did not begin within \(Self.patience)")
    ]
  }
}
