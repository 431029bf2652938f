import JobStore
import Synchronization

/// From just before a job was enqueued to its handler's first line.
///
/// The payload carries the time, in nanoseconds of this process's clock since it was made.
final class StartTimes: Sendable {
  private let origin = ContinuousClock.now
  private let waits = Mutex<[Double]>([])

  /// The payload of a job that is about to be enqueued.
  func payload() -> String { #"{"at":\#(now)}"# }

  /// Called by the handler's first line.
  func began(_ attempt: JobAttempt) {
    let began = now
    guard let sent = Int64(attempt.payload.filter(\.isNumber)) else { return }
    waits.withLock { $0.append(Double(began - sent) / 1e6) }
  }

  /// In milliseconds.
  var all: [Double] { waits.withLock { $0 } }
  var count: Int { waits.withLock { $0.count } }

  private var now: Int64 { Int64(origin.duration(to: .now).milliseconds * 1e6) }
}
