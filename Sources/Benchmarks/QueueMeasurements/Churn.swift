import JobStore
import Postgres

/// Enqueue and drain at a steady rate for minutes: whether the tables that jobs pass through stop growing.
struct Churn: QueueMeasurement {
  let name = "churn"
  /// Rows come and go in these; all else is history, which goes with its retention.
  private static let passing = ["beat", "blocked", "later", "lease", "live_key", "permit", "progress", "ready"]
  private static let bounded = ["beat", "later", "lease", "ready"]
  /// Of what two workers drain.
  private static let share = 0.4
  private static let mostJobsASecond = 10_000.0
  private static let patience = Duration.seconds(60)
  /// Until the workers run at their pace.
  private static let warmUp = 0.05

  private struct Table {
    var bytes: Double
    var dead: Int64
  }

  func measure(_ bench: QueueBench) async throws -> [Figure] {
    let rate = min(try await bench.drainedRate() * Self.share, Self.mostJobsASecond)
    let length = bench.scale.churn
    bench.say("  \(Int(rate)) jobs/s for \(length)")
    let (samples, sent) = try await bench.withQueue { queue in
      let handler = BenchHandler()
      return try await queue.withWorkers(2, handler: handler) {
        try await run(queue, handler, rate: rate, length: length)
      }
    }
    let note = "\(sent) jobs at \(Int(rate)) a second for \(length)"
    func total(_ sample: [String: Table]) -> Double {
      Self.bounded.compactMap { sample[$0]?.bytes }.reduce(0, +) / 1e6
    }
    var figures = [
      Figure(
        "size of \(Self.bounded.joined(separator: ", ")) after churn", total(samples[2]), "MB",
        beside: "half-way", besideValue: total(samples[1]), target: .ratioAtMost(1.25), note: note)
    ]
    for name in samples[2].keys.sorted() {
      guard let end = samples[2][name], end.bytes > 100_000 || Self.passing.contains(name) else { continue }
      let (start, middle) = (samples[0][name], samples[1][name])
      figures.append(
        Figure(
          "size of \(name) after churn", end.bytes / 1e6, "MB", beside: "half-way",
          besideValue: (middle?.bytes ?? 0) / 1e6,
          note: "dead rows \(start?.dead ?? 0), half-way \(middle?.dead ?? 0), at the end \(end.dead); "
            + "\((start?.bytes ?? 0) / 1e6) MB at the start"))
    }
    return figures
  }

  /// Sizes at the start, half-way and at the end.
  private func run(
    _ queue: QueueUnderTest, _ handler: BenchHandler, rate: Double, length: Duration
  ) async throws -> ([[String: Table]], Int) {
    let clock = ContinuousClock()
    let start = clock.now
    let feeder = Feeder(queue: queue, pace: .rate(rate)) { "{}" }
    return try await withThrowingTaskGroup(of: Int?.self) { group in
      group.addTask { try await feeder.run(until: start + length) { 0 } }
      var samples: [[String: Table]] = []
      for share in [Self.warmUp, 0.5] {
        try await clock.sleep(until: start + length * share)
        samples.append(try await sizes(queue))
      }
      let sent = try await group.next().flatMap { $0 } ?? 0
      samples.append(try await sizes(queue))
      guard try await handler.waitUntil(sent, before: clock.now + Self.patience) else {
        throw BenchError(
          "churn_slow", "at \(Int(rate)) jobs a second \(sent - handler.count) of \(sent) jobs were left behind")
      }
      return (samples, sent)
    }
  }

  private func sizes(_ queue: QueueUnderTest) async throws -> [String: Table] {
    let rows = try await queue.database.pool.query(Statement.queueSizes)
    return Dictionary(
      uniqueKeysWithValues: try rows.map {
        (try $0.string("name"), Table(bytes: try $0.double("bytes"), dead: try $0.int("dead")))
      })
  }
}
