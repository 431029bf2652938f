import Postgres

/// What a system was used for, as a list of several shows it.
package struct SystemUsage: Sendable, Equatable {
  /// When its newest run was asked for.
  package var lastRunAt: String?
  /// When one of its newest runs was asked for, began or ended.
  package var lastUseAt: String?
  /// What its attempts took together, those that run included; nil where there are more than are counted.
  package var workerHours: Double?

  package init(lastRunAt: String?, lastUseAt: String?, workerHours: Double?) {
    self.lastRunAt = lastRunAt
    self.lastUseAt = lastUseAt
    self.workerHours = workerHours
  }
}

extension JobStore {
  /// A list must cost little, however large one of the systems is.
  private static let countedAttempts: Int64 = 20_000

  /// - Source: `usage.sql`.
  package func usage() async throws -> SystemUsage {
    let row = try await database.query(Statement.usage, [.int(Self.countedAttempts)]).first
    return SystemUsage(
      lastRunAt: try row?.optionalString("last_run_at"), lastUseAt: try row?.optionalString("last_use_at"),
      workerHours: try row?.optionalDouble("hours"))
  }
}
