/// What a job's handler does, whoever runs it.
struct JobScript {
  enum Temper: String, CaseIterable {
    case steady
    /// Fails now and then, so that it is tried again.
    case flaky
    /// Kills its worker each time.
    case poison
    /// Fails for good.
    case hopeless
    /// Stands still on its first attempt.
    case hanging
    /// Puts itself off now and then.
    case snoozing
  }

  var temper: Temper
  /// Pieces of work; each but the last ends with a checkpoint.
  var chunks: Int
  var chunkTime: Duration
  /// Whether it hears a cancellation in the middle of a chunk.
  var isCooperative: Bool
  /// A loose job that writes its last results by a checkpoint, and then only says that it is done.
  var acknowledges: Bool

  static func drawn(isLoose: Bool, from random: inout SeededGenerator) -> JobScript {
    let temper = random.weighted([
      (weight: 70, value: Temper.steady), (10, .flaky), (5, .poison), (3, .hopeless), (4, .hanging), (8, .snoozing),
    ])
    let isQuick = random.happens(0.6)
    let neverCheckpoints = random.happens(0.2)
    return JobScript(
      temper: temper, chunks: neverCheckpoints ? 1 : random.integer(in: 1...8),
      chunkTime: random.duration(isQuick ? 20...800 : (neverCheckpoints ? 5000...30_000 : 800...8000)),
      isCooperative: random.happens(0.7), acknowledges: isLoose && random.happens(0.6))
  }
}
