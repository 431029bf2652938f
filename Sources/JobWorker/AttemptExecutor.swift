import JobModel
import JobStore
import Logging
import Postgres

/// Does one claimed job with its handler and writes how the attempt ended.
struct AttemptExecutor: Sendable {
  let store: JobStore
  let handlers: [String: any JobHandler]
  let retry: RetryPolicy
  let running: RunningAttempts
  let logger: Logger

  func perform(_ claim: Claim) async {
    let attempt = JobAttempt(claim: claim, store: store, logger: logger)
    attempt.killPoint(.jobClaimed)
    attempt.logger.info("attempt began", metadata: ["attempt": "\(claim.attempt)", "step": "\(claim.label)"])
    let work = Task {
      guard let handler = handlers[claim.kind] else { throw UnknownKind(kind: claim.kind) }
      try await handler.run(attempt)
    }
    running.begin(attempt, now: .now, cancel: { work.cancel() })
    let result = await work.result
    let end = Self.end(
      of: result, claim: claim, isEnded: attempt.isEnded, isStalled: running.wasStalled(attempt), retry: retry,
      jitter: .random(in: 0...1))
    await settle(attempt, end)
    running.end(attempt)
  }

  /// How an attempt ended; nil where nothing is left to write: it is done, or the lease is lost.
  static func end(
    of result: Result<Void, any Error>, claim: Claim, isEnded: Bool, isStalled: Bool, retry: RetryPolicy, jitter: Double
  ) -> JobStore.AttemptEnd? {
    if isEnded { return nil }
    let failure: any Failure
    switch result {
    case .success: failure = NotCompleted(kind: claim.kind)
    case .failure(let error):
      switch error {
      case is LeaseLost: return nil
      case is JobYield: return .yielded
      case let snooze as JobSnooze: return .snoozed(snooze.delay)
      case is CancellationError where !isStalled: return .yielded
      // Targets and sources have errors of their own; this one is the queue's database, whose outage is no fault of a job.
      case let error as PostgresError where error.isTransient && !isStalled: return .snoozed(.seconds(1))
      case _ where isStalled: failure = Stalled(label: claim.label)
      case let known as any Failure: failure = known
      default: failure = UnexpectedError(error)
      }
    }
    guard failure.isTransient, claim.attempt < claim.maximumAttempts else { return .dead(failure: failure.json) }
    return .retried(after: retry.delay(afterAttempt: claim.attempt, jitter: jitter), failure: failure.json)
  }

  /// Writes the end. Where the database does not answer, the worker's next beats find the lease and give it back.
  private func settle(_ attempt: JobAttempt, _ end: JobStore.AttemptEnd?) async {
    guard let end else {
      attempt.logger.info(attempt.isEnded ? "attempt done" : "attempt abandoned: its lease is lost")
      return
    }
    switch end {
    case .dead(let failure):
      attempt.logger.error("attempt failed for good", metadata: ["failure": "\(failure)"])
      await attempt.log(.error, failure)
    case .retried(let delay, let failure):
      attempt.logger.warning(
        "attempt failed; it will be tried again", metadata: ["failure": "\(failure)", "after": "\(delay)"])
      await attempt.log(.warning, failure)
    case .yielded: attempt.logger.info("attempt gave its job back at a checkpoint")
    case .snoozed(let delay): attempt.logger.info("attempt put its job off", metadata: ["after": "\(delay)"])
    }
    // Written also when this task was cancelled, as it is when the worker ends in disorder.
    let store = self.store
    let writing = Task { try await store.endAttempt(attempt.claim.holder, as: end) }
    do { _ = try await writing.value } catch {
      attempt.logger.warning(
        "the end of an attempt was not written; a later beat gives the job back", metadata: ["error": "\(error)"])
    }
  }
}

/// A job of a kind that this worker has no handler for.
struct UnknownKind: Failure {
  var kind: String
  var code: String { "unknown_kind" }
  var message: String { "no handler for jobs of the kind \"\(kind)\"" }
  var hint: String? { "run a worker whose engine knows the kind, then retry the job" }
  var isTransient: Bool { false }
}

/// A handler returned without having ended its job: a mistake in the handler.
struct NotCompleted: Failure {
  var kind: String
  var code: String { "not_completed" }
  var message: String { "the handler of \"\(kind)\" returned without completing its job" }
  var hint: String? { "report this as a defect of the handler" }
  var isTransient: Bool { false }
}

/// An attempt that moved neither bytes nor a checkpoint for too long.
struct Stalled: Failure {
  var label: String
  var code: String { "stalled" }
  var message: String { "\(label) moved neither bytes nor a checkpoint for too long" }
  var hint: String? { "look at what it waits for with sluice jobs show" }
  var isTransient: Bool { true }
}

/// An error that no module translated: told by its type alone, because its text may carry values.
struct UnexpectedError: Failure {
  var type: String
  init(_ error: any Error) { type = String(describing: Swift.type(of: error)) }
  var code: String { "unexpected" }
  var message: String { "an unexpected error of the type \(type)" }
  var hint: String? { "the worker's log has the details" }
  var isTransient: Bool { true }
}
