import JobModel
import JobStore
import Logging
import Postgres

/// Does one claimed job with its handler and writes how the attempt ended.
package struct AttemptExecutor: Sendable {
  let store: JobStore
  let handlers: [String: any JobHandler]
  let retry: RetryPolicy
  let running: RunningAttempts
  let logger: Logger

  /// - Returns: The lanes where others became ready who waited for its permits, and the lowest job of each.
  func perform(_ attempt: JobAttempt) async -> [Int64: JobID] {
    let claim = attempt.claim
    attempt.killPoint(.jobClaimed)
    if attempt.logs(claim.level) {
      attempt.logger.log(
        level: claim.level, "attempt began", metadata: ["attempt": "\(claim.attempt)", "step": "\(claim.label)"])
    }
    let result: Result<Void, any Error>
    do {
      guard let handler = handlers[claim.kind] else { throw UnknownKind(kind: claim.kind) }
      try await handler.run(attempt)
      result = .success(())
    } catch let error as JobWaits {
      attempt.logger.info("job waits for a permit", metadata: ["permit": "\(error.key)"])
      result = .failure(error)
    } catch { result = .failure(error) }
    if attempt.isEnded {
      noteEnd(of: attempt)
    } else {
      let endedAt = ContinuousClock.now
      let hasCrashedServer = await hasCrashedServer(result, claim.holder)
      let end = Self.end(
        of: result, claim: claim, hasMovedOn: attempt.hasMovedOn, hasCrashedServer: hasCrashedServer,
        hasLostOthers: running.hasLostSession(since: endedAt - Self.crashIsHeard),
        stop: running.stop(of: attempt), retry: retry, jitter: .random(in: 0...1))
      await settle(attempt, end)
    }
    running.end(attempt)
    do { return try await attempt.passPermitsOn() } catch {
      attempt.logger.info("the maintenance passes on the permits of an attempt", metadata: ["error": "\(error)"])
      return [:]
    }
  }

  /// How an attempt ended that is not done; nil where nothing is left to write: the lease is lost.
  ///
  /// - Parameters:
  ///   - hasMovedOn: Whether the attempt has moved the job on before it ended: with a checkpoint that is not the one that it began
  ///     with.
  ///   - hasCrashedServer: Whether the server's process of its session crashed under it; nil: not known.
  ///   - hasLostOthers: Whether sessions of the worker's own ended at that time.
  package static func end(
    of result: Result<Void, any Error>, claim: Claim, hasMovedOn: Bool, hasCrashedServer: Bool? = nil,
    hasLostOthers: Bool = false,
    stop: RunningAttempts.Stop?, retry: RetryPolicy, jitter: Double
  ) -> JobStore.AttemptEnd? {
    let failure: any Failure
    switch result {
    case .success: failure = NotCompleted(kind: claim.kind)
    case .failure(let error):
      switch error {
      case is LeaseLost: return nil
      // What did not move the job on says nothing of it: whether it crashes the server shows at the work itself.
      case is JobYield: return hasMovedOn ? .yielded : .interrupted(after: .zero)
      case _ where stop == .cancelled: return .cancelled
      case _ where stop == .stalled: failure = Stalled(label: claim.label)
      case _ where stop == .timeLimit: failure = TimeLimitPassed(label: claim.label)
      case let snooze as JobSnooze:
        // Never zero, which is a yield.
        return hasMovedOn ? .snoozed(snooze.delay) : .interrupted(after: max(snooze.delay, .milliseconds(1)))
      case is CancellationError: return .interrupted(after: .zero)
      // Another worker may know the kind; and this one, after the next deploy.
      case is UnknownKind: return .interrupted(after: .seconds(5 + 5 * jitter))
      // However far the job has come: it would come further and crash the server again each time.
      case let error as PostgresError where error.isSilentLoss && hasCrashedServer == true:
        let crash = ServerProcessCrashed(label: claim.label, error: error)
        return .lostSession(after: retry.delay(afterAttempt: claim.attempt, jitter: jitter), failure: crash.json)
      // It came further than ever: what ended its session was not its first statement, and the losses before are none in a row.
      case let error as PostgresError where error.isSilentLoss && hasMovedOn && hasCrashedServer == false:
        return .snoozed(.seconds(1))
      // The server is well and the worker's sessions stay: the pooler or the network ends this one, perhaps because of its statement,
      // each time.
      case let error as PostgresError
      where error.isSilentLoss && !hasMovedOn && hasCrashedServer == false && !hasLostOthers:
        let broken = SessionBroken(job: claim.jobID, label: claim.label, error: error)
        return .brokenSession(after: retry.delay(afterAttempt: 1, jitter: jitter), failure: broken.json)
      // What crashes its own server process ends so as well, each time: an outage tells its reason to those who were at rest. Where
      // the server says that none of its processes crashed, the connection was lost on the way.
      case let error as PostgresError where error.isSilentLoss && !hasMovedOn && hasCrashedServer == nil:
        return .lostSession(after: retry.delay(afterAttempt: claim.attempt, jitter: jitter), failure: error.json)
      // Targets and sources have errors of their own; this one is the queue's database, whose outage is no fault of a job.
      case let error as PostgresError where error.isOutage: return .interrupted(after: .seconds(1))
      case let known as any Failure: failure = known
      default: failure = UnexpectedError(error)
      }
    }
    if failure.isOutOfMemory {
      let shortage = OutOfMemory(job: claim.jobID, kills: claim.memoryKills + 1, error: failure)
      guard shortage.isTransient, claim.attempt < claim.maximumAttempts else { return .dead(failure: shortage.json) }
      return .outOfMemory(after: retry.delay(afterAttempt: claim.attempt, jitter: jitter), failure: shortage.json)
    }
    guard failure.isTransient, claim.attempt < claim.maximumAttempts else { return .dead(failure: failure.json) }
    return .retried(after: retry.delay(afterAttempt: claim.attempt, jitter: jitter), failure: failure.json)
  }

  /// How long after the loss of a session a worker's other sessions may hear of a crash.
  private static let crashIsHeard = Duration.seconds(2)

  /// Whether the server's process of the attempt's session crashed: the session ended without a word, and the server told other
  /// sessions of this worker at that time that one of its processes had crashed. Of a restart, a failover or a lost network the
  /// others hear something else, or nothing as well: then it is not known.
  ///
  /// Behind a pooler, sessions at rest hear nothing: the server itself is asked, once it answers again.
  private func hasCrashedServer(_ result: Result<Void, any Error>, _ holder: LeaseHolder) async -> Bool? {
    guard case .failure(let error as PostgresError) = result, error.isSilentLoss else { return nil }
    let clock = ContinuousClock()
    let lostAt = clock.now
    while !running.hasHeardOfCrash(since: lostAt - Self.crashIsHeard) {
      guard clock.now < lostAt + Self.crashIsHeard else {
        return store.database.settings.isPooled ? await serverTellsOfCrash(during: holder, since: lostAt) : nil
      }
      do { try await clock.sleep(for: .milliseconds(50)) } catch { return nil }
    }
    return true
  }

  private func serverTellsOfCrash(during holder: LeaseHolder, since lostAt: ContinuousClock.Instant) async -> Bool? {
    let clock = ContinuousClock()
    while true {
      do { return try await store.hasServerCrashed(during: holder) } catch {
        logger.info("whether the server has crashed is not known yet", metadata: ["error": "\(error)"])
        guard let error = error as? PostgresError, error.isTransient, clock.now < lostAt + Self.settlePatience
        else { return nil }
      }
      // Ends early where the worker's leases are lost.
      do { try await clock.sleep(for: .milliseconds(500)) } catch { return nil }
    }
  }

  private func noteEnd(of attempt: JobAttempt) {
    guard attempt.logs(attempt.claim.level) else { return }
    attempt.logger.log(level: attempt.claim.level, "attempt ended")
  }

  /// How long the end of an attempt that failed is tried while the database is away: as long as a crash recovery takes.
  private static let settlePatience = Duration.seconds(20)

  /// Writes the end. Where the database does not answer, the worker's next beats find the lease and give it back.
  private func settle(_ attempt: JobAttempt, _ end: JobStore.AttemptEnd?) async {
    guard let end else { return attempt.logger.info("attempt abandoned: its lease is lost") }
    switch end {
    case .dead(let failure):
      attempt.logger.error("attempt failed for good", metadata: ["failure": "\(failure)"])
      await attempt.log(.error, failure)
    case .retried(let delay, let failure):
      attempt.logger.warning(
        "attempt failed; it will be tried again", metadata: ["failure": "\(failure)", "after": "\(delay)"])
      await attempt.log(.warning, failure)
    case .yielded: attempt.logger.info("attempt gave its job back at a checkpoint")
    case .interrupted(let delay): attempt.logger.info("attempt was interrupted", metadata: ["after": "\(delay)"])
    case .cancelled: attempt.logger.info("attempt stopped: its job was cancelled")
    case .lostSession(let delay, let failure):
      attempt.logger.warning(
        "attempt lost its database session; a second time in a row is charged",
        metadata: ["failure": "\(failure)", "after": "\(delay)"])
    case .brokenSession(_, let failure):
      attempt.logger.warning(
        "attempt lost its database session alone; its job waits longer each time, and is dead in the end",
        metadata: ["failure": "\(failure)", "limit": "\(JobStore.lossLimit)"])
    case .outOfMemory(let delay, let failure):
      attempt.logger.warning(
        "attempt ran out of memory; the next one runs alone with more",
        metadata: ["failure": "\(failure)", "after": "\(delay)"])
      await attempt.log(.warning, failure)
    case .snoozed(let delay): attempt.logger.info("attempt put its job off", metadata: ["after": "\(delay)"])
    }
    // Written also when this task was cancelled, as it is when the worker ends in disorder.
    let store = self.store
    let waited = attempt.waitedJSON
    let clock = ContinuousClock()
    let giveUpAt = clock.now + (end.isFailure ? Self.settlePatience : .zero)
    while true {
      let writing = Task { try await store.endAttempt(attempt.claim.holder, as: end, waited: waited) }
      do {
        _ = try await writing.value
        return
      } catch let error as PostgresError where error.isTransient && clock.now < giveUpAt && !Task.isCancelled {
        attempt.logger.info("the end of an attempt is not written yet", metadata: ["error": "\(error)"])
      } catch {
        return attempt.logger.warning(
          "the end of an attempt was not written; a later beat gives the job back", metadata: ["error": "\(error)"])
      }
      // Ends early where the worker's leases are lost.
      guard (try? await clock.sleep(for: .milliseconds(500))) != nil else { continue }
    }
  }
}

extension JobStore.AttemptEnd {
  /// Whether the job is charged for it, or may be.
  fileprivate var isFailure: Bool {
    switch self {
    case .retried, .dead, .lostSession, .brokenSession, .outOfMemory: true
    case .yielded, .snoozed, .interrupted, .cancelled: false
    }
  }
}

extension Claim {
  /// Of the lines about an attempt's beginning and end: jobs of a run are what an operator asks about, others are many.
  fileprivate var level: Logger.Level { runID == nil ? .debug : .info }
}

/// A job of a kind that this worker has no handler for.
struct UnknownKind: Failure {
  var kind: String
  var code: String { "unknown_kind" }
  var message: String { "no handler for jobs of the kind \"\(kind)\"" }
  var hint: String? { "run a worker whose engine knows the kind, then retry the job" }
  var isTransient: Bool { false }
}

/// The database server's process of an attempt's session crashed, most likely by what the attempt asked of it.
struct ServerProcessCrashed: Failure {
  var label: String
  var error: PostgresError
  var code: String { "server_process_crashed" }
  var message: String { "the database server's process crashed under \(label) (\(error.operation))" }
  var hint: String? { "look in the server's log for the statement that crashed it" }
  var isTransient: Bool { true }
}

/// An attempt's database session ended alone, each time it comes to the same place, and the server did not crash.
struct SessionBroken: Failure {
  var job: JobID
  var label: String
  var error: PostgresError
  var code: String { "session_broken" }
  var message: String {
    "the database session ended under \(label) (\(error.operation)), although the server did not crash and other sessions stayed"
  }
  var hint: String? {
    "look in the pooler's log for why it ended the session; after \(JobStore.lossLimit) times in a row without a new checkpoint the job"
      + " is dead, then: sluice jobs retry \(job)"
  }
  var isTransient: Bool { true }
}

/// A handler returned without having ended its job: a mistake in the handler.
struct NotCompleted: Failure {
  var kind: String
  var code: String { "not_completed" }
  var message: String { "the handler of \"\(kind)\" returned without completing its job" }
  var hint: String? { "report this as a defect of the handler" }
  var isTransient: Bool { false }
}

/// An attempt that ran longer than its job allows.
struct TimeLimitPassed: Failure {
  var label: String
  var code: String { "time_limit" }
  var message: String { "\(label) ran longer than its job's time limit" }
  var hint: String? { "give the job more time, or less to do" }
  var isTransient: Bool { true }
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
