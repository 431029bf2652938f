import JobModel
import JobStore

/// One call of a queue, as a value: it can be drawn, printed, and applied to any store.
package enum QueueOperation: Sendable, CustomStringConvertible {
  case turnClock(to: SimulatedInstant)
  case enqueue(JobBatch)
  case retry(JobID)
  case retryRun(of: JobID)
  case cancel(JobID)
  case promoteDue(limit: Int)
  case register(lease: Duration, session: Int, slots: Int)
  case takeSessionLock(worker: Int64, session: Int)
  case endSession(Int)
  case beat(worker: Int64, lease: Duration, draining: Bool, hasSessionLock: Bool)
  case leave(worker: Int64)
  case claim(worker: Int64, limit: Int)
  case complete([LeaseHolder])
  case finish([LeaseHolder])
  case end(LeaseHolder, JobStore.AttemptEnd)
  case checkpoint(LeaseHolder, state: Int)
  case split(LeaseHolder, state: Int, parts: Int)
  case held([LeaseHolder])
  case leases(worker: Int64)
  case cancelledLeases(worker: Int64)
  case suspects
  case revoke(Suspicion)
  case expireBeats
  case reap(limit: Int)

  /// Does it, and tells the answer in a form that two stores can be compared by.
  package func apply(to store: inout some QueueStore) async throws -> Answer {
    switch self {
    case .turnClock(let time):
      try await store.turnClock(to: time)
      return .nothing
    case .enqueue(let batch): return .jobs(try await store.enqueue(batch))
    case .retry(let job): return .flag(try await store.retry(job))
    case .retryRun(let job): return .count(try await store.retryRun(of: job))
    case .cancel(let job): return .jobs(try await store.cancel(job).sorted())
    case .promoteDue(let limit): return .count(try await store.promoteDue(limit: limit))
    case .register(let lease, let session, let slots):
      return .workers([try await store.register(lease: lease, session: session, slots: slots)])
    case .takeSessionLock(let worker, let session):
      return .flag(try await store.takeSessionLock(worker: worker, session: session))
    case .endSession(let session):
      try await store.endSession(session)
      return .nothing
    case .beat(let worker, let lease, let draining, let hasSessionLock):
      return .flag(
        try await store.beat(worker: worker, lease: lease, draining: draining, hasSessionLock: hasSessionLock))
    case .leave(let worker):
      try await store.leave(worker: worker)
      return .nothing
    case .claim(let worker, let limit):
      return .holders(Self.sorted(Set(try await store.claim(worker: worker, limit: limit))))
    case .complete(let holders): return .jobs(try await store.complete(holders).sorted())
    case .finish(let holders): return .jobs(try await store.finish(holders).sorted())
    case .end(let holder, let end): return .flag(try await store.endAttempt(holder, as: end))
    case .checkpoint(let holder, let state): return .flag(try await store.checkpoint(holder, state: state))
    case .split(let holder, let state, let parts):
      return .jobs(try await store.split(holder, state: state, parts: parts))
    case .held(let holders): return .holders(Self.sorted(try await store.held(holders)))
    case .leases(let worker): return .holders(Self.sorted(try await store.leases(ofWorker: worker)))
    case .cancelledLeases(let worker):
      return .holders(Self.sorted(try await store.cancelledLeases(ofWorker: worker)))
    case .suspects: return .suspicions(try await store.suspects().sorted { $0.worker < $1.worker })
    case .revoke(let suspicion): return .flag(try await store.revoke(suspicion))
    case .expireBeats: return .workers(try await store.expireBeats().sorted())
    case .reap(let limit): return .reaped(try await store.reap(limit: limit).sorted { $0.job < $1.job })
    }
  }

  private static func sorted(_ holders: Set<LeaseHolder>) -> [LeaseHolder] {
    holders.sorted { ($0.jobID, $0.epoch) < ($1.jobID, $1.epoch) }
  }

  /// The call without its arguments.
  package var name: String { Mirror(reflecting: self).children.first?.label ?? description }

  /// Every call there is.
  package static let names = [
    "turnClock", "enqueue", "retry", "retryRun", "cancel", "promoteDue", "register", "takeSessionLock", "endSession",
    "beat",
    "leave",
    "claim", "complete", "finish", "end", "checkpoint", "split", "held", "leases", "cancelledLeases", "suspects",
    "revoke",
    "expire beats", "reap",
  ]

  package var description: String {
    switch self {
    case .turnClock(let time): "turn the clock to \(time)"
    case .enqueue(let batch):
      "enqueue \(batch.pipeline), class \(batch.urgencyClass)\(batch.isLoose ? " loose" : ""): "
        + batch.orders.map {
          "\($0.maximumAttempts) attempts" + ($0.after.isEmpty ? "" : " after \($0.after)")
            + ($0.timeLimit.map { " limit \($0)" } ?? "") + ($0.uniqueKey.map { " key \($0)" } ?? "")
        }.joined(separator: "; ")
    case .retry(let job): "retry job \(job)"
    case .retryRun(let job): "retry the run of job \(job)"
    case .cancel(let job): "cancel job \(job)"
    case .promoteDue(let limit): "promote at most \(limit)"
    case .register(let lease, let session, let slots):
      "register for \(lease) on session \(session) with \(slots) slots"
    case .takeSessionLock(let worker, let session): "worker \(worker) takes its lock on session \(session)"
    case .endSession(let session): "session \(session) ends"
    case .beat(let worker, let lease, let draining, let hasLock):
      "worker \(worker) beats for \(lease)\(draining ? ", draining" : "")\(hasLock ? ", with lock" : "")"
    case .leave(let worker): "worker \(worker) leaves"
    case .claim(let worker, let limit): "worker \(worker) claims up to \(limit)"
    case .complete(let holders): "complete \(Self.told(holders))"
    case .finish(let holders): "finish \(Self.told(holders))"
    case .end(let holder, let end): "end \(Self.told([holder])) as \(end)"
    case .checkpoint(let holder, let state): "checkpoint \(Self.told([holder])) with \(state)"
    case .split(let holder, let state, let parts): "split \(Self.told([holder])) with \(state) into \(parts) more"
    case .held(let holders): "which hold of \(Self.told(holders))"
    case .leases(let worker): "leases of worker \(worker)"
    case .cancelledLeases(let worker): "cancelled leases of worker \(worker)"
    case .suspects: "suspects"
    case .revoke(let suspicion): "revoke worker \(suspicion.worker) suspected at \(suspicion.seenAt)"
    case .expireBeats: "expire beats"
    case .reap(let limit): "reap at most \(limit)"
    }
  }

  private static func told(_ holders: [LeaseHolder]) -> String {
    holders.map { "job \($0.jobID) epoch \($0.epoch)" }.joined(separator: ", ")
  }

  /// What a store answers.
  package enum Answer: Sendable, Equatable {
    case nothing
    case flag(Bool)
    case count(Int)
    case jobs([JobID?])
    case holders([LeaseHolder])
    case workers([Int64])
    case suspicions([Suspicion])
    case reaped([ReapedJob])

    /// Whether the call did anything.
    package var didAct: Bool {
      switch self {
      case .nothing: true
      case .flag(let flag): flag
      case .count(let count): count > 0
      case .jobs(let jobs): jobs.contains { $0 != nil }
      case .holders(let holders): !holders.isEmpty
      case .workers(let workers): !workers.isEmpty
      case .suspicions(let suspicions): !suspicions.isEmpty
      case .reaped(let jobs): !jobs.isEmpty
      }
    }
  }
}
