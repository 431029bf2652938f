import Dispatch
import Glibc
import Synchronization

/// Ends the process at the second Ctrl-C.
/// Sendable because Dispatch sources are thread-safe objects and the count is behind a lock.
final class Impatience: @unchecked Sendable {
  /// What shells report for a program that SIGINT ended.
  private static let status: Int32 = 130

  private let source: any DispatchSourceSignal
  private let count = Mutex(0)

  init() {
    let source = DispatchSource.makeSignalSource(signal: SIGINT, queue: .global())
    self.source = source
    source.setEventHandler { [weak self] in self?.interrupted() }
    source.resume()
  }

  func cancel() { source.cancel() }

  private func interrupted() {
    let isSecond = count.withLock {
      $0 += 1
      return $0 >= 2
    }
    guard isSecond else {
      Console.note("stopping at the next checkpoint; press Ctrl-C again to stop at once")
      return
    }
    _exit(Self.status)
  }
}
