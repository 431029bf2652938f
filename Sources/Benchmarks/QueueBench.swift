import JobStore
import Postgres
import Synchronization

/// What the measurements of the queue share.
final class QueueBench: Sendable {
  let surroundings: BenchSurroundings
  let pgBench: PgBench?
  private let drained = Mutex<Double?>(nil)

  init(_ surroundings: BenchSurroundings) {
    self.surroundings = surroundings
    pgBench = PgBench.locate(folder: surroundings.folder)
  }

  var scale: BenchScale { surroundings.scale }
  func say(_ text: String) { surroundings.say(text) }

  func withQueue<T: Sendable>(_ body: (QueueUnderTest) async throws -> T) async throws -> T {
    try await surroundings.server.withDatabase { try await body(QueueUnderTest($0)) }
  }

  /// Jobs a second that two workers drain; what other measurements call their load a share of.
  func drainedRate() async throws -> Double {
    if let known = drained.withLock({ $0 }) { return known }
    let rate = try await Drain().calibrate(self)
    foundDrainedRate(rate)
    return rate
  }

  func foundDrainedRate(_ rate: Double) { drained.withLock { $0 = rate } }
}

/// One group of figures about the queue.
protocol QueueMeasurement: Sendable {
  /// By which one can ask for it alone.
  var name: String { get }
  func measure(_ bench: QueueBench) async throws -> [Figure]
}
