import JobStore
import Logging
import Postgres

/// Hears of lanes where jobs became ready, and makes sure that it would hear: a connection that a network has forgotten
/// looks like a quiet queue.
package struct LaneListener: Sendable {
  /// After so long without a word it says one itself.
  static let quiet = Duration.seconds(10)
  /// How long its own word may take.
  static let patience = Duration.seconds(3)

  let store: JobStore
  let settings: PostgresSettings
  let logger: Logger
  let clock = ContinuousClock()

  package init(store: JobStore, settings: PostgresSettings, logger: Logger) {
    self.store = store
    self.settings = settings
    self.logger = logger
  }

  /// Listens until cancelled, again after each loss.
  ///
  /// - Parameters:
  ///   - heard: The lanes of a notification.
  ///   - began: Called whenever it listens again: what was said before is lost.
  ///   - lost: Called with why a session ended.
  package func run(
    heard: @escaping @Sendable (Set<Int64>) -> Void, began: @escaping @Sendable () -> Void,
    lost: @escaping @Sendable (PostgresError) -> Void
  ) async throws {
    while true {
      do {
        let notifications = try await PostgresNotifications.listen(on: [LaneBell.channel], settings)
        began()
        do { try await attend(notifications, heard) } catch {
          await notifications.close()
          throw error
        }
      } catch let error as PostgresError where error.isTransient {
        lost(error)
        logger.debug("the listener lost its connection; polling goes on", metadata: ["error": "\(error)"])
        try await clock.sleep(for: .seconds(1))
      } catch is Deaf {
        logger.warning("the listener did not hear its own notification; listening anew")
      }
    }
  }

  private func attend(
    _ notifications: PostgresNotifications, _ heard: @escaping @Sendable (Set<Int64>) -> Void
  ) async throws {
    let ear = Ear(now: clock.now)
    let probe = "probe \(notifications.backendPID)"
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        for try await notification in notifications {
          ear.hears(at: clock.now)
          let lanes = LaneBell.lanes(in: notification.payload)
          if !lanes.isEmpty { heard(lanes) }
        }
        try Task.checkCancellation()
        throw Deaf()
      }
      group.addTask {
        while true {
          try await clock.sleep(until: ear.lastHeard + Self.quiet)
          guard ear.lastHeard.duration(to: clock.now) >= Self.quiet else { continue }
          let asked = clock.now
          try await store.probe(probe)
          try await clock.sleep(until: asked + Self.patience)
          guard ear.lastHeard >= asked else { throw Deaf() }
        }
      }
      defer { group.cancelAll() }
      _ = try await group.next()
    }
  }

  private struct Deaf: Error {}
}
