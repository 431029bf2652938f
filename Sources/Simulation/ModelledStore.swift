import JobModel
import JobStore

/// The queue's tables in memory: each call is one transaction, applied whole at what the store's clock shows.
///
/// It says the same as the SQL of `JobStore`, in the plainest words; the conformance suite and the lockstep test hold the
/// two together. Locks, batches and plans are not modelled: what they are for is that a transaction is atomic.
package struct ModelledStore: Sendable {
  /// A job, and where it stands.
  struct Job: Sendable {
    var order: JobBatch.Order
    var lane: Int64
    /// Nil of a loose job.
    var run: Int?
    var upstream: [JobID]
    var dependents: [JobID] = []
    var place: JobState
    var epoch: Int64 = 0
    var attempt = 0
    var worker: Int64?
    var deadline: SimulatedInstant?
    var runAt: SimulatedInstant?
    var pending = 0
    var mark: (epoch: Int64, state: Int)?
    var isCancelRequested = false
    /// The lease's: its worker has nothing else.
    var isAlone = false
    /// A worker ended under it and others: it must run alone.
    var isSuspect = false
    /// Which worker keeps slots free for it, and when it last said so.
    var waiting: (worker: Int64, at: SimulatedInstant)?
    /// Its last attempt lost its database session without a word.
    var lostSession = false
    /// How often in a row it lost its database session alone.
    var losses = 0
    /// How many of its attempts ran out of memory.
    var memoryKills = 0
  }

  /// What makes a lane.
  struct LanePlace: Hashable {
    var pipeline: String
    var stage: String
    var urgencyClass: Int
  }

  /// What happened to a job in a transaction.
  package enum Cause: String, Sendable {
    case enqueued, claimed, completed, yielded, snoozed, retried, died, crashed, promoted, unblocked, risen, cancelled
    case cancelRequested, cancelWithdrawn, dropped
    /// Taken back from a lost worker that had others too, and not charged.
    case suspected
  }

  /// A change of one job, for whoever watches the store.
  package struct Change: Sendable {
    package var job: JobID
    package var cause: Cause
    package var before: JobPicture?
    package var after: JobPicture
  }

  package internal(set) var now = SimulatedInstant(milliseconds: 0)
  package let mistake: SeededMistake?

  var jobs: [JobID: Job] = [:]
  var beats: [Int64: BeatPicture] = [:]
  /// How many jobs each worker does at once.
  var slots: [Int64: Int] = [:]
  /// Whose session holds which worker's lock.
  var locks: [Int64: Int] = [:]
  var keys: [String: JobID] = [:]
  // Jobs by where they stand, so that no statement looks at all of them.
  var ready: Set<JobID> = []
  var leased: Set<JobID> = []
  var later: Set<JobID> = []
  var lanes: [LanePlace: ReadyLane] = [:]
  var runs = 0
  private var changes: [Change] = []
  var lastJob: Int64 = 0
  var lastWorker: Int64 = 0

  package init(mistake: SeededMistake? = nil) { self.mistake = mistake }

  /// Takes the changes since the last call.
  package mutating func takeChanges() -> [Change] {
    defer { changes.removeAll(keepingCapacity: true) }
    return changes
  }

  package mutating func turnClock(to time: SimulatedInstant) { now = time }

  package func job(_ job: JobID) -> JobPicture? { jobs[job].map(Self.picture) }
  package var unfinished: [JobID] { jobs.filter { !$0.value.place.isTerminal }.keys.sorted() }
  package func place(of job: JobID) -> JobState? { jobs[job]?.place }
  package func runsAlone(_ job: JobID) -> Bool { jobs[job]?.isSuspect ?? false }
  package func beat(of worker: Int64) -> BeatPicture? { beats[worker] }
  package func owner(ofKey key: String) -> JobID? { keys[key] }
  package func lane(of job: JobID) -> Int64 { jobs[job]?.lane ?? 0 }
  package func upstream(of job: JobID) -> [JobID] { jobs[job]?.upstream ?? [] }

  package func picture() -> QueuePicture {
    QueuePicture(jobs: jobs.mapValues(Self.picture), beats: beats, keys: keys)
  }

  private static func picture(_ job: Job) -> JobPicture {
    JobPicture(
      state: job.place, epoch: job.epoch, attempt: job.attempt, worker: job.worker, deadline: job.deadline,
      runAt: job.place == .later ? job.runAt : nil, pending: job.place == .blocked ? job.pending : nil,
      mark: job.mark?.state, isCancelRequested: job.isCancelRequested)
  }

  /// Moves a job to another place: the only way that one moves.
  mutating func move(_ id: JobID, to place: JobState, _ cause: Cause, _ change: (inout Job) -> Void = { _ in }) {
    guard var job = jobs[id] else { preconditionFailure("job \(id) is not in the queue") }
    let before = Self.picture(job)
    switch job.place {
    case .ready: ready.remove(id)
    case .leased: leased.remove(id)
    case .later: later.remove(id)
    case .blocked, .done, .dead, .cancelled: break
    }
    job.place = place
    if place != .leased {
      job.worker = nil
      job.deadline = nil
      job.isCancelRequested = false
      job.isAlone = false
    }
    change(&job)
    switch place {
    case .ready: ready.insert(id)
    case .leased: leased.insert(id)
    case .later: later.insert(id)
    case .blocked, .done, .dead, .cancelled: break
    }
    jobs[id] = job
    changes.append(Change(job: id, cause: cause, before: before, after: Self.picture(job)))
  }

  /// The lane of a place, made when it is new.
  mutating func lane(_ place: LanePlace) -> Int64 {
    if let lane = lanes[place] { return lane.id }
    let id = Int64(lanes.count + 1)
    lanes[place] = ReadyLane(id: id, pipeline: place.pipeline, stage: place.stage, urgencyClass: place.urgencyClass)
    return id
  }

  /// A job that was not there before.
  mutating func add(_ job: Job) -> JobID {
    lastJob += 1
    let id = JobID(lastJob)
    jobs[id] = job
    changes.append(Change(job: id, cause: .enqueued, before: nil, after: Self.picture(job)))
    return id
  }

  /// Frees the unique key of a job that has ended.
  mutating func freeKey(of id: JobID) {
    if let key = jobs[id]?.order.uniqueKey, keys[key] == id { keys[key] = nil }
  }
}
