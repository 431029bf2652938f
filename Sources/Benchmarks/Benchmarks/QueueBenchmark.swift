/// The queue: drain, enqueue, latency, depth, fairness, crashes, growth.
package struct QueueBenchmark: Benchmark {
  package static let name = "queue"

  private static let measurements: [any QueueMeasurement] = [
    Drain(), Enqueue(), StartLatency(), LoadedLatency(), ClaimCost(), Fairness(), Rescue(), HeldSnapshot(), Churn(),
  ]

  package init() {}

  package func measure(_ surroundings: BenchSurroundings) async throws -> [Figure] {
    let bench = QueueBench(surroundings)
    if bench.pgBench == nil {
      bench.say("no pgbench is installed: figures stand without it (apt-get install postgresql)")
    }
    let wanted = Self.measurements.filter { measurement in
      surroundings.only.isEmpty || surroundings.only.contains { measurement.name.contains($0) }
    }
    guard !wanted.isEmpty else {
      throw BenchError(
        "usage", "no measurement of the queue is called \(surroundings.only.joined(separator: ", "))",
        hint: "choose from \(Self.measurements.map(\.name).joined(separator: ", "))")
    }
    var figures: [Figure] = []
    for measurement in wanted {
      bench.say("queue: \(measurement.name)")
      figures += try await measurement.measure(bench)
    }
    return figures
  }
}
