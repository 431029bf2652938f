import Postgres

/// What a queue asks for now, for a process that serves it only while there is work.
package struct QueueDemand: Sendable, Equatable {
  /// A job can be claimed.
  package var isReady: Bool
  /// A job is leased.
  package var isRunning: Bool
  /// A job is leased by a worker that beats no more: a maintainer takes it back.
  package var isLost: Bool
  /// Until the earliest put-off job is due, less than zero where its time has come; nil: there is none.
  package var dueSeconds: Double?

  package init(isReady: Bool = false, isRunning: Bool = false, isLost: Bool = false, dueSeconds: Double? = nil) {
    self.isReady = isReady
    self.isRunning = isRunning
    self.isLost = isLost
    self.dueSeconds = dueSeconds
  }
}

extension JobStore {
  /// Looks at a queue over a session that is not this store's, and changes nothing.
  ///
  /// - Parameter stages: Of the jobs that count; nil: of all. Programs that use the queue alone have workers of their own.
  /// - Source: `queue_demand.sql`.
  package static func demand(of stages: [String]?, on session: some PostgresSession) async throws -> QueueDemand {
    let row = try await session.query(Statement.queueDemand, [stages.map { .texts($0) } ?? .null]).only
    return QueueDemand(
      isReady: try row.bool("is_ready"), isRunning: try row.bool("is_running"), isLost: try row.bool("is_lost"),
      dueSeconds: try row.optionalDouble("due_seconds"))
  }
}
