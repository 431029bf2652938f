import Dispatch
import Glibc
import Synchronization

/// Notes whether this process was asked to stop, beside whoever acts on it.
/// Sendable because Dispatch sources are thread-safe objects and the flag is behind a lock.
final class StopWatch: @unchecked Sendable {
  private let sources: [any DispatchSourceSignal]
  private let asked = Mutex(false)

  init() {
    sources = [SIGTERM, SIGINT].map { DispatchSource.makeSignalSource(signal: $0, queue: .global()) }
    for source in sources {
      source.setEventHandler { [weak self] in self?.asked.withLock { $0 = true } }
      source.resume()
    }
  }

  var wasAsked: Bool { asked.withLock { $0 } }

  func cancel() { for source in sources { source.cancel() } }
}
