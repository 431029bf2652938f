import Synchronization

/// Enqueues at a steady rate, or as fast as keeps a backlog, for as long as it is told to.
struct Feeder: Sendable {
  enum Pace: Sendable {
    /// Jobs a second.
    case rate(Double)
    /// As many as keep about so many jobs ready.
    case backlog(Int)
  }

  /// Of a rate: short enough that a job's wait is not the feeder's doing.
  private static let tick = Duration.milliseconds(5)
  /// Of a backlog: far shorter than it takes to drain one.
  private static let look = Duration.milliseconds(2)

  let queue: QueueUnderTest
  let pace: Pace
  /// The payload of the next job.
  let payload: @Sendable () -> String

  /// - Returns: How many jobs it enqueued.
  func run(until end: ContinuousClock.Instant, done: @Sendable () -> Int) async throws -> Int {
    let clock = ContinuousClock()
    let start = clock.now
    var sent = 0
    while clock.now < end {
      let due =
        switch pace {
        case .rate(let rate): Int(rate * start.duration(to: clock.now).seconds) - sent
        case .backlog(let size): done() + size - sent
        }
      switch pace {
      case .rate where due > 0:
        sent += try await enqueue(min(due, QueueUnderTest.longestBatch))
      case .backlog where due >= QueueUnderTest.longestBatch:
        sent += try await enqueue(QueueUnderTest.longestBatch)
      case .rate: try await clock.sleep(for: Self.tick)
      case .backlog: try await clock.sleep(for: Self.look)
      }
    }
    return sent
  }

  private func enqueue(_ count: Int) async throws -> Int {
    try await queue.enqueue((0..<count).map { _ in payload() })
    return count
  }
}
