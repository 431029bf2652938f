import JobModel
import Synchronization

#if canImport(Glibc)
  import Glibc
#endif

/// The kill point that `SLUICE_KILL_AT` arms in this process; nil outside tests.
final class ArmedKillPoint: Sendable {
  static let shared: ArmedKillPoint? = getenv("SLUICE_KILL_AT").flatMap { ArmedKillPoint(String(cString: $0)) }

  private let point: KillPoint
  private let remaining: Mutex<Int>

  /// Reads `load.committed` or `load.committed:3`.
  init?(_ text: String) {
    let parts = text.split(separator: ":")
    guard let name = parts.first, let point = KillPoint(rawValue: String(name)) else { return nil }
    self.point = point
    remaining = Mutex(parts.count > 1 ? Int(parts[1]) ?? 1 : 1)
  }

  func pass(_ passed: KillPoint) {
    guard passed == point else { return }
    let isNow = remaining.withLock {
      $0 -= 1
      return $0 == 0
    }
    guard isNow else { return }
    // Told on standard error first, so that the test that armed it can count the point as hit.
    let line = "kill point \(point.rawValue)\n"
    _ = line.withCString { write(STDERR_FILENO, $0, strlen($0)) }
    kill(getpid(), SIGKILL)
  }
}
