import JobModel
import JobStore
import Logging
import PipelineDefinition
import Postgres
import ServiceLifecycle

/// Delivers what the outbox holds: spreads each event to the rules of `notify`, then tries each until it arrives.
///
/// At least once: a notifier that dies between a delivery and its note delivers again.
package struct Notifier: Service {
  /// After so many attempts, over about five hours, a message is given up; `status` shows it.
  private static let mostAttempts = 12
  /// So many deliveries at once, so that a slow receiver does not hold up the others.
  private static let mostAtOnce = 16
  /// Longer than any delivery may take, so that no one else takes the message meanwhile.
  private static let patience = Duration.seconds(60)

  private let store: JobStore
  private let rules: @Sendable (OutboxMessage) async throws -> [NotifyRule]
  private let channel: @Sendable (NotifyRule.Channel) throws -> any Channel
  private let poll: Duration
  private let retry: RetryPolicy
  private let jitter: @Sendable () -> Double
  private let logger: Logger
  private let clock = ContinuousClock()

  /// - Parameters:
  ///   - rules: The rules of the definition that the message's run began with.
  ///   - channel: Makes a rule's channel, with its secrets filled in.
  package init(
    store: JobStore, poll: Duration = .seconds(1),
    retry: RetryPolicy = RetryPolicy(firstDelay: .seconds(2), longestDelay: .seconds(3600)), logger: Logger,
    jitter: @escaping @Sendable () -> Double = { Double.random(in: 0...1) },
    rules: @escaping @Sendable (OutboxMessage) async throws -> [NotifyRule],
    channel: @escaping @Sendable (NotifyRule.Channel) throws -> any Channel
  ) {
    self.store = store
    self.poll = poll
    self.retry = retry
    self.jitter = jitter
    self.logger = logger
    self.rules = rules
    self.channel = channel
  }

  package func run() async throws {
    // A graceful shutdown ends the waiting by cancellation; that is no failure of the service.
    do { try await cancelWhenGracefulShutdown { try await keepDelivering() } } catch is CancellationError {}
  }

  private func keepDelivering() async throws {
    while !Task.isCancelled {
      do { while try await deliverDue() > 0 {} } catch let error as PostgresError where error.isTransient {
        logger.warning("the outbox could not be read; trying again", metadata: ["error": "\(error)"])
      }
      try await clock.sleep(for: poll)
    }
  }

  /// What a task of ``deliverDue()`` ended with.
  private enum Step { case handled, looksAgain }

  /// Takes what is due, also what becomes due until the last delivery has ended, and handles each. Returns how many there were.
  package func deliverDue() async throws -> Int {
    try await withThrowingTaskGroup(of: Step.self) { group in
      defer { group.cancelAll() }
      var (count, running, isWaiting) = (0, 0, false)
      repeat {
        let room = Self.mostAtOnce - running
        let messages = room > 0 ? try await store.takeOutbox(limit: room, patience: Self.patience) : []
        for entry in messages {
          group.addTask {
            try await settled(OutboxMessage(entry))
            return .handled
          }
        }
        count += messages.count
        running += messages.count
        if running > 0, !isWaiting {
          isWaiting = true
          group.addTask {
            try await clock.sleep(for: poll)
            return .looksAgain
          }
        }
        guard running > 0, let step = try await group.next() else { break }
        switch step {
        case .handled: running -= 1
        case .looksAgain: isWaiting = false
        }
      } while true
      return count
    }
  }

  private func settled(_ message: OutboxMessage) async throws {
    do { try await handle(message) } catch let failure as any Failure { try await settle(message, failure) }
  }

  private func handle(_ message: OutboxMessage) async throws {
    let rules = try await rules(message)
    guard let index = message.channel else {
      let channels = rules.indices.filter { rules[$0].when.contains(message.kind) }
      try await store.spreadOutbox(message.id, to: channels)
      return
    }
    guard rules.indices.contains(index) else {
      throw NotificationError(
        code: "rule_missing", message: "notify has no rule number \(index + 1)", isTransient: false)
    }
    try await channel(rules[index].channel).deliver(message)
    try await store.settleOutbox(message.id, as: .delivered)
    logger.info("notification delivered", metadata: ["event": "\(message.kind)", "outbox_id": "\(message.id)"])
  }

  private func settle(_ message: OutboxMessage, _ failure: any Failure) async throws {
    if failure.isTransient, message.attempt < Self.mostAttempts {
      let delay = retry.delay(afterAttempt: message.attempt, jitter: jitter())
      logger.warning(
        "notification not delivered; trying again",
        metadata: ["outbox_id": "\(message.id)", "failure": "\(failure)", "after": "\(delay)"])
      try await store.settleOutbox(message.id, as: .failed(after: delay, error: failure.description))
    } else {
      logger.error(
        "notification given up", metadata: ["outbox_id": "\(message.id)", "failure": "\(failure)"])
      try await store.settleOutbox(message.id, as: .givenUp(error: failure.description))
    }
  }
}

extension OutboxMessage {
  init(_ entry: JobStore.OutboxEntry) {
    self.init(
      id: entry.id, kind: entry.kind, pipeline: entry.pipeline, runID: entry.runID, releaseID: entry.releaseID,
      body: entry.body, channel: entry.channel, attempt: entry.attempt)
  }
}
