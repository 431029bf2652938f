import JobStore
import Synchronization

/// The names of environments that verbs have given work, until they are taken.
final class ServingInbox: Sendable {
  /// More than there are environments at any time; others are found by the next look.
  private static let most = 1000

  private let names = Mutex<Set<String>>([])
  private let news = WakeUp()
  /// Set when there is an environment that verbs may tell of.
  let isWanted = WakeUp()

  func put(_ name: String) {
    names.withLock { names in if names.count < Self.most { names.insert(name) } }
    news.set()
  }

  func take() -> Set<String> {
    names.withLock { names in
      defer { names = [] }
      return names
    }
  }

  /// Returns when something is there, after a time, or when the task is cancelled.
  func wait(atMost length: Duration) async {
    await withTaskGroup(of: Void.self) { group in
      group.addTask { try? await ContinuousClock().sleep(for: length) }
      group.addTask { [news] in await news.wait() }
      await group.next()
      group.cancelAll()
    }
  }
}
