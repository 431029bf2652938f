import JobStore
import Postgres

/// From before a job is enqueued into an idle queue to its handler's first line; beside one bare insert and one bare
/// claim, each committed, through the same connection layer.
struct StartLatency: QueueMeasurement {
  let name = "start"
  /// Lets the worker come to rest, and not in step with anything it polls by.
  private static let pauses = [3, 7, 4, 11, 5].map { Duration.milliseconds($0) }
  /// A job that has not begun by then counts as having waited so long.
  private static let patience = Duration.seconds(10)
  private static let slots = 8

  func measure(_ bench: QueueBench) async throws -> [Figure] {
    let times = StartTimes()
    let direct = StartTimes()
    var floor: [Double] = []
    let each = bench.scale.latencyJobs / bench.scale.repetitions
    for turn in 1...bench.scale.repetitions {
      try await bench.withQueue { queue in
        try await start(each, times, queue, waking: .byNotification)
        floor += try await self.bare(each, queue.database)
        try await start(each, direct, queue, waking: .directly)
      }
      let soFar = Samples(times.all)
      bench.say(
        "  \(turn): p50 \(Figure.text(soFar.median)) ms, p99 \(Figure.text(soFar.quantile(0.99))) ms")
    }
    return Self.figures("enqueue → start, idle", times, floor, isTarget: true)
      + Self.figures("enqueue → start, idle, worker in the same process", direct, floor, isTarget: false)
  }

  private static func figures(_ name: String, _ times: StartTimes, _ floor: [Double], isTarget: Bool) -> [Figure] {
    let own = Samples(times.all)
    let bare = Samples(floor)
    return [(0.5, "p50", 2.0), (0.99, "p99", 5.0)].map { share, label, limit in
      Figure(
        "\(name), \(label)", own.quantile(share), "ms", beside: "one insert + one claim",
        besideValue: bare.quantile(share), target: isTarget ? .atMost(limit) : nil,
        note: "\(own.count) jobs, one at a time")
    }
  }

  private func start(
    _ count: Int, _ times: StartTimes, _ queue: QueueUnderTest, waking: QueueUnderTest.Waking
  ) async throws {
    let clock = ContinuousClock()
    let handler = BenchHandler(onStart: times.began)
    try await queue.withWorkers(1, slots: Self.slots, waking: waking, handler: handler) {
      // The first one waits for the worker to start, and is not counted.
      try await queue.enqueue(["{}"])
      _ = try await handler.waitUntil(1, before: clock.now + Self.patience)
      // So does the next: its lane is known, its listener and the notifier are connected then.
      try await clock.sleep(for: .milliseconds(300))
      try await queue.enqueue(["{}"])
      _ = try await handler.waitUntil(2, before: clock.now + Self.patience)
      for number in 1...count {
        try await clock.sleep(for: Self.pauses[number % Self.pauses.count])
        try await queue.enqueue([times.payload()])
        guard try await handler.waitUntil(number + 2, before: clock.now + Self.patience) else {
          throw BenchError("no_start", "a job on an idle queue was not done within \(Self.patience)")
        }
      }
    }
  }

  private func bare(_ count: Int, _ database: BenchDatabase) async throws -> [Double] {
    try await database.pool.execute(Statement.peerSchema.text)
    let clock = ContinuousClock()
    return try await database.pool.withConnection { connection in
      var times: [Double] = []
      for number in 1...count {
        try await clock.sleep(for: Self.pauses[number % Self.pauses.count])
        let start = clock.now
        try await connection.query(Statement.peerInsertOne, [.int(Int64(number))])
        try await connection.query(Statement.peerClaimOne, [])
        times.append(start.duration(to: clock.now).milliseconds)
      }
      return times
    }
  }
}
