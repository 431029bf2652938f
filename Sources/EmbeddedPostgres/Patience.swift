import Glibc
import Synchronization

/// Waiting for other processes, which signal nothing to us: on a thread of our own, in short naps.
final class Patience: Sendable {
  /// Short against the 100 ms that a start of PostgreSQL takes.
  private static let nap = Duration.milliseconds(10)

  private let isOver = Mutex(false)

  /// Makes the next ``pause()`` throw.
  func end() { isOver.withLock { $0 = true } }

  /// - Throws: `CancellationError` after ``end()``.
  func pause() throws {
    if isOver.withLock({ $0 }) { throw CancellationError() }
    usleep(UInt32(Self.nap.components.attoseconds / 1_000_000_000_000))
  }
}
