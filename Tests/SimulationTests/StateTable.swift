import JobModel
import JobStore
import Simulation
import TestSupport
import Testing

/// Every state of a job × every call about it, as one table: what the store answers and where the job stands afterwards.
///
/// A cell is `.` where nothing happens and the answer says so, `=` where the call is granted and the job stays where it
/// is, else where the job stands then, with `epoch/attempt`. Calls with a `-` come from the holder of an older epoch.
enum StateTable {
  static let text = """
    state        claim      done     done- yield         yield- snooze        fail          fail- die           die- mark mark- split split- reap          raise       due       cancel
    ready        LEASED:1/1 .        .     .             .      .             .             .     .             .    .    .     .     .      .             .           .         CANCELLED:0/0
    yielded      LEASED:2/1 .        .     .             .      .             .             .     .             .    .    .     .     .      .             .           .         CANCELLED:1/0
    crashed      LEASED:2/2 .        .     .             .      .             .             .     .             .    .    .     .     .      .             .           .         CANCELLED:1/1
    leased       .          DONE:1/1 .     READY:1/0     .      LATER:1/0     LATER:1/1     .     DEAD:1/1      .    =    .     =     .      .             .           .         =
    taken_over   .          DONE:2/2 .     READY:2/1     .      LATER:2/1     LATER:2/2     .     DEAD:2/2      .    =    .     =     .      .             .           .         =
    last_try     .          DONE:3/3 .     READY:3/2     .      LATER:3/2     LATER:3/3     .     DEAD:3/3      .    =    .     =     .      .             .           .         =
    holder_gone  .          DONE:1/1 .     READY:1/0     .      LATER:1/0     LATER:1/1     .     DEAD:1/1      .    =    .     =     .      READY:1/1     .           .         =
    last_gone    .          DONE:3/3 .     READY:3/2     .      LATER:3/2     LATER:3/3     .     DEAD:3/3      .    =    .     =     .      DEAD:3/3      .           .         =
    shared_gone  .          DONE:1/1 .     READY:1/0     .      LATER:1/0     LATER:1/1     .     DEAD:1/1      .    =    .     =     .      READY:1/0     .           .         =
    alone_gone   .          DONE:2/1 .     READY:2/0     .      LATER:2/0     LATER:2/1     .     DEAD:2/1      .    =    .     =     .      READY:2/1     .           .         =
    suspected    LEASED:2/1 .        .     .             .      .             .             .     .             .    .    .     .     .      .             .           .         CANCELLED:1/0
    over_limit   .          DONE:1/1 .     READY:1/0     .      LATER:1/0     LATER:1/1     .     DEAD:1/1      .    =    .     =     .      READY:1/1     .           .         =
    later        .          .        .     .             .      .             .             .     .             .    .    .     .     .      .             .           .         CANCELLED:1/1
    later_due    .          .        .     .             .      .             .             .     .             .    .    .     .     .      .             .           READY:1/1 CANCELLED:1/1
    snoozed_due  .          .        .     .             .      .             .             .     .             .    .    .     .     .      .             .           READY:1/0 CANCELLED:1/0
    blocked      .          .        .     .             .      .             .             .     .             .    .    .     .     .      .             .           .         CANCELLED:0/0
    done         .          .        .     .             .      .             .             .     .             .    .    .     .     .      .             .           .         .
    dead         .          .        .     .             .      .             .             .     .             .    .    .     .     .      .             READY:1/0   .         .
    dead_crashed .          .        .     .             .      .             .             .     .             .    .    .     .     .      .             READY:3/0   .         .
    risen        LEASED:4/1 .        .     .             .      .             .             .     .             .    .    .     .     .      .             .           .         CANCELLED:3/0
    asked        .          DONE:1/1 .     CANCELLED:1/1 .      CANCELLED:1/1 CANCELLED:1/1 .     CANCELLED:1/1 .    =    .     .     .      .             .           .         .
    asked_gone   .          DONE:1/1 .     CANCELLED:1/1 .      CANCELLED:1/1 CANCELLED:1/1 .     CANCELLED:1/1 .    =    .     .     .      CANCELLED:1/1 .           .         .
    gave_up      .          .        .     .             .      .             .             .     .             .    .    .     .     .      .             READY:1/0   .         .
    cancelled    .          .        .     .             .      .             .             .     .             .    .    .     .     .      .             READY:0/0   .         .
    cut_off      .          .        .     .             .      .             .             .     .             .    .    .     .     .      .             BLOCKED:0/0 .         .
    """

  struct Row: Sendable, CustomTestStringConvertible {
    var state: String
    /// By call.
    var cells: [(call: String, expected: String)]
    var testDescription: String { state }
  }

  static let rows: [Row] = {
    let lines = text.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
    return lines.dropFirst().map { words in
      Row(state: words[0], cells: zip(lines[0].dropFirst(), words.dropFirst()).map { ($0, $1) })
    }
  }()

  /// Brings a fresh job into a state; the worker that then calls is the last one that registered.
  static func reach(_ state: String, in store: inout some QueueStore, at start: SimulatedInstant) async throws
    -> Subject
  {
    var subject = Subject(now: start)
    let limit: Duration? = state == "over_limit" ? .seconds(5) : nil
    switch state {
    case "ready": try await subject.enqueue(&store)
    case "yielded":
      try await subject.claimed(&store)
      _ = try await store.endAttempt(subject.holder, as: .yielded)
    case "crashed": try await subject.crashed(&store, times: 1)
    case "leased": try await subject.claimed(&store)
    case "taken_over":
      try await subject.crashed(&store, times: 1)
      try await subject.claim(&store)
    case "last_try", "last_gone":
      try await subject.crashed(&store, times: 2)
      try await subject.claim(&store)
      if state == "last_gone" { try await store.leave(worker: subject.worker) }
    case "holder_gone":
      try await subject.claimed(&store)
      try await store.leave(worker: subject.worker)
    case "shared_gone", "alone_gone", "suspected":
      try await subject.enqueue(&store)
      try await subject.claim(&store, slots: 2)
      try await store.leave(worker: subject.worker)
      guard state != "shared_gone" else { break }
      _ = try await store.reap(limit: 10)
      guard state != "suspected" else { break }
      try await subject.claim(&store, slots: 2)
      try await store.leave(worker: subject.worker)
    case "over_limit":
      try await subject.claimed(&store, timeLimit: limit)
      try await subject.wait(.seconds(6), &store)
    case "later", "later_due":
      try await subject.claimed(&store)
      _ = try await store.endAttempt(subject.holder, as: .retried(after: .seconds(10), failure: "{}"))
      if state == "later_due" { try await subject.wait(.seconds(10), &store) }
    case "snoozed_due":
      try await subject.claimed(&store)
      _ = try await store.endAttempt(subject.holder, as: .snoozed(.seconds(1)))
      try await subject.wait(.seconds(1), &store)
    case "blocked": try await subject.enqueue(&store, isBlocked: true)
    case "done":
      try await subject.claimed(&store)
      _ = try await store.complete([subject.holder])
    case "dead":
      try await subject.claimed(&store)
      _ = try await store.endAttempt(subject.holder, as: .dead(failure: "{}"))
    case "dead_crashed": try await subject.crashed(&store, times: 3)
    case "risen":
      try await subject.crashed(&store, times: 3)
      _ = try await store.retry(subject.job)
    case "asked", "asked_gone", "gave_up":
      try await subject.claimed(&store)
      _ = try await store.cancel(subject.job)
      if state == "asked_gone" { try await store.leave(worker: subject.worker) }
      if state == "gave_up" { _ = try await store.endAttempt(subject.holder, as: .cancelled) }
    case "cancelled", "cut_off":
      try await subject.enqueue(&store, isBlocked: state == "cut_off")
      _ = try await store.cancel(subject.job)
    default: throw TestSupportError("no way is known to the state \(state)")
    }
    return subject
  }

  /// The call of a column about the subject. Its checkpoint's state is 9.
  static func operation(_ call: String, on subject: Subject, epoch: Int64) throws -> QueueOperation {
    let old = call.hasSuffix("-")
    let holder = LeaseHolder(jobID: subject.job, epoch: old ? epoch - 1 : epoch)
    switch old ? String(call.dropLast()) : call {
    case "claim": return .claim(worker: subject.caller, limit: 10)
    case "done": return .complete([holder])
    case "yield": return .end(holder, .yielded)
    case "snooze": return .end(holder, .snoozed(.seconds(30)))
    case "fail": return .end(holder, .retried(after: .seconds(30), failure: "{}"))
    case "die": return .end(holder, .dead(failure: "{}"))
    case "mark": return .checkpoint(holder, state: 9)
    case "split": return .split(holder, state: 9, parts: 2)
    case "reap": return .reap(limit: 10)
    case "raise": return .retry(subject.job)
    case "cancel": return .cancel(subject.job)
    case "due": return .promoteDue(limit: 10)
    default: throw TestSupportError("no call is known as \(call)")
    }
  }
}

/// A job on its way into a state, with the workers that brought it there.
struct Subject {
  var now: SimulatedInstant
  var job = JobID(0)
  var holder = LeaseHolder(jobID: JobID(0), epoch: 0)
  /// Who holds the lease, or held it last.
  var worker: Int64 = 0
  /// Another, who lives, for calls from outside.
  var caller: Int64 = 0

  init(now: SimulatedInstant) { self.now = now }

  mutating func enqueue(
    _ store: inout some QueueStore, timeLimit: Duration? = nil, isBlocked: Bool = false
  ) async throws {
    caller = try await store.register(lease: .seconds(3600), session: 1, slots: 1)
    var orders = [JobBatch.Order(maximumAttempts: 3, timeLimit: timeLimit)]
    if isBlocked { orders.append(JobBatch.Order(after: [0])) }
    guard let job = try await store.enqueue(JobBatch(orders: orders)).last ?? nil else { return }
    self.job = job
    guard isBlocked else { return }
    // The upstream job is out of the way of the other calls: leased by one who lives.
    _ = try await store.claim(worker: caller, limit: 1)
  }

  mutating func claim(_ store: inout some QueueStore, slots: Int = 1) async throws {
    worker = try await store.register(lease: .seconds(3600), session: 1, slots: slots)
    guard let holder = try await store.claim(worker: worker, limit: 1).first else {
      throw TestSupportError("nothing was claimed")
    }
    self.holder = holder
  }

  mutating func claimed(_ store: inout some QueueStore, timeLimit: Duration? = nil) async throws {
    try await enqueue(&store, timeLimit: timeLimit)
    try await claim(&store)
  }

  /// Claimed by workers that go without a word.
  mutating func crashed(_ store: inout some QueueStore, times: Int) async throws {
    try await enqueue(&store)
    for _ in 0..<times {
      try await claim(&store)
      try await store.leave(worker: worker)
      _ = try await store.reap(limit: 10)
    }
  }

  mutating func wait(_ time: Duration, _ store: inout some QueueStore) async throws {
    now = now.advanced(by: time)
    try await store.turnClock(to: now)
  }
}
