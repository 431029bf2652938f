/// From enqueue to the handler's first line while the queue is kept busy at a share of what two workers drain.
struct LoadedLatency: QueueMeasurement {
  let name = "load"
  private static let shares = [0.5, 0.8]
  private static let patience = Duration.seconds(60)

  func measure(_ bench: QueueBench) async throws -> [Figure] {
    let drained = try await bench.drainedRate()
    var figures: [Figure] = []
    for share in Self.shares {
      let rate = drained * share
      let times = StartTimes()
      let sent = try await bench.withQueue { queue in
        let handler = BenchHandler(onStart: times.began)
        return try await queue.withWorkers(2, handler: handler) {
          let feeder = Feeder(queue: queue, pace: .rate(rate), payload: times.payload)
          let end = ContinuousClock.now + bench.scale.repetition * 2
          let sent = try await feeder.run(until: end) { 0 }
          _ = try await handler.waitUntil(sent, before: .now + Self.patience)
          return sent
        }
      }
      guard times.count > 0 else { throw BenchError("no_start", "no job was begun at \(Int(rate)) jobs a second") }
      let waits = Samples(times.all)
      let note =
        "\(Int(rate)) jobs/s asked, \(Int(Double(sent) / (bench.scale.repetition * 2).seconds)) enqueued, \(waits.count) of \(sent) begun"
      for quantile in [50, 99] {
        figures.append(
          Figure(
            "enqueue → start, at \(Int(share * 100)) % load, p\(quantile)", waits.quantile(Double(quantile) / 100),
            "ms",
            note: note))
      }
      bench.say(
        "  at \(Int(share * 100)) %: p50 \(Figure.text(waits.median)) ms, p99 \(Figure.text(waits.quantile(0.99))) ms")
    }
    return figures
  }
}
