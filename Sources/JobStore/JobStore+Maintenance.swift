import JobModel
import Postgres

extension JobStore {
  /// Whether a transaction maintains the queue, and for how long its session has been there.
  package struct MaintenanceLead: Sendable, Equatable {
    package var leads: Bool
    package var sessionAge: Duration
    /// The database's clock, since 1970.
    package var databaseTime: Duration
  }

  /// Tries to lead until the transaction ends.
  ///
  /// - Source: `maintenance_lead.sql`.
  package func leadMaintenance(in transaction: PostgresTransaction) async throws -> MaintenanceLead {
    let row = try await transaction.query(Statement.maintenanceLead, []).only
    return MaintenanceLead(
      leads: try row.bool("leads"), sessionAge: .seconds(try row.double("session_seconds")),
      databaseTime: .seconds(try row.double("database_seconds")))
  }

  /// Makes the partitions of the history for the days to come. Returns how many were missing.
  ///
  /// - Source: `outcome_days.sql`.
  package func preparePartitions(on session: some PostgresSession, now: String? = nil) async throws -> Int {
    try await session.query(Statement.outcomeDays, [.optional(now)]).filter { try $0.bool("made") }.count
  }

  /// A day of the history whose time is over.
  package struct ExpiredPartition: Sendable, Equatable {
    package var name: String
    package var pages: Int64
  }

  package func expiredPartitions(
    after retention: Duration, on session: some PostgresSession, now: String? = nil
  ) async throws -> [ExpiredPartition] {
    try await session.query(Statement.outcomePartitions, [.double(retention.inSeconds), .optional(now)]).map {
      ExpiredPartition(name: try $0.string("partition"), pages: try $0.int("pages"))
    }
  }

  /// The jobs that ended for good in some pages of a day of the history.
  ///
  /// A range of pages, so that a day of millions is gone through in pieces without an index.
  package func jobsEnded(
    in partition: ExpiredPartition, pages: Range<Int64>, on session: some PostgresSession
  ) async throws -> [JobID] {
    let table = "sluice." + quoteIdentifier(partition.name)
    let rows = try await session.query(
      SQLStatement(
        name: "outcome_pages",
        text: """
          select job_id from \(table) where status in ('done', 'cancelled')
            and ctid >= '(\(pages.lowerBound),0)'::tid and ctid < '(\(pages.upperBound),0)'::tid
          """), [])
    return try rows.map { JobID(try $0.int("job_id")) }
  }

  /// Drops a day of the history.
  package func drop(_ partition: ExpiredPartition, on session: some PostgresSession) async throws {
    try await session.execute("drop table if exists sluice.\(quoteIdentifier(partition.name))")
  }

  /// Deletes jobs that ended, with all that belongs to them. Returns how many went; the others stand somewhere, or belong to
  /// a run that failed.
  ///
  /// - Source: `job_expire.sql`.
  package func expire(_ jobs: [JobID], on session: some PostgresSession) async throws -> Int {
    guard !jobs.isEmpty else { return 0 }
    let row = try await session.query(Statement.jobExpire, [.ints(jobs.map(\.rawValue))]).only
    return Int(try row.int("jobs"))
  }

  /// Dead jobs without a run that nobody took up again.
  ///
  /// - Source: `dead_expired.sql`.
  package func expiredDead(
    after retention: Duration, limit: Int, on session: some PostgresSession, now: String? = nil
  ) async throws -> [JobID] {
    try await session.query(
      Statement.deadExpired, [.double(retention.inSeconds), .int(Int64(limit)), .optional(now)]
    ).map { JobID(try $0.int("job_id")) }
  }

  /// Deletes such jobs.
  package func expireDead(_ jobs: [JobID], on session: some PostgresSession) async throws -> Int {
    try await session.query(Statement.deadForget, [.ints(jobs.map(\.rawValue))])
    return try await expire(jobs, on: session)
  }

  /// How much of each kind was dated by a clock that has been set back since.
  package struct ClockRecovery: Sendable, Equatable {
    package var beats: Int64
    package var leases: Int64
    package var delays: Int64
    package var looks: Int64
    package var isEmpty: Bool { beats + leases + delays + looks == 0 }
  }

  /// Brings back what a clock that was ahead has put off.
  ///
  /// - Source: `clock_recover.sql`.
  package func recoverFromClock(on session: some PostgresSession, now: String? = nil) async throws -> ClockRecovery {
    let row = try await session.query(Statement.clockRecover, [.optional(now)]).only
    return ClockRecovery(
      beats: try row.int("beats"), leases: try row.int("leases"), delays: try row.int("delays"),
      looks: try row.int("looks"))
  }

  /// Forgets which jobs must run alone, of those that have ended.
  package func forgetSuspects(on session: some PostgresSession) async throws {
    try await session.query(Statement.suspectForget)
  }

  /// Deletes lanes that have long had no job. Returns how many.
  ///
  /// - Source: `lane_expire.sql`.
  package func expireLanes(
    after retention: Duration, on session: some PostgresSession, now: String? = nil
  ) async throws -> Int64 {
    try await session.query(Statement.laneExpire, [.double(retention.inSeconds), .optional(now)]).only.int("lanes")
  }

  /// Deletes messages that were settled long ago, at most `limit`. Returns how many.
  ///
  /// - Source: `outbox_expire.sql`.
  package func expireOutbox(
    after retention: Duration, limit: Int, on session: some PostgresSession, now: String? = nil
  ) async throws -> Int {
    Int(
      try await session.query(
        Statement.outboxExpire, [.double(retention.inSeconds), .int(Int64(limit)), .optional(now)]
      ).only.int("messages"))
  }

  /// Deletes workers that ended long ago, at most `limit`. Returns how many.
  ///
  /// - Source: `worker_expire.sql`.
  package func expireWorkers(
    after retention: Duration, limit: Int, on session: some PostgresSession, now: String? = nil
  ) async throws -> Int {
    Int(
      try await session.query(
        Statement.workerExpire, [.double(retention.inSeconds), .int(Int64(limit)), .optional(now)]
      ).only.int("workers"))
  }

  /// Something that keeps vacuum from removing dead rows.
  package struct OldSnapshot: Sendable, Equatable {
    /// `session`, or `prepared transaction`.
    package var holder: String
    /// The server's process, or the transaction's name.
    package var name: String
    package var application: String
    package var role: String
    package var state: String
    package var age: Duration
  }

  /// What has held a snapshot for longer than this, oldest first.
  ///
  /// - Source: `snapshot_old.sql`.
  package func oldSnapshots(
    olderThan age: Duration, on session: (any PostgresSession)? = nil
  ) async throws -> [OldSnapshot] {
    try await (session ?? database).query(Statement.snapshotOld, [.double(age.inSeconds)]).map { row in
      OldSnapshot(
        holder: try row.string("holder"), name: try row.string("name"), application: try row.string("application"),
        role: try row.optionalString("role") ?? "", state: try row.optionalString("state") ?? "",
        age: .seconds(try row.double("seconds")))
    }
  }
}
