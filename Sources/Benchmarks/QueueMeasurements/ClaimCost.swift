import JobStore
import Postgres

/// What a claim costs in a deep queue with a long history, beside what it costs in a shallow one without; in turns.
struct ClaimCost: QueueMeasurement {
  let name = "claim"
  private static let shallowJobs = 1_000
  /// Each after some that are not counted: caches and plans are warm.
  private static let batches = [(ClaimBatch.one, claims: 150), (ClaimBatch.fifty, claims: 60)]
  private static let surveys = 100
  private static let warmUp = 10

  func measure(_ bench: QueueBench) async throws -> [Figure] {
    let deepJobs = bench.scale.deepQueueJobs
    let place = "with \(deepJobs) ready and \(deepJobs) done"
    return try await bench.withQueue { shallow in
      try await bench.withQueue { deep in
        try await fill(shallow, ready: Self.shallowJobs, done: 0)
        bench.say("  \(deepJobs) ready and \(deepJobs) done jobs are put in")
        try await fill(deep, ready: deepJobs, done: deepJobs)
        return try await shallow.withClaimer { shallowClaimer in
          try await deep.withClaimer { deepClaimer in
            var figures = [
              try await compare("survey of the lanes \(place)", Self.surveys) { _ in
                (try await survey(shallowClaimer), try await survey(deepClaimer))
              }
            ]
            for (batch, claims) in Self.batches {
              var figure = try await compare("claim of \(batch.rawValue) \(place)", claims) { _ in
                (try await claim(batch, shallowClaimer, shallow), try await claim(batch, deepClaimer, deep))
              }
              figure.target = .ratioAtMost(1.3)
              figures.append(figure)
            }
            for figure in figures {
              bench.say(
                "  \(figure.name): \(Figure.text(figure.value)) ms, shallow \(Figure.text(figure.besideValue ?? 0)) ms")
            }
            return figures
          }
        }
      }
    }
  }

  private func compare(
    _ name: String, _ count: Int, _ once: (Int) async throws -> (shallow: Double, deep: Double)
  ) async throws -> Figure {
    var times: (shallow: [Double], deep: [Double]) = ([], [])
    for turn in 0..<(Self.warmUp + count) {
      let time = try await once(turn)
      guard turn >= Self.warmUp else { continue }
      times.shallow.append(time.shallow)
      times.deep.append(time.deep)
    }
    return Figure(
      name, Samples(times.deep), "ms", beside: "with \(Self.shallowJobs) ready", Samples(times.shallow),
      note: "medians of \(count), in turns")
  }

  private func fill(_ queue: QueueUnderTest, ready: Int, done: Int) async throws {
    // Makes the lane.
    try await queue.enqueue(["{}"])
    let lane: [PostgresValue] = [.text("bench"), .text(QueueUnderTest.kind)]
    try await queue.database.pool.query(Statement.queueFillReady, lane + [.int(Int64(ready))])
    if done > 0 { try await queue.database.pool.query(Statement.queueFillDone, lane + [.int(Int64(done))]) }
    try await queue.database.settle()
  }

  private func survey(_ claimer: QueueUnderTest.Claimer) async throws -> Double {
    let clock = ContinuousClock()
    let start = clock.now
    let lanes = try await claimer.survey()
    let elapsed = start.duration(to: clock.now).milliseconds
    guard lanes == 1 else { throw BenchError("survey_wrong", "one lane has ready jobs, the survey found \(lanes)") }
    return elapsed
  }

  /// The time of one claim; as much as it took is put in again, so that a shallow queue stays as deep as it was.
  private func claim(
    _ batch: ClaimBatch, _ claimer: QueueUnderTest.Claimer, _ queue: QueueUnderTest
  ) async throws -> Double {
    let clock = ContinuousClock()
    let start = clock.now
    let count = try await claimer.claim(batch)
    let elapsed = start.duration(to: clock.now).milliseconds
    guard count == batch.rawValue else {
      throw BenchError("claim_short", "a claim of \(batch.rawValue) from a full queue got \(count)")
    }
    try await queue.enqueue(Array(repeating: "{}", count: count))
    return elapsed
  }
}
