import JobStore
import Postgres

/// How fast two workers drain while another session holds a snapshot, which keeps vacuum from every row that died since;
/// beside the same without it.
struct HeldSnapshot: QueueMeasurement {
  let name = "snapshot"
  private static let backlog = 20_000

  func measure(_ bench: QueueBench) async throws -> [Figure] {
    let free = try await rate(bench, holding: false)
    let held = try await rate(bench, holding: true)
    bench.say("  \(Int(held)) jobs/s, without \(Int(free))")
    return [
      Figure(
        "drain under a held snapshot", held, "jobs/s", beside: "without it", besideValue: free,
        note: "the second half of \(bench.scale.heldSnapshot), fed to a backlog of \(Self.backlog)")
    ]
  }

  /// The rate in the second half of the time.
  private func rate(_ bench: QueueBench, holding: Bool) async throws -> Double {
    try await bench.withQueue { queue in
      let handler = BenchHandler()
      let holder = holding ? try await PostgresConnection.connect(queue.database.settings) : nil
      try await holder?.execute("begin isolation level repeatable read; select count(*) from pg_class")
      let rate = try await queue.withWorkers(2, handler: handler) {
        let clock = ContinuousClock()
        let start = clock.now
        let length = bench.scale.heldSnapshot
        let feeder = Feeder(queue: queue, pace: .backlog(Self.backlog)) { "{}" }
        return try await withThrowingTaskGroup(of: Double?.self) { group in
          group.addTask {
            _ = try await feeder.run(until: start + length) { handler.count }
            return nil
          }
          group.addTask {
            try await clock.sleep(until: start + length / 2)
            let (count, at) = (handler.count, clock.now)
            try await clock.sleep(until: start + length)
            return Double(handler.count - count) / at.duration(to: clock.now).seconds
          }
          var rate = 0.0
          for try await value in group { if let value { rate = value } }
          return rate
        }
      }
      await holder?.close()
      return rate
    }
  }
}
