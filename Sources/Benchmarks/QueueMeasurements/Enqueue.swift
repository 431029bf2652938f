import JobStore
import Postgres

/// How fast two clients enqueue in batches of a thousand; beside pgbench, two clients inserting as many bare rows.
struct Enqueue: QueueMeasurement {
  let name = "enqueue"
  private static let clients = 2
  private static let batch = QueueUnderTest.longestBatch

  func measure(_ bench: QueueBench) async throws -> [Figure] {
    var own: [Double] = []
    var peer: [Double] = []
    for turn in 1...bench.scale.repetitions {
      own.append(try await enqueue(bench))
      if let rate = try await ceiling(bench) { peer.append(rate) }
      bench.say("  \(turn): \(Int(own.last ?? 0)) jobs/s, pgbench \(Int(peer.last ?? 0)) rows/s")
    }
    return [
      Figure(
        "enqueue in batches of \(Self.batch)", Samples(own), "jobs/s", beside: "pgbench, insert of \(Self.batch)",
        peer.isEmpty ? nil : Samples(peer), target: .ratioAtLeast(0.5), note: "\(Self.clients) clients")
    ]
  }

  private func enqueue(_ bench: QueueBench) async throws -> Double {
    try await bench.withQueue { queue in
      let payloads = Array(repeating: #"{"n":1}"#, count: Self.batch)
      // Connections and lanes are there before the clock starts.
      for client in 0..<Self.clients { try await queue.enqueue(["{}"], pipeline: "bench_\(client)") }
      try await queue.database.settle()
      let clock = ContinuousClock()
      let start = clock.now
      let end = start + bench.scale.repetition
      let sent = try await withThrowingTaskGroup(of: Int.self) { group in
        for client in 0..<Self.clients {
          group.addTask {
            var sent = 0
            while clock.now < end {
              try await queue.enqueue(payloads, pipeline: "bench_\(client)")
              sent += payloads.count
            }
            return sent
          }
        }
        return try await group.reduce(0, +)
      }
      let elapsed = start.duration(to: clock.now).seconds
      let ready = try await queue.database.pool.query(Statement.queueReadyCount).only.int("jobs")
      guard ready == Int64(sent + Self.clients) else {
        throw BenchError("not_enqueued", "\(sent + Self.clients) jobs were enqueued, \(ready) are ready")
      }
      return Double(sent) / elapsed
    }
  }

  private func ceiling(_ bench: QueueBench) async throws -> Double? {
    guard let pgBench = bench.pgBench else { return nil }
    return try await bench.surroundings.server.withDatabase { database in
      try await database.pool.execute(Statement.peerSchema.text)
      try await database.settle()
      let rate = try await pgBench.transactionsPerSecond(
        Statement.peerInsert, on: database, clients: Self.clients, .time(bench.scale.repetition))
      return rate * Double(Self.batch)
    }
  }
}
