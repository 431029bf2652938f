import JobModel
import Postgres

extension JobStore {
  /// What a release did with jobs of one kind.
  package struct KindEvidence: Sendable, Equatable {
    package var release: Int64
    package var kind: String
    /// Attempts that ended, whichever way; yields are none.
    package var finished: Int
    package var failed: Int
    package var crashed: Int
    /// Seconds, at the 95th percentile of those that were done.
    package var slowest: Double?
    /// Bytes of memory, likewise; nil where too few were seen.
    package var heaviest: Double?
    package var rowsIn: Int
    package var rowsOut: Int
    package var rowsRejected: Int
  }

  /// What a canary and the current release did since a time.
  ///
  /// - Parameter fewest: Fewer attempts whose memory is known say nothing of it.
  /// - Source: `canary_evidence.sql`.
  package func evidence(
    of canary: Int64, beside current: Int64, since time: String, fewest: Int
  ) async throws -> [KindEvidence] {
    let values: [PostgresValue] = [.int(canary), .int(current), .text(time), .int(Int64(fewest))]
    return try await database.query(Statement.canaryEvidence, values).map { row in
      KindEvidence(
        release: try row.int("release_id"), kind: try row.string("kind"), finished: Int(try row.int("finished")),
        failed: Int(try row.int("failed")), crashed: Int(try row.int("crashed")),
        slowest: try row.optionalDouble("slowest"), heaviest: try row.optionalDouble("heaviest"),
        rowsIn: Int(try row.int("rows_in")), rowsOut: Int(try row.int("rows_out")),
        rowsRejected: Int(try row.int("rejected")))
    }
  }

  package struct PipelineStage: Sendable, Hashable {
    package var pipeline: String
    package var stage: String

    package init(pipeline: String, stage: String) {
      self.pipeline = pipeline
      self.stage = stage
    }
  }

  /// How many attempts history promises within so long: by the last day, or by the last such time if that was busier.
  /// Backfills promise nothing.
  ///
  /// - Source: `canary_promise.sql`.
  package func promisedAttempts(within time: Duration) async throws -> [PipelineStage: Double] {
    let rows = try await database.query(Statement.canaryPromise, [.double(time.inSeconds)])
    // Names that are two to the database may be one to Swift.
    return Dictionary(
      try rows.map { row in
        let stage = PipelineStage(pipeline: try row.string("pipeline"), stage: try row.string("kind"))
        return (stage, try row.double("promised"))
      }, uniquingKeysWith: +)
  }

  /// What needs no statistics.
  package enum CanaryAlarm: Sendable, Equatable {
    /// Of the job with this label.
    case unreadable(String)
    case contract(String)
    case succeededElsewhere(RunID)
  }

  /// - Source: `canary_alarms.sql`.
  package func alarms(of canary: Int64, beside current: Int64, since time: String) async throws -> [CanaryAlarm] {
    try await database.query(Statement.canaryAlarms, [.int(canary), .int(current), .text(time)]).compactMap { row in
      switch try row.string("alarm") {
      case "unreadable": return .unreadable(try row.string("label"))
      case "contract": return .contract(try row.string("label"))
      default: return try row.optionalInt("run_id").map { .succeededElsewhere(RunID($0)) }
      }
    }
  }

  /// Counts a look at a canary's rates when one is due. Returns which it is; nil: none is due.
  ///
  /// - Parameter looks: How many there are, spread over the time of its evidence.
  /// - Source: `canary_look.sql`.
  package func lookAtCanary(_ canary: Int64, of looks: Int) async throws -> Int? {
    try await database.query(Statement.canaryLook, [.int(canary), .int(Int64(looks))]).first
      .map { Int(try $0.int("looks")) }
  }

  /// - Source: `canary_hold.sql`.
  package func hold(canary: Int64, because reason: String) async throws {
    try await database.query(Statement.canaryHold, [.int(canary), .text(reason)])
  }

  /// A run whose work another release is to do.
  package struct UnmovedRun: Sendable, Equatable {
    package var id: RunID
    package var pipeline: String
    package var state: RunState
    package var movedTo: RunID?
  }

  /// - Parameter isRejected: Those that have not ended as well as those that failed.
  /// - Source: `run_unmoved.sql`.
  package func unmovedRuns(of release: Int64, isRejected: Bool) async throws -> [UnmovedRun] {
    try await database.query(Statement.runUnmoved, [.int(release), .bool(isRejected)]).compactMap { row in
      guard let state = RunState(rawValue: try row.string("state")) else { return nil }
      return UnmovedRun(
        id: RunID(try row.int("run_id")), pipeline: try row.string("pipeline"), state: state,
        movedTo: try row.optionalInt("moved_to").map { RunID($0) })
    }
  }

  /// Starts a run that does the work of another: whole, from the raw that the other one left. Nil where one does already.
  ///
  /// - Source: `run_insert.sql`, `run_moved.sql`.
  package func move(
    _ run: RunID, to plan: RunPlan, with assignment: RunAssignment
  ) async throws -> RunID? {
    do {
      return try await database.transaction { transaction in
        let successor = try await enqueue(plan, with: assignment, in: transaction).runID
        let rows = try await transaction.query(
          Statement.runMoved, [.int(run.rawValue), .int(successor.rawValue)])
        guard rows.count == 1 else { throw MovedAlready() }
        try await note(
          event: "moved", pipeline: plan.pipeline, run: run, job: nil,
          message: "run \(successor) does its work on release \(assignment.release)", in: transaction)
        return successor
      }
    } catch is MovedAlready { return nil }
  }

  /// Notes that no other release can do the work of a run.
  ///
  /// - Source: `run_moved.sql`.
  package func markUnmovable(_ run: RunID) async throws {
    try await database.query(Statement.runMoved, [.int(run.rawValue), .int(0)])
  }

  private struct MovedAlready: Error {}
}
