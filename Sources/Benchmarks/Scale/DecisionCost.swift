import Autoscaling
import ControlPlane
import JobStore
import Logging
import Postgres

/// What one decision costs, the look at the database included, with very many lanes and jobs; next to what it costs with an empty queue.
struct DecisionCost {
  private static let lanes = 10_000
  private static let stages: Set<String> = ["ingest", "curate", "load"]
  /// Decisions of each repetition; the median of all is told.
  private static let looks = 10

  let surroundings: BenchSurroundings

  func measure() async throws -> [Figure] {
    let jobs = surroundings.scale.deepQueueJobs
    surroundings.say("scale: a decision with \(Self.lanes) lanes and \(jobs) jobs")
    let count = surroundings.scale.repetitions * Self.looks
    return try await surroundings.server.withDatabase { empty in
      try await surroundings.server.withDatabase { deep in
        var (emptyTurn, deepTurn): (ScalingService.Turn?, ScalingService.Turn?) = (nil, nil)
        let (idle, busy) = (service(empty, "idle"), service(deep, "busy"))
        try await idle.decide(&emptyTurn)
        try await busy.decide(&deepTurn)
        try await deep.pool.query(
          Statement.scaleFill, [.int(Int64(Self.lanes)), .int(Int64(jobs))])
        let spike = try await milliseconds { try await busy.decide(&deepTurn) }
        try await deep.settle()
        // Another process takes over: it looks at every lane once.
        try await JobStore(database: deep.pool).leaveScaling(as: "busy")
        let heir = service(deep, "heir")
        deepTurn = nil
        let first = try await milliseconds { try await heir.decide(&deepTurn) }
        var times: (idle: [Double], deep: [Double]) = ([], [])
        for _ in 0..<count {
          times.idle.append(try await milliseconds { try await idle.decide(&emptyTurn) })
          times.deep.append(try await milliseconds { try await heir.decide(&deepTurn) })
        }
        return figures(times, spike: spike, first: first, jobs: jobs)
      }
    }
  }

  private func figures(_ times: (idle: [Double], deep: [Double]), spike: Double, first: Double, jobs: Int) -> [Figure] {
    let place = "with \(Self.lanes) lanes and \(jobs) jobs"
    return [
      Figure(
        "one decision \(place)", Samples(times.deep), "ms", beside: "with an empty queue", Samples(times.idle),
        target: .atMost(50), note: "median of \(times.deep.count), in turns"),
      Figure("the decision after all of them came at once", spike, "ms", target: .atMost(50)),
      Figure("the first decision of a process \(place)", first, "ms", note: "it counts every lane once"),
    ]
  }

  private func service(_ database: BenchDatabase, _ holder: String) -> ScalingService {
    ScalingService(
      store: JobStore(database: database.pool), limits: ScalingLimits(maxWorkers: 8, slotsPerWorker: 2),
      stages: Self.stages, board: ScalingBoard(), holder: holder,
      logger: Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() })
  }

  private func milliseconds(_ body: () async throws -> Void) async throws -> Double {
    let clock = ContinuousClock()
    let start = clock.now
    try await body()
    return start.duration(to: clock.now).milliseconds
  }
}
