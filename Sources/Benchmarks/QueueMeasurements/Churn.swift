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
  /// Looks at the sizes during a run: between two of them vacuum may come and go.
  private static let looks = 40

  private struct Table {
    var bytes: Double
    var dead: Int64
  }
  private typealias Sizes = [String: Table]

  func measure(_ bench: QueueBench) async throws -> [Figure] {
    let rate = min(try await bench.drainedRate() * Self.share, Self.mostJobsASecond)
    let length = bench.scale.churn
    bench.say("  \(Int(rate)) jobs/s for \(length)")
    let (looks, sent) = try await bench.withQueue { queue in
      let handler = BenchHandler()
      return try await queue.withWorkers(2, handler: handler) {
        try await run(queue, handler, rate: rate, length: length)
      }
    }
    // The second quarter and the last: by then what dies at this rate was vacuumed a few times.
    let before = Self.peak(looks[(looks.count / 4)..<(looks.count / 2)])
    let after = Self.peak(looks[(looks.count * 3 / 4)...])
    let whole = Figure(
      "peak size of \(Self.bounded.joined(separator: ", ")) at the end of churn", after, "MB",
      beside: "before its middle", besideValue: before, target: .ratioAtMost(1.25),
      note: "\(sent) jobs at \(Int(rate)) a second for \(length); the last quarter and the second")
    return [whole] + Self.tables(start: looks[1], middle: looks[looks.count / 2], end: looks[looks.count - 1])
  }

  private static func peak(_ looks: ArraySlice<Sizes>) -> Double {
    looks.map { sizes in bounded.compactMap { sizes[$0]?.bytes }.reduce(0, +) / 1e6 }.max() ?? 0
  }

  private static func tables(start: Sizes, middle: Sizes, end: Sizes) -> [Figure] {
    end.keys.sorted().compactMap { name in
      guard let last = end[name], last.bytes > 100_000 || passing.contains(name) else { return nil }
      let dead = [start, middle, end].map { "\($0[name]?.dead ?? 0)" }.joined(separator: ", ")
      return Figure(
        "size of \(name) after churn", last.bytes / 1e6, "MB", beside: "half-way",
        besideValue: (middle[name]?.bytes ?? 0) / 1e6,
        note: "\((start[name]?.bytes ?? 0) / 1e6) MB at the start; dead rows at start, middle and end \(dead)")
    }
  }

  private func run(
    _ queue: QueueUnderTest, _ handler: BenchHandler, rate: Double, length: Duration
  ) async throws -> ([Sizes], Int) {
    let clock = ContinuousClock()
    let start = clock.now
    let feeder = Feeder(queue: queue, pace: .rate(rate)) { "{}" }
    return try await withThrowingTaskGroup(of: Int.self) { group in
      group.addTask { try await feeder.run(until: start + length) { 0 } }
      var looks = [try await sizes(queue)]
      for number in 1...Self.looks {
        try await clock.sleep(until: start + length * (Double(number) / Double(Self.looks)))
        looks.append(try await sizes(queue))
      }
      let sent = try await group.next() ?? 0
      guard try await handler.waitUntil(sent, before: clock.now + Self.patience) else {
        throw BenchError(
          "churn_slow", "at \(Int(rate)) jobs a second \(sent - handler.count) of \(sent) jobs were left behind")
      }
      return (looks, sent)
    }
  }

  private func sizes(_ queue: QueueUnderTest) async throws -> Sizes {
    let rows = try await queue.database.pool.query(Statement.queueSizes)
    return Dictionary(
      uniqueKeysWithValues: try rows.map {
        (try $0.string("name"), Table(bytes: try $0.double("bytes"), dead: try $0.int("dead")))
      })
  }
}
