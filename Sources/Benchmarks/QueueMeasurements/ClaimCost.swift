import JobStore
import Postgres

/// What a claim costs in a deep queue with a long history, beside what it costs in a shallow one without; in turns.
struct ClaimCost: QueueMeasurement {
  let name = "claim"
  private static let shallowJobs = 1_000
  /// Claims of each limit, after as many that are not counted: caches and plans are warm.
  private static let limits = [(jobs: 1, claims: 150), (jobs: 50, claims: 60)]
  private static let warmUp = 10

  func measure(_ bench: QueueBench) async throws -> [Figure] {
    let deepJobs = bench.scale.deepQueueJobs
    return try await bench.withQueue { shallow in
      try await bench.withQueue { deep in
        try await fill(shallow, ready: Self.shallowJobs, done: 0)
        bench.say("  \(deepJobs) ready and \(deepJobs) done jobs are put in")
        try await fill(deep, ready: deepJobs, done: deepJobs)
        let workers = (try await shallow.registerClaimer(), try await deep.registerClaimer())
        var figures: [Figure] = []
        for (limit, claims) in Self.limits {
          var times: (shallow: [Double], deep: [Double]) = ([], [])
          for turn in 0..<(Self.warmUp + claims) {
            let one = try await claim(limit, workers.0, shallow)
            let other = try await claim(limit, workers.1, deep)
            guard turn >= Self.warmUp else { continue }
            times.shallow.append(one)
            times.deep.append(other)
          }
          let (deepTimes, shallowTimes) = (Samples(times.deep), Samples(times.shallow))
          bench.say(
            "  claim of \(limit): \(Figure.text(deepTimes.median)) ms, shallow \(Figure.text(shallowTimes.median)) ms")
          figures.append(
            Figure(
              "claim of \(limit) with \(deepJobs) ready and \(deepJobs) done", deepTimes, "ms",
              beside: "with \(Self.shallowJobs) ready", shallowTimes, target: .ratioAtMost(1.3),
              note: "medians of \(claims) claims"))
        }
        return figures
      }
    }
  }

  private func fill(_ queue: QueueUnderTest, ready: Int, done: Int) async throws {
    // Makes the lane.
    try await queue.enqueue(["{}"])
    let lane: [PostgresValue] = [.text("bench"), .text(QueueUnderTest.stage)]
    try await queue.database.pool.query(Statement.queueFillReady, lane + [.int(Int64(ready))])
    if done > 0 { try await queue.database.pool.query(Statement.queueFillDone, lane + [.int(Int64(done))]) }
    try await queue.database.settle()
  }

  /// The time of one claim; what it took is put back, so that a shallow queue stays as deep as it was.
  private func claim(_ limit: Int, _ worker: Int64, _ queue: QueueUnderTest) async throws -> Double {
    let clock = ContinuousClock()
    let start = clock.now
    let count = try await queue.claim(worker: worker, limit: limit)
    let elapsed = start.duration(to: clock.now).milliseconds
    guard count == limit else {
      throw BenchError("claim_short", "a claim of \(limit) from a full queue got \(count)")
    }
    try await queue.enqueue(Array(repeating: "{}", count: limit))
    return elapsed
  }
}
