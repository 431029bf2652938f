/// Everything that one scaling decision looks at: a value, measured by the caller.
///
/// All times are seconds since one origin that the caller chooses and keeps (for example the Unix epoch). All sizes are bytes.
/// Any number may be wrong (NaN, negative, endless, far too large): ``ScalingPolicy/decide(_:)`` never traps on it.
package struct ScalingInputs: Sendable, Equatable {
  /// The time of this decision.
  package var seconds: Double
  /// How old the oldest measurement below is. The policy holds the count when this exceeds
  /// ``ScalingSettings/staleSeconds``, or when it is not a number.
  package var ageSeconds: Double = 0
  /// The queue: one element for each lane that has jobs or arrivals. Order does not matter.
  package var lanes: [LaneLoad] = []
  /// Every job that a worker has a lease for. Bounded by the slots of the fleet.
  package var running: [RunningJob] = []
  /// Every worker process that exists or was asked for.
  package var workers: [WorkerLoad] = []
  /// Releases that have pinned work which a worker of that release could claim now. Each keeps one worker at least.
  package var pinnedReleases: [String] = []
  /// The release that new runs begin with: it gets the workers of ``ScalingLimits/minWorkers`` and of an override that no work asks for. Nil:
  /// the release with the most workers.
  package var currentRelease: String?
  /// Measured time from asking for a worker to its first claim; a high quantile (0.9) of the recent starts.
  package var startSeconds: Double = 45
  package var memory: MemoryLoad = MemoryLoad()
  package var database: ConnectionLoad = ConnectionLoad()
  package var throughput: Throughput = Throughput()
  package var limits: ScalingLimits = ScalingLimits()
  /// A count that a person set; ignored once it has expired.
  package var override: ScalingOverride?
  /// ``ScalingDecision/history`` of the decision before; an empty one at first.
  package var history: ScalingHistory = ScalingHistory()

  package init(seconds: Double) { self.seconds = seconds }
}

/// The memory that all workers of this decision share.
package struct MemoryLoad: Sendable, Equatable {
  /// The share of time in which some task waited for memory (PSI `some`, 10 s average), 0...1. Nil: not measured.
  package var pressure: Double?
  /// Bytes in use that no running job of ``ScalingInputs/running`` explains: other programs, the database.
  package var otherBytes: Double = 0
  package init(pressure: Double? = nil, otherBytes: Double = 0) {
    self.pressure = pressure
    self.otherBytes = otherBytes
  }
}

/// The control database's connections. Nil: not known, no limit follows.
package struct ConnectionLoad: Sendable, Equatable {
  package var maximum: Int?
  /// Kept for control, the command line and the superuser.
  package var reserve: Int = 10
  package var perWorker: Int = 3
  package init(maximum: Int? = nil, reserve: Int = 10, perWorker: Int = 3) {
    self.maximum = maximum
    self.reserve = reserve
    self.perWorker = perWorker
  }
}

/// What the fleet got done, for the check that a scale-up brought what it promised.
package struct Throughput: Sendable, Equatable {
  /// Predicted seconds of all work done so far: of finished jobs their prediction, of running ones prediction × progress. Of jobs like
  /// which too few have finished it is the seconds that they took: a prediction that is wrong must not look like work that was lost. Only
  /// ever grows; a smaller value than before is a new start. Nil: not measured, and the check is off.
  package var workSeconds: Double?
  /// The share of slot time that jobs spent waiting in the last five minutes, by cause. The freeze names the largest.
  package var waits: [WaitCause: Double] = [:]
  package init(workSeconds: Double? = nil, waits: [WaitCause: Double] = [:]) {
    self.workSeconds = workSeconds
    self.waits = waits
  }
}

/// What a running attempt waits for.
package enum WaitCause: String, Sendable, Codable, CaseIterable {
  case source, target, database, memory, limit
}
