/// How many workers there should be, as a simulated fleet asks for it.
///
/// The truth knows policies by this protocol alone, and a policy knows the truth by ``FleetView`` alone: neither how long an
/// unfinished job will run nor what memory it will need.
package protocol FleetPolicy {
  /// Seconds between two decisions.
  var interval: Double { get }
  /// Whether ``FleetView/attempts`` and ``FleetView/fleet`` are wanted: they cost time.
  var wantsAttempts: Bool { get }
  /// Whether ``FleetView/queue`` is wanted now.
  mutating func wantsQueue(_ jobs: Int, now: Double) -> Bool

  mutating func decide(_ view: FleetView) -> FleetDecision

  /// Which waiting jobs begin now.
  ///
  /// - Parameters:
  ///   - waiting: In the order of the queue: deadline, then arrival. At most ``SimulatedFleet/maximumCandidates``.
  ///   - slots: How many may begin.
  /// - Returns: Positions in `waiting`.
  mutating func choose(_ waiting: [FleetJob], running: [FleetAttempt], slots: Int, now: Double) -> [Int]

  /// Whether ``choose(_:running:slots:now:)`` is asked at all; else the queue's order decides.
  var admits: Bool { get }
}

extension FleetPolicy {
  package var wantsAttempts: Bool { false }
  package mutating func wantsQueue(_ jobs: Int, now: Double) -> Bool { false }
  package var admits: Bool { false }

  package mutating func choose(_ waiting: [FleetJob], running: [FleetAttempt], slots: Int, now: Double) -> [Int] {
    Array(0..<min(slots, waiting.count))
  }
}

/// What a policy wants.
package enum FleetDecision: Sendable, Equatable {
  case hold
  /// So many workers, kept up when some crash.
  case count(Int, ScaleIn)
  /// So many more workers, each of which ends after one job.
  case start(Int)

  package enum ScaleIn: Sendable, Equatable {
    /// As a platform that knows nothing of jobs does it: those that start first, then the youngest, busy or not. A busy one has
    /// the grace to finish or to reach a checkpoint, and is then killed.
    case youngest
    /// As a policy that knows the jobs names them: `stops` end where they are idle or start, `drains` claim nothing more and
    /// end at their next checkpoint, the jobs `yields` are given back at theirs.
    case named(stops: [Int], drains: [Int], yields: [Int])
  }
}

/// A job that has not ended, as it can be known from outside.
package struct FleetJob: Sendable, Equatable {
  /// The position in the trace.
  package var number: Int
  package var at: Double
  package var kind: String
  package var deadline: Double?
  package var predictedSeconds: Double?
  package var predictedMemoryGB: Double?
  /// What its checkpoint keeps.
  package var doneSeconds: Double
  /// How often the kernel killed it.
  package var memoryKills: Int
}

package struct FleetAttempt: Sendable, Equatable {
  package var job: FleetJob
  package var worker: Int
  /// How long this attempt has run, and how much of it a stop now would lose.
  package var seconds: Double
  package var sinceCheckpointSeconds: Double
  /// What it uses now: the kernel tells.
  package var memoryGB: Double
  /// Whether its worker ends after the next checkpoint.
  package var isYielding: Bool
}

package struct FleetWorker: Sendable, Equatable {
  package enum Phase: Sendable { case starting, ready, draining }
  package var worker: Int
  package var phase: Phase
  package var jobs: Int
  /// Since it began to start, was ready or became idle.
  package var sinceSeconds: Double
}

package struct FleetResult: Sendable, Equatable {
  package var number: Int
  package var kind: String
  package var at: Double
  package var endedAt: Double
  /// How long it ran, over all attempts' kept parts.
  package var seconds: Double
  package var memoryGB: Double
  package var predictedSeconds: Double?
  package var predictedMemoryGB: Double?
}

/// What is measured of a fleet.
package struct FleetView: Sendable {
  package var now = 0.0
  /// Older than `now` while there is a gap: everything below is as it was then.
  package var measuredAt = 0.0
  /// Jobs that wait for a worker.
  package var queued = 0
  /// Jobs that run.
  package var running = 0
  /// Workers that start, without those that are being ended.
  package var starting = 0
  /// Workers that claim.
  package var ready = 0
  /// Workers that claim and run at least one job.
  package var busy = 0
  /// Workers that end after their jobs or a checkpoint.
  package var draining = 0
  /// Jobs that arrived since the last measurement.
  package var arrived: [FleetJob] = []
  /// Jobs that finished since the last measurement.
  package var finished: [FleetResult] = []
  /// Worker seconds of running jobs since the last measurement.
  package var busySeconds = 0.0
  /// Waiting jobs, in no order.
  package var queue: [FleetJob] = []
  package var attempts: [FleetAttempt] = []
  /// Every worker that has not ended.
  package var fleet: [FleetWorker] = []
  package var memoryKills = 0
  package var limits = FleetLimits()

  package init() {}

  /// Workers that exist or start, and are not being ended.
  package var workers: Int { starting + ready }
  package var isStale: Bool { measuredAt < now }
}

package struct FleetLimits: Sendable, Equatable {
  package var memoryGB = 0.0
  package var maxWorkers = 0
  package var slots = 1
  package var startSeconds = 0.0
  package var checkpointSeconds = 0.0
  package var graceSeconds = 0.0

  package init() {}
}
