import Catalog
import JobModel
import JobStore
import ObjectStore
import Postgres

/// Carries a pull to its end: brings its steps, and commits those that wait together, in order, while the next are brought.
///
/// A checkpoint promises that the bytes of every object that it covers are on stable storage, with their names, before the
/// transaction that records them commits. What was brought is committed before the pull's error, a yield or a fault counts.
struct StepWriter: Sendable {
  let store: any ObjectStore
  let catalog: Catalog
  let stream: StreamID
  let format: CheckpointFormat
  let attempt: JobAttempt

  /// What a pull came to.
  struct Ended: Sendable {
    /// The pull, which knows cursor and remark.
    var pull: any Pull
    /// Another run whose objects are still to be judged: nothing was committed.
    var outrunBy: RunID?
  }

  /// - Parameter outrunBy: Another run that has read the stream since the attempt's checkpoint.
  /// - Throws: What the pull throws, the fault of a step, `JobYield` once what is at hand is committed, or what a commit throws.
  func carry(_ pull: any Pull, outrunBy: RunID?) async throws -> Ended {
    let queue = StepQueue()
    return try await withThrowingTaskGroup(of: (any Pull).self) { group in
      group.addTask { try await bring(pull, into: queue) }
      // All that earlier attempts brought is judged with the first batch.
      var outrunBy = outrunBy
      do {
        while let steps = await queue.takeAll() {
          try await commit(steps, outrunBy: outrunBy)
          outrunBy = nil
        }
      } catch {
        // The pull may wait for room.
        queue.close()
        group.cancelAll()
        throw error
      }
      guard let pull = try await group.next() else { preconditionFailure("a pull comes back") }
      return Ended(pull: pull, outrunBy: outrunBy)
    }
  }

  private func bring(_ pull: any Pull, into queue: StepQueue) async throws -> any Pull {
    defer { queue.finish() }
    var pull = pull
    while let step = try await pull.next() {
      await attempt.waiting(for: .database) { await queue.put(step) }
      if let fault = step.fault { throw fault }
      if let pause = step.pause { throw pause }
      if attempt.shouldYield { throw JobYield() }
    }
    return pull
  }

  private func commit(_ steps: [PulledStep], outrunBy: RunID?) async throws {
    guard let last = steps.last else { return }
    try await store.publish(steps.compactMap(\.staged), condition: .absent)
    for _ in steps { attempt.killPoint(.ingestObjectWritten) }
    let objects = steps.compactMap(\.object)
    let events = steps.flatMap(\.events)
    try await attempt.checkpoint(format: format, state: last.state) { transaction in
      if let outrunBy { try await catalog.supersede(by: outrunBy, attempt, of: stream, in: transaction) }
      try await catalog.record(objects, of: stream, by: attempt, in: transaction)
      try await attempt.note(events, of: stream, in: transaction)
    }
    for _ in steps { attempt.killPoint(.ingestCheckpointed) }
  }
}

extension JobAttempt {
  /// Keeps events of a pull with its run.
  func note(_ events: [PullEvent], of stream: StreamID, in transaction: PostgresTransaction) async throws {
    for event in events {
      try await store.note(
        event: event.kind.rawValue, pipeline: stream.pipeline, run: runID, job: jobID, message: event.message,
        in: transaction)
    }
  }
}
