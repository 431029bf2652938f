import JobModel

/// All that the tables of a queue say at one moment, comparable between stores.
package struct QueuePicture: Sendable, Equatable {
  package var jobs: [JobID: JobPicture]
  package var beats: [Int64: BeatPicture]
  /// The unique keys that live, and their jobs.
  package var keys: [String: JobID]

  package init(jobs: [JobID: JobPicture], beats: [Int64: BeatPicture], keys: [String: JobID]) {
    self.jobs = jobs
    self.beats = beats
    self.keys = keys
  }

  /// What another store says differently, a line each.
  package func differences(from other: QueuePicture, named names: (String, String)) -> [String] {
    func lines<Key: Comparable & Hashable, Value: Equatable>(
      _ what: String, _ own: [Key: Value], _ others: [Key: Value]
    ) -> [String] {
      Set(own.keys).union(others.keys).sorted().compactMap { key in
        guard own[key] != others[key] else { return nil }
        func told(_ value: Value?) -> String { value.map { "\($0)" } ?? "nothing" }
        return "\(what) \(key): \(names.0) says \(told(own[key])); \(names.1) says \(told(others[key]))"
      }
    }
    return lines("job", jobs, other.jobs) + lines("worker", beats, other.beats) + lines("key", keys, other.keys)
  }
}

/// Where a job stands, with its numbers.
package struct JobPicture: Sendable, Equatable, CustomStringConvertible {
  package var state: JobState
  package var epoch: Int64
  /// Attempts charged; of a leased job with the running one.
  package var attempt: Int
  /// Who holds the lease.
  package var worker: Int64?
  /// When the lease passes its time limit.
  package var deadline: SimulatedInstant?
  /// When it becomes ready by itself.
  package var runAt: SimulatedInstant?
  /// How many jobs it waits for.
  package var pending: Int?
  /// Its checkpoint's state.
  package var mark: Int?
  /// Whether someone asked the holder of the lease to stop.
  package var isCancelRequested: Bool

  package init(
    state: JobState, epoch: Int64, attempt: Int, worker: Int64? = nil, deadline: SimulatedInstant? = nil,
    runAt: SimulatedInstant? = nil, pending: Int? = nil, mark: Int? = nil, isCancelRequested: Bool = false
  ) {
    self.state = state
    self.epoch = epoch
    self.attempt = attempt
    self.worker = worker
    self.deadline = deadline
    self.runAt = runAt
    self.pending = pending
    self.mark = mark
    self.isCancelRequested = isCancelRequested
  }

  package var description: String {
    var text = "\(state.rawValue) epoch \(epoch) attempt \(attempt)"
    if let worker { text += " worker \(worker)" }
    if let deadline { text += " deadline \(deadline)" }
    if let runAt { text += " run at \(runAt)" }
    if let pending { text += " pending \(pending)" }
    if let mark { text += " mark \(mark)" }
    if isCancelRequested { text += " cancel requested" }
    return text
  }
}

/// A worker's beat.
package struct BeatPicture: Sendable, Equatable, CustomStringConvertible {
  package var beatAt: SimulatedInstant
  package var expiresAt: SimulatedInstant
  package var hasSessionLock: Bool
  package var isDraining: Bool

  package init(beatAt: SimulatedInstant, expiresAt: SimulatedInstant, hasSessionLock: Bool, isDraining: Bool) {
    self.beatAt = beatAt
    self.expiresAt = expiresAt
    self.hasSessionLock = hasSessionLock
    self.isDraining = isDraining
  }

  package var description: String {
    "beat at \(beatAt) until \(expiresAt)\(hasSessionLock ? " with lock" : "")\(isDraining ? " draining" : "")"
  }
}
