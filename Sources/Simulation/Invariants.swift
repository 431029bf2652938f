import JobModel
import JobStore

/// Watches every change of the store and every result in the sink for what may never happen.
///
/// It keeps its own account, so that a mistake of the store does not hide itself.
struct Invariants {
  private struct Account {
    var order: JobBatch.Order
    var chunks: Int
    var highestEpoch: Int64 = 0
    /// Attempts that ended and count.
    var charged = 0
    var committed: Set<Int> = []
    var isDone = false
  }
  private var accounts: [JobID: Account] = [:]
  private var living: [String: JobID] = [:]
  /// Attempts that believe in their lease, and who runs them.
  private var believers: [LeaseHolder: String] = [:]
  private var begun: Set<LeaseHolder> = []

  private mutating func change<T>(_ job: JobID, _ body: (inout Account) throws -> T) throws -> T {
    guard var account = accounts[job] else { throw InvariantBroken("known_job", "job \(job) came from nowhere") }
    defer { accounts[job] = account }
    return try body(&account)
  }

  mutating func opened(_ job: JobID, _ order: JobBatch.Order, chunks: Int) throws {
    accounts[job] = Account(order: order, chunks: chunks)
    try live(job, order)
  }

  /// Takes the key of a job that begins to live.
  private mutating func live(_ job: JobID, _ order: JobBatch.Order) throws {
    guard let key = order.uniqueKey else { return }
    if let other = living[key], other != job {
      throw InvariantBroken("unique_key", "jobs \(other) and \(job) live with the key \(key)")
    }
    living[key] = job
  }

  /// A chunk of a job became visible in the sink.
  mutating func committed(_ job: JobID, chunk: Int) throws {
    let isNew = try change(job) { $0.committed.insert(chunk).inserted }
    if !isNew { throw InvariantBroken("I1_committed_once", "chunk \(chunk) of job \(job) is in the sink twice") }
  }

  mutating func began(_ holder: LeaseHolder, by process: String, store: ModelledStore) throws {
    if let other = believers[holder] {
      throw InvariantBroken("one_holder", "\(other) and \(process) both run job \(holder.jobID) epoch \(holder.epoch)")
    }
    for (other, name) in believers where other.jobID == holder.jobID && store.holds(other) && store.holds(holder) {
      throw InvariantBroken("one_holder", "\(name) can still write to job \(holder.jobID), and so can \(process)")
    }
    believers[holder] = process
    begun.insert(holder)
  }

  /// Whether a worker ever knew of this lease.
  func hasBegun(_ holder: LeaseHolder) -> Bool { begun.contains(holder) }

  mutating func ended(_ holder: LeaseHolder) { believers[holder] = nil }

  /// One change of one job in the store.
  mutating func take(_ change: ModelledStore.Change, store: ModelledStore) throws {
    let after = change.after
    let job = change.job
    if change.cause == .enqueued { return }
    if change.before?.isCancelRequested == true, [.ready, .later].contains(after.state) {
      throw InvariantBroken("cancel_is_final", "job \(job) was cancelled and is \(after.state.rawValue) again")
    }
    switch change.cause {
    case .claimed: try claimed(job, after, store: store)
    case .retried, .crashed, .died: try charge(job, change)
    case .completed: try completed(job)
    case .risen:
      let order = try self.change(job) {
        $0.charged = 0
        return $0.order
      }
      try live(job, order)
    default: break
    }
    let account = try self.change(job) { $0 }
    let expected = account.charged + (after.state == .leased ? 1 : 0)
    if ![.done, .cancelled, .blocked].contains(after.state), after.attempt != expected {
      throw InvariantBroken(
        "I9_charged_rightly", "job \(job) has \(after.attempt) attempts after \(change.cause.rawValue), not \(expected)"
      )
    }
    if after.state.isTerminal, let key = account.order.uniqueKey, living[key] == job { living[key] = nil }
  }

  private mutating func claimed(_ job: JobID, _ after: JobPicture, store: ModelledStore) throws {
    let upstream = store.upstream(of: job)
    for earlier in upstream where accounts[earlier]?.isDone != true {
      throw InvariantBroken("dependencies", "job \(job) began before job \(earlier) was done")
    }
    guard let worker = after.worker, store.beat(of: worker) != nil else {
      throw InvariantBroken("revoked_claims_nothing", "job \(job) was claimed by a worker without a beat")
    }
    try change(job) {
      if after.epoch <= $0.highestEpoch {
        throw InvariantBroken(
          "epochs_increase", "job \(job) was claimed with epoch \(after.epoch) after \($0.highestEpoch)")
      }
      $0.highestEpoch = after.epoch
      if after.attempt > $0.order.maximumAttempts {
        throw InvariantBroken("I8_attempts_bounded", "job \(job) is on attempt \(after.attempt)")
      }
    }
  }

  private mutating func charge(_ job: JobID, _ change: ModelledStore.Change) throws {
    try self.change(job) {
      $0.charged += 1
      if !change.after.state.isTerminal, $0.charged >= $0.order.maximumAttempts {
        throw InvariantBroken("I8_attempts_bounded", "job \(job) goes on after \($0.charged) charged attempts")
      }
    }
  }

  private mutating func completed(_ job: JobID) throws { try change(job) { $0.isDone = true } }

  /// After each transaction: what its changes must have left behind.
  func settled(_ changes: [ModelledStore.Change], store: ModelledStore) throws {
    for change in changes where change.after.state.isTerminal && store.place(of: change.job) == change.after.state {
      guard let account = accounts[change.job] else { continue }
      if let key = account.order.uniqueKey, store.owner(ofKey: key) == change.job {
        throw InvariantBroken("unique_key", "job \(change.job) has ended and keeps the key \(key)")
      }
      if account.isDone, account.committed.count != account.chunks {
        throw InvariantBroken(
          "I2_nothing_lost",
          "job \(change.job) is done with \(account.committed.count) of \(account.chunks) chunks in the sink")
      }
    }
  }

  /// Jobs that have not ended and do not wait, through others, for one that ended without success.
  func open(in store: ModelledStore) -> [JobID] {
    store.unfinished.filter { !isStranded($0, in: store) }
  }

  private func isStranded(_ job: JobID, in store: ModelledStore) -> Bool {
    guard store.place(of: job) == .blocked else { return false }
    return store.upstream(of: job).contains { earlier in
      switch store.place(of: earlier) {
      case .dead, .cancelled: true
      default: isStranded(earlier, in: store)
      }
    }
  }
}
