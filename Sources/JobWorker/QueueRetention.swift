import JobModel
import JobStore
import Logging
import Postgres

/// Lets history go with its time, makes room for the days to come, brings back what a clock that was ahead has put off, and names
/// the session that keeps vacuum from its work.
struct QueueRetention: Sendable {
  /// Pages of history that one statement goes through: a few thousand attempts.
  static let pagesAtOnce: Int64 = 64
  static let deadAtOnce = 1000
  /// Settled messages, and workers that have ended, of one round.
  static let rowsAtOnce = 5000
  /// A session that holds its snapshot for so long is named.
  static let oldSnapshot = Duration.seconds(300)

  /// Somebody has the table's lock; another process, which maintained the queue before this one, has just dropped that day, or
  /// made the one to come.
  private static let mayComeBack: Set<String> = ["55P03", "42P01", "42P07"]

  let store: JobStore
  let keep: Duration
  let logger: Logger

  /// One round. The tables' locks are asked for briefly: who is in the way is met again at the next round.
  func run(on session: PostgresConnection, now: String? = nil) async throws {
    try await step("history") { try await expireHistory(on: session, now: now) }
    try await step("dead jobs") {
      while case let dead = try await store.expiredDead(after: keep, limit: Self.deadAtOnce, on: session, now: now),
        !dead.isEmpty
      {
        guard try await store.expireDead(dead, on: session) > 0 else { break }
      }
    }
    try await step("messages") {
      _ = try await store.expireOutbox(after: keep, limit: Self.rowsAtOnce, on: session, now: now)
    }
    try await step("workers") {
      _ = try await store.expireWorkers(after: keep, limit: Self.rowsAtOnce, on: session, now: now)
    }
    try await step("snapshots") { try await warn(on: session) }
  }

  private func expireHistory(on session: PostgresConnection, now: String?) async throws {
    do {
      let made = try await briefly(on: session) { try await store.preparePartitions(on: $0, now: now) }
      if made > 0 { logger.info("partitions of the history were made", metadata: ["partitions": "\(made)"]) }
      for partition in try await store.expiredPartitions(after: keep, on: session, now: now) {
        let jobs = try await forget(partition, on: session)
        try await briefly(on: session) { try await store.drop(partition, on: $0) }
        logger.info(
          "a day of the history went with its time", metadata: ["partition": "\(partition.name)", "jobs": "\(jobs)"])
      }
    } catch let error as PostgresError where Self.mayComeBack.contains(error.sqlState ?? "") {
      logger.info(
        "the history's table is in use; its partitions are looked at again later", metadata: ["error": "\(error)"])
    }
  }

  /// What one of these cannot do keeps neither the others nor the queue from their work: the database has answered, and the session
  /// goes on.
  private func step(_ name: String, _ body: () async throws -> Void) async throws {
    do { try await body() } catch let error as PostgresError where error.kind == .statement {
      logger.warning(
        "a step of retention failed; it is tried again at the next round",
        metadata: ["step": "\(name)", "error": "\(error)"])
    }
  }

  /// Lanes that have long had no job. Reads the whole of the jobs, so that it is not for every round.
  func runSeldom(on session: PostgresConnection, now: String? = nil) async throws {
    try await step("lanes") {
      let lanes = try await store.expireLanes(after: keep, on: session, now: now)
      if lanes > 0 { logger.info("lanes without jobs were deleted", metadata: ["lanes": "\(lanes)"]) }
    }
  }

  /// Brings back what a clock has dated that was ahead, and forgets the marks of jobs that have ended.
  func recover(on session: PostgresConnection, now: String? = nil) async throws {
    try await step("suspects") { try await store.forgetSuspects(on: session) }
    try await step("clock") { try await recoverFromClock(on: session, now: now) }
  }

  private func recoverFromClock(on session: PostgresConnection, now: String?) async throws {
    let recovery = try await session.transaction { transaction in
      let recovery = try await store.recoverFromClock(on: transaction, now: now)
      guard !recovery.isEmpty else { return recovery }
      try await store.note(
        event: "clock_set_back", pipeline: nil, run: nil, job: nil,
        message: "the database's clock was ahead and was set back: what it had dated begins now",
        detail: """
          {"beats":\(recovery.beats),"leases":\(recovery.leases),"delays":\(recovery.delays),"canary_looks":\(recovery.looks)}
          """, in: transaction)
      return recovery
    }
    guard !recovery.isEmpty else { return }
    logger.warning(
      "the database's clock was set back; what it had dated begins now",
      metadata: [
        "beats": "\(recovery.beats)", "leases": "\(recovery.leases)", "delays": "\(recovery.delays)",
        "canary_looks": "\(recovery.looks)",
      ])
  }

  /// Deletes the jobs that ended on that day, in pieces.
  private func forget(_ partition: JobStore.ExpiredPartition, on session: PostgresConnection) async throws -> Int {
    var jobs = 0
    for first in stride(from: 0, to: partition.pages, by: Int(Self.pagesAtOnce)) {
      try Task.checkCancellation()
      let ended = try await store.jobsEnded(in: partition, pages: first..<first + Self.pagesAtOnce, on: session)
      jobs += try await store.expire(ended, on: session)
    }
    return jobs
  }

  /// In a transaction that waits for no lock longer than a moment: others queue behind one that waits.
  private func briefly<T: Sendable>(
    on session: PostgresConnection, _ body: @Sendable (PostgresTransaction) async throws -> T
  ) async throws -> T {
    try await session.transaction { transaction in
      try await transaction.execute("set local lock_timeout = '200ms'")
      return try await body(transaction)
    }
  }

  private func warn(on session: PostgresConnection) async throws {
    for snapshot in try await store.oldSnapshots(olderThan: Self.oldSnapshot, on: session) {
      logger.warning(
        "an old snapshot keeps vacuum from removing dead rows: the queue's tables grow until it ends",
        metadata: [
          "holder": "\(snapshot.holder)", "name": "\(snapshot.name)", "application": "\(snapshot.application)",
          "role": "\(snapshot.role)", "state": "\(snapshot.state)", "age_seconds": "\(snapshot.age.components.seconds)",
        ])
    }
  }
}
