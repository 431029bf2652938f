import JobModel
import Postgres

/// A lane with ready work, as a survey found it.
package struct ReadyLane: Sendable, Equatable {
  package var id: Int64
  package var pipeline: String
  package var stage: String
  /// Lower is more urgent.
  package var urgencyClass: Int
  /// Of its pipeline, when slots are shared.
  package var weight: Double
  /// The lowest number of its ready jobs, without those that must run alone; the highest number there is where there is none.
  package var lowest: Int64
  /// The lowest of those that must run alone.
  package var suspect: JobID?
  /// Whether its jobs need a permit of their pipeline before they begin.
  package var isLimited: Bool
  /// The earliest deadline of the open runs of its pipeline, in seconds since 1970; nil: none has one.
  package var deadline: Double?
  /// How long ``lowest`` has been ready, in seconds.
  package var waited: Double

  package init(
    id: Int64, pipeline: String, stage: String, urgencyClass: Int = 0, weight: Double = 1, lowest: Int64 = 0,
    suspect: JobID? = nil, isLimited: Bool = false, deadline: Double? = nil, waited: Double = 0
  ) {
    self.id = id
    self.pipeline = pipeline
    self.stage = stage
    self.urgencyClass = urgencyClass
    self.weight = weight
    self.lowest = lowest
    self.suspect = suspect
    self.isLimited = isLimited
    self.deadline = deadline
    self.waited = waited
  }

  /// Whether there is more than jobs that must run alone.
  package var hasWork: Bool { lowest != .max }

  init(row: PostgresRow) throws {
    self.init(
      id: try row.int("lane_id"), pipeline: try row.string("pipeline"), stage: try row.string("stage"),
      urgencyClass: Int(try row.int("class")), weight: try row.double("weight"),
      lowest: try row.optionalInt("lowest") ?? .max,
      suspect: try row.optionalInt("suspect").map { JobID($0) }, isLimited: try row.bool("limited"),
      deadline: try row.optionalDouble("deadline"), waited: try row.optionalDouble("waited") ?? 0)
  }
}

/// How many jobs a claim takes from each of its lanes: each number is a plan of its own, because a limit must be a literal.
package enum ClaimBatch: Int, Sendable, CaseIterable {
  case one = 1
  case ten = 10
  case fifty = 50
  case hundred = 100
  case twoHundred = 200

  /// The largest that is not above `count`.
  package static func largest(within count: Int) -> ClaimBatch {
    allCases.last { $0.rawValue <= count } ?? .one
  }
}

/// From which lanes to claim, of each from which job on, and how many of each.
package struct ClaimRequest: Sendable {
  package var lanes: [(lane: ReadyLane, from: Int64)]
  package var each: ClaimBatch
  /// The one job that is asked for, because it must run alone. The worker has nothing else in hand.
  package private(set) var alone: JobID?
  /// The turn on its host's memory that the worker knows, and that must not be over; nil: it does not claim by memory.
  package var memoryTurn: Int64?

  package init(lanes: [(lane: ReadyLane, from: Int64)], each: ClaimBatch) {
    self.lanes = lanes
    self.each = each
  }

  init(lanes: [(lane: ReadyLane, from: Int64)], each: ClaimBatch, alone: JobID?) {
    self.init(lanes: lanes, each: each)
    self.alone = alone
  }

  /// Of a lane the job that must run alone; nil where there is none.
  package init?(alone lane: ReadyLane) {
    guard let job = lane.suspect else { return nil }
    self.init(lanes: [(lane, job.rawValue)], each: .one, alone: job)
  }
}

/// A job without a run that its handler has done, with its last progress as JSON where there is any.
package struct FinishedJob: Sendable {
  package var holder: LeaseHolder
  package var detail: String?

  package init(_ holder: LeaseHolder, detail: String? = nil) {
    self.holder = holder
    self.detail = detail
  }
}

/// What one exchange with the queue brings there and asks for.
package struct QueueTurn: Sendable {
  package var finished: [FinishedJob]
  package var request: ClaimRequest?

  package init(finished: [FinishedJob], request: ClaimRequest?) {
    self.finished = finished
    self.request = request
  }

  package struct Outcome: Sendable {
    /// Acknowledged jobs whose lease was not there any more.
    package var unmatched: Set<JobID> = []
    package var claims: [Claim] = []

    package init(unmatched: Set<JobID> = [], claims: [Claim] = []) {
      self.unmatched = unmatched
      self.claims = claims
    }
  }
}
