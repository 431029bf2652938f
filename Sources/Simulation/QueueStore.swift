import JobModel
import JobStore

/// What workers, the reaper and those who enqueue need of a queue, in the words of `JobStore`.
///
/// The modelled store and PostgreSQL both answer it; the conformance suite and the lockstep test hold them together.
/// Each call is one transaction at the time that the store's own clock shows.
package protocol QueueStore {
  /// Sets the clock of the database, also back.
  mutating func turnClock(to time: SimulatedInstant) async throws

  /// Writes jobs in one transaction. A job whose unique key lives already is left out: nil in its place.
  mutating func enqueue(_ batch: JobBatch) async throws -> [JobID?]
  /// Takes up a dead or cancelled job again, with fresh attempts and the epoch it ended at.
  mutating func retry(_ job: JobID) async throws -> Bool
  /// Takes up all that is dead or cancelled of a job's run again, and lets those go on that were asked to stop. Returns how
  /// many there were of both.
  mutating func retryRun(of job: JobID) async throws -> Int
  /// Cancels a loose job, or what is not done of the run of one that has a run. What runs is asked to stop. Returns all of
  /// them.
  mutating func cancel(_ job: JobID) async throws -> Set<JobID>
  mutating func promoteDue(limit: Int) async throws -> Int

  /// Registers a process start with its first beat; its session lock is taken on this session.
  mutating func register(lease: Duration, session: Int, slots: Int) async throws -> Int64
  mutating func takeSessionLock(worker: Int64, session: Int) async throws -> Bool
  mutating func endSession(_ session: Int) async throws
  mutating func beat(worker: Int64, lease: Duration, draining: Bool, hasSessionLock: Bool) async throws -> Bool
  mutating func leave(worker: Int64) async throws

  /// Up to `limit` jobs; where there is none, one that must run alone, for a worker that holds nothing.
  mutating func claim(worker: Int64, limit: Int) async throws -> [LeaseHolder]
  mutating func complete(_ holders: [LeaseHolder]) async throws -> Set<JobID>
  /// As ``complete(_:)`` for loose jobs; returns those whose leases are lost.
  mutating func finish(_ holders: [LeaseHolder]) async throws -> Set<JobID>
  mutating func endAttempt(_ holder: LeaseHolder, as end: JobStore.AttemptEnd) async throws -> Bool
  mutating func checkpoint(_ holder: LeaseHolder, state: Int) async throws -> Bool
  /// Gives parts of a job's work to so many new jobs of its run, which begin from this checkpoint as the job itself does. Returns them; none
  /// where the lease is lost or the job is to be cancelled, or where it has no run.
  mutating func split(_ holder: LeaseHolder, state: Int, parts: Int) async throws -> [JobID]
  func held(_ holders: [LeaseHolder]) async throws -> Set<LeaseHolder>
  func leases(ofWorker worker: Int64) async throws -> Set<LeaseHolder>
  /// Those of a worker's leases whose jobs someone cancelled.
  func cancelledLeases(ofWorker worker: Int64) async throws -> Set<LeaseHolder>

  /// Workers that should have a session lock and do not, and when that was seen.
  mutating func suspects() async throws -> [Suspicion]
  mutating func revoke(_ suspicion: Suspicion) async throws -> Bool
  mutating func expireBeats() async throws -> [Int64]
  mutating func reap(limit: Int) async throws -> [ReapedJob]

  /// Everything that the tables say, for comparison.
  func picture() async throws -> QueuePicture
}

/// Jobs that are written together: the jobs of one run, or loose ones.
package struct JobBatch: Sendable, Equatable {
  package struct Order: Sendable, Equatable {
    /// Positions of jobs of this batch that must be done first.
    package var after: [Int]
    package var maximumAttempts: Int
    package var timeLimit: Duration?
    /// Only of a loose job.
    package var uniqueKey: String?

    package init(
      after: [Int] = [], maximumAttempts: Int = 3, timeLimit: Duration? = nil, uniqueKey: String? = nil
    ) {
      self.after = after
      self.maximumAttempts = maximumAttempts
      self.timeLimit = timeLimit
      self.uniqueKey = uniqueKey
    }
  }
  package var pipeline: String
  /// Lower is more urgent.
  package var urgencyClass: Int
  package var orders: [Order]
  /// Loose jobs belong to no run and wait for none.
  package var isLoose: Bool

  /// - Precondition: Loose jobs wait for none and differ in their keys alone, of which all or none have one; jobs of a run have none.
  package init(pipeline: String = "p", urgencyClass: Int = 0, orders: [Order], isLoose: Bool = false) {
    precondition(isLoose ? orders.allSatisfy(\.after.isEmpty) : orders.allSatisfy { $0.uniqueKey == nil })
    self.pipeline = pipeline
    self.urgencyClass = urgencyClass
    self.orders = orders
    self.isLoose = isLoose
  }
}

/// A worker without its session lock, and the database's time when that was seen.
package struct Suspicion: Sendable, Hashable {
  package var worker: Int64
  package var seenAt: SimulatedInstant

  package init(worker: Int64, seenAt: SimulatedInstant) {
    self.worker = worker
    self.seenAt = seenAt
  }
}

/// A job that the reaper took back, and whether that ended it.
package struct ReapedJob: Sendable, Hashable {
  package var job: JobID
  package var isDead: Bool

  package init(job: JobID, isDead: Bool) {
    self.job = job
    self.isDead = isDead
  }
}
