import JobModel
import JobStore
import Logging
import Postgres

/// Lets history go with its time, makes room for the days to come, and names who keeps vacuum from its work.
struct QueueRetention: Sendable {
  /// Pages of history that one statement goes through: a few thousand attempts.
  static let pagesAtOnce: Int64 = 64
  static let deadAtOnce = 1000
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
    while case let dead = try await store.expiredDead(after: keep, limit: Self.deadAtOnce, on: session, now: now),
      !dead.isEmpty
    {
      guard try await store.expireDead(dead, on: session) > 0 else { break }
    }
    try await warn(on: session)
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
