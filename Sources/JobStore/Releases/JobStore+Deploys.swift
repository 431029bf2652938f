import JobModel
import Postgres

extension JobStore {
  /// Who does something to releases, and why: for the audit trail.
  package struct Author: Sendable {
    package var actor: String
    package var reason: String?

    package init(_ actor: String, reason: String? = nil) {
      self.actor = actor
      self.reason = reason
    }
  }

  /// Does something to releases: no claim is made and no run begins meanwhile, and nobody else moves one.
  ///
  /// Waits for the transactions that claim and that start runs, which are short; lets them go between where it takes long.
  /// - Throws: `StageFailure` `releases_busy` after half a minute.
  /// - Source: `claim_lock_exclusive.sql`.
  package func moveReleases<T: Sendable>(
    _ body: @Sendable (PostgresTransaction) async throws -> T
  ) async throws -> T {
    let clock = ContinuousClock()
    let deadline = clock.now + .seconds(30)
    var pause = Duration.milliseconds(100)
    while true {
      do {
        return try await database.transaction { transaction in
          try await transaction.execute("set local lock_timeout = '300ms'")
          try await transaction.query(Statement.claimLockExclusive, [])
          return try await body(transaction)
        }
      } catch let error as PostgresError where error.sqlState == "55P03" || error.sqlState == "40P01" {
        guard clock.now < deadline else {
          throw StageFailure(
            code: "releases_busy", message: "a transaction of the queue has kept releases where they are for 30 s",
            hint: "look for it in pg_stat_activity, then try again", isTransient: true)
        }
        try await clock.sleep(for: pause)
        pause = min(pause * 2, .seconds(1))
      }
    }
  }

  /// Moves a release to another state. Returns false where it is in none of those that it may come from.
  ///
  /// - Parameter canary: New runs in 10,000, and for how long it is looked at.
  /// - Source: `release_state.sql`.
  package func move(
    _ release: Int64, from states: [ReleaseState], to state: ReleaseState, reason: String?,
    canary: (ramp: Int, evidence: Duration)? = nil, in transaction: PostgresTransaction
  ) async throws -> Bool {
    try await transaction.query(
      Statement.releaseState,
      [
        .int(release), .texts(states.map(\.rawValue)), .text(state.rawValue), .optional(reason),
        .optional(canary.map { Int64($0.ramp) }), canary.map { .double($0.evidence.inSeconds) } ?? .null,
      ]
    ).count == 1
  }

  /// Says that somebody is at work on a staged release still. Returns false where it is staged no more.
  ///
  /// - Source: `release_keep.sql`.
  package func keepStaged(_ release: Int64) async throws -> Bool {
    try await database.query(Statement.releaseKeep, [.int(release)]).count == 1
  }

  /// Jobs of one pipeline, by one definition and on one engine: what is handed over as a whole.
  package struct HandOver: Sendable, Equatable {
    package var pipeline: String
    package var definition: Int64
    /// 0: of no release.
    package var engine: Int64
    package var jobs: Int
    /// Whether it was to be handed over: its definition says so, or has no engine.
    package var isWanted: Bool
    /// Formats that the engine cannot read.
    package var unreadable: String?
    /// A process that does one run by itself, and leaves with it.
    package var doneAloneBy: Int64?
    package var hasMoved: Bool
  }

  /// Gives the engine of a release what it may take over and can read. Workers are told at the commit.
  ///
  /// - Parameters:
  ///   - engine: Only what is on this one; nil: what is on draining and rejected ones.
  ///   - everything: Also what would end on its own engine.
  /// - Source: `lane_hand_over.sql`.
  package func handOver(
    to release: Int64, from engine: Int64? = nil, everything: Bool = false, in transaction: PostgresTransaction
  ) async throws -> [HandOver] {
    let rows = try await transaction.query(
      Statement.laneHandOver, [.int(release), .optional(engine), .bool(everything)])
    var lanes: Set<Int64> = []
    let groups = try rows.map { row in
      let moved = try row.string("lanes").split(separator: ",").compactMap { Int64($0) }
      lanes.formUnion(moved)
      return HandOver(
        pipeline: try row.string("pipeline"), definition: try row.int("release_id"), engine: try row.int("engine_id"),
        jobs: Int(try row.int("jobs")), isWanted: try row.bool("wanted"),
        unreadable: try row.optionalString("unreadable"), doneAloneBy: try row.optionalInt("alone"),
        hasMoved: !moved.isEmpty)
    }
    ring(lanes, after: transaction)
    // Other processes hear of it as of ready jobs.
    if !lanes.isEmpty { try await notify(lanes: lanes.sorted(), on: transaction) }
    return groups
  }

  /// Checkpoints of one format that live in a stage of a pipeline.
  package struct LiveCheckpoints: Sendable, Equatable {
    package var pipeline: String
    package var stage: String
    package var definition: Int64
    /// 0: of no release.
    package var engine: Int64
    package var handsOver: Bool
    package var format: CheckpointFormat
    package var jobs: Int
    /// When the oldest was written.
    package var oldest: String
    package var oldestSeconds: Double
  }

  /// - Source: `gate_live.sql`.
  package func liveCheckpoints(in session: (any PostgresSession)? = nil) async throws -> [LiveCheckpoints] {
    try await (session ?? database).query(Statement.gateLive, []).compactMap { row in
      guard let format = CheckpointFormat(try row.string("format")) else { return nil }
      return LiveCheckpoints(
        pipeline: try row.string("pipeline"), stage: try row.string("stage"), definition: try row.int("release_id"),
        engine: try row.int("engine_id"), handsOver: try row.bool("hands_over"), format: format,
        jobs: Int(try row.int("jobs")), oldest: try row.string("oldest"),
        oldestSeconds: try row.double("oldest_seconds"))
    }
  }

  /// Draining releases of which nothing is left become drained, and retired when none of their workers lives.
  ///
  /// - Source: `release_retire.sql`.
  package func retireDrained(in transaction: PostgresTransaction) async throws -> [(
    release: Int64, state: ReleaseState
  )] {
    try await transaction.query(Statement.releaseRetire, []).compactMap { row in
      guard let state = ReleaseState(rawValue: try row.string("state")) else { return nil }
      return (try row.int("release_id"), state)
    }
  }

  /// One line of the audit trail.
  package struct AuditLine: Sendable, Equatable {
    package var at: String
    package var actor: String
    package var action: String
    package var release: Int64?
    package var reason: String?
    /// JSON.
    package var before: String?
    package var after: String?
  }

  /// - Parameters:
  ///   - before: What was so, as JSON.
  ///   - after: What is so.
  /// - Source: `audit_insert.sql`.
  package func audit(
    _ action: String, _ release: Int64?, by author: Author, before: String? = nil, after: String? = nil,
    in transaction: PostgresTransaction
  ) async throws {
    try await transaction.query(
      Statement.auditInsert,
      [
        .text(author.actor), .text(action), .optional(release), .optional(author.reason), .optionalJSON(before),
        .optionalJSON(after),
      ])
  }

  /// The last time that a release became current, or that a canary ended without becoming it.
  package struct LastMove: Sendable, Equatable {
    package enum Kind: Sendable { case promotion, rollback, endOfCanary }
    package var kind: Kind
    package var at: String
    package var reason: String?
    /// The release that was left, or the canary.
    package var left: String?
  }

  /// - Source: `audit_last_move.sql`.
  package func lastMove(in session: (any PostgresSession)? = nil) async throws -> LastMove? {
    try await (session ?? database).query(Statement.auditLastMove, []).first.map { row in
      let kind: LastMove.Kind =
        switch try row.string("action") {
        case "rollback": .rollback
        case "reject": .endOfCanary
        default: .promotion
        }
      return LastMove(
        kind: kind, at: try row.string("at"), reason: try row.optionalString("reason"),
        left: try row.optionalString("before_name"))
    }
  }

  /// Newest first.
  ///
  /// - Source: `audit_list.sql`.
  package func auditTrail(of release: Int64? = nil, limit: Int = 100) async throws -> [AuditLine] {
    try await database.query(Statement.auditList, [.optional(release), .int(Int64(limit))]).map { row in
      AuditLine(
        at: try row.string("at"), actor: try row.string("actor"), action: try row.string("action"),
        release: try row.optionalInt("release_id"), reason: try row.optionalString("reason"),
        before: try row.optionalString("before"), after: try row.optionalString("after"))
    }
  }
}

extension JobStore {
  /// The newest migration of this database that engines which do not know it cannot live with.
  package func newestBreakingMigration(in session: some PostgresSession) async throws -> Int? {
    let newest = try await session.query(
      "select max(number) as number from sluice.migration where breaking", [])
    return try newest.first?.optionalInt("number").map { Int($0) }
  }
}

/// Workers of releases, and hosts that are asked to drain.
extension JobStore {
  /// Notes whether a worker of a release could be started.
  ///
  /// - Source: `release_start.sql`.
  package func noteStart(of release: Int64, failed: Bool) async throws {
    try await database.query(Statement.releaseStart, [.int(release), .bool(failed)])
  }

  package struct AskedWorker: Sendable, Equatable {
    package var id: Int64
    package var host: String
    package var pid: Int32
    package var release: Int64?
  }

  /// Asks workers to drain: they see it at their next beat. Returns those that live.
  ///
  /// - Source: `drain_ask.sql`.
  package func askToDrain(
    worker: Int64? = nil, host: String? = nil, release: Int64? = nil
  ) async throws -> [AskedWorker] {
    try await database.query(
      Statement.drainAsk, [.optional(worker), .optional(host), .optional(release)]
    ).map {
      AskedWorker(
        id: try $0.int("worker_id"), host: try $0.string("host"), pid: Int32(try $0.int("pid")),
        release: try $0.optionalInt("release_id"))
    }
  }

  /// Whether workers are kept on this host; `drain HOST` says no.
  ///
  /// - Source: `host_drain.sql`.
  package func setDrained(_ isDrained: Bool, host: String) async throws {
    try await database.query(Statement.hostDrain, [.text(host), .bool(isDrained)])
  }

  /// - Source: `host_drained.sql`.
  package func isDrained(host: String) async throws -> Bool {
    try await database.query(Statement.hostDrained, [.text(host)]).only.bool("drained")
  }
}
