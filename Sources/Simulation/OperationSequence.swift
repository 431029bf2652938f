import JobModel
import JobStore

/// Draws calls of a queue from a seed, such that most of them mean something: about jobs that are there, by holders of
/// leases that were once given.
package struct OperationSequence: Sendable {
  private var random: SeededGenerator
  private var now: SimulatedInstant
  private var holders: [LeaseHolder] = []
  private var suspicions: [Suspicion] = []
  private var workers: [Int64] = []

  package init(seed: UInt64, start: SimulatedInstant) {
    random = SeededGenerator(seed: seed)
    now = start
  }

  private enum Kind {
    case turnClock, enqueue, retry, retryRun, cancel, promote, register, lock, endSession, beat, leave, claim, complete,
      finish,
      end
    case checkpoint, split, held, leases, cancelledLeases, suspects, revoke, expire, reap
  }

  private static let weights: [(weight: Int, value: Kind)] = [
    (12, .turnClock), (9, .enqueue), (5, .retry), (4, .retryRun), (4, .cancel), (6, .promote), (3, .register),
    (2, .lock),
    (4, .endSession), (7, .beat), (1, .leave), (18, .claim), (9, .complete), (6, .finish), (14, .end), (8, .checkpoint),
    (4, .split),
    (2, .held),
    (2, .leases), (9, .cancelledLeases), (6, .suspects), (8, .revoke), (3, .expire), (6, .reap),
  ]

  /// The next call, by what the tables say now.
  package mutating func next(seeing picture: QueuePicture) -> QueueOperation {
    if workers.isEmpty { return .register(lease: .seconds(15), session: 1, slots: 2) }
    switch random.weighted(Self.weights) {
    case .turnClock:
      now = now.advanced(by: random.happens(0.1) ? random.duration(-20_000...20_000) : random.duration(1...7000))
      return .turnClock(to: now)
    case .enqueue: return .enqueue(batch())
    case .retry: return .retry(job(in: picture, [.dead, .cancelled]))
    case .retryRun: return .retryRun(of: job(in: picture, [.dead, .cancelled]))
    case .cancel: return .cancel(job(in: picture, [.ready, .leased, .later, .blocked]))
    case .promote: return .promoteDue(limit: random.happens(0.5) ? 1 : 1000)
    case .register:
      return .register(
        lease: random.duration(5000...20_000), session: random.integer(in: 1...4), slots: random.happens(0.75) ? 1 : 2)
    case .lock: return .takeSessionLock(worker: worker(), session: random.integer(in: 1...4))
    case .endSession: return .endSession(random.integer(in: 1...4))
    case .beat:
      return .beat(
        worker: worker(), lease: random.duration(5000...20_000), draining: random.happens(0.1),
        hasSessionLock: random.happens(0.8))
    case .leave: return .leave(worker: worker())
    case .claim: return .claim(worker: worker(), limit: random.integer(in: 1...4))
    case .complete: return .complete((0..<random.integer(in: 1...3)).map { _ in holder() })
    case .finish: return .finish((0..<random.integer(in: 1...3)).map { _ in holder() })
    case .end: return .end(holder(), end())
    case .checkpoint: return .checkpoint(holder(), state: random.integer(in: 1...100))
    case .split: return .split(holder(), state: random.integer(in: 1...100), parts: random.integer(in: 1...3))
    case .held: return .held((0..<random.integer(in: 1...4)).map { _ in holder() })
    case .leases: return .leases(worker: worker())
    case .cancelledLeases: return .cancelledLeases(worker: worker())
    case .suspects: return .suspects
    case .revoke: return random.element(of: Array(suspicions.suffix(4))).map { .revoke($0) } ?? .suspects
    case .expire: return .expireBeats
    case .reap: return .reap(limit: random.happens(0.3) ? 1 : 1000)
    }
  }

  /// What a store answered, from which later calls take their holders, workers and suspicions.
  package mutating func learn(_ answer: QueueOperation.Answer, to operation: QueueOperation) {
    switch (operation, answer) {
    case (.claim, .holders(let given)): holders += given
    case (.register, .workers(let born)): workers += born
    case (.suspects, .suspicions(let seen)): suspicions += seen
    default: break
    }
  }

  private mutating func batch() -> JobBatch {
    let count = random.integer(in: 1...4)
    let pipeline = random.happens(0.7) ? "p" : "q"
    let urgencyClass = random.integer(in: 0...2)
    guard random.happens(0.5) else {
      let orders = (0..<count).map { index in
        JobBatch.Order(
          after: (0..<index).filter { _ in random.happens(0.5) }, maximumAttempts: random.integer(in: 1...3),
          timeLimit: timeLimit())
      }
      return JobBatch(pipeline: pipeline, urgencyClass: urgencyClass, orders: orders)
    }
    let order = JobBatch.Order(maximumAttempts: random.integer(in: 1...3), timeLimit: timeLimit())
    let isKeyed = random.happens(0.6)
    let first = random.integer(in: 1...4)
    let orders = (0..<count).map { index in
      var order = order
      order.uniqueKey = isKeyed ? "key-\((first + index) % 5)" : nil
      return order
    }
    return JobBatch(pipeline: pipeline, urgencyClass: urgencyClass, orders: orders, isLoose: true)
  }

  private mutating func timeLimit() -> Duration? { random.happens(0.2) ? random.duration(1000...30_000) : nil }

  private mutating func end() -> JobStore.AttemptEnd {
    // What interrupts an attempt takes turns with what its handler decides.
    let isInterrupted = holders.count.isMultiple(of: 2)
    return switch random.integer(in: 0...5) {
    case 5:
      isInterrupted
        ? .brokenSession(after: random.duration(1...6000), failure: "{\"code\": \"test\"}")
        : .lostSession(after: random.duration(1...6000), failure: "{\"code\": \"test\"}")
    case 0: isInterrupted ? .interrupted(after: .zero) : .yielded
    case 4: .cancelled
    case 1:
      isInterrupted ? .interrupted(after: random.duration(1...6000)) : .snoozed(random.duration(1...6000))
    case 2:
      isInterrupted
        ? .outOfMemory(after: random.duration(1...6000), failure: "{\"code\": \"test\"}")
        : .retried(after: random.duration(1...6000), failure: "{\"code\": \"test\"}")
    default: .dead(failure: "{\"code\": \"test\"}")
    }
  }

  private mutating func worker() -> Int64 { random.element(of: Array(workers.suffix(4))) ?? 1 }

  /// One that was given lately, or long ago, or never.
  private mutating func holder() -> LeaseHolder {
    let recent = random.happens(0.8) ? Array(holders.suffix(6)) : holders
    guard var holder = random.element(of: recent) else { return LeaseHolder(jobID: JobID(1), epoch: 1) }
    if random.happens(0.1) { holder.epoch += Int64(random.integer(in: -1...1)) }
    return holder
  }

  /// A job in one of these places if there is any, now and then any job.
  private mutating func job(in picture: QueuePicture, _ places: [JobState]) -> JobID {
    let all = picture.jobs.keys.sorted()
    let fitting = all.filter { job in picture.jobs[job].map { places.contains($0.state) } ?? false }
    return random.element(of: random.happens(0.8) && !fitting.isEmpty ? fitting : all) ?? JobID(1)
  }
}
