import Postgres

/// A count of workers that a person set in place of the decided one, for a time.
extension JobStore {
  package struct ScalingOverrideRecord: Sendable, Equatable {
    package var id: Int64
    package var workers: Int
    package var reason: String
    package var author: String
    package var createdAt: String
    package var expiresAt: String
    /// Since 1970.
    package var expiresSeconds: Double
    package var secondsLeft: Double
  }

  /// Sets the count; an earlier one ends.
  ///
  /// - Source: `scaling_override_set.sql`.
  package func overrideScaling(
    workers: Int, for duration: Duration, reason: String, author: String
  ) async throws -> ScalingOverrideRecord {
    try ScalingOverrideRecord(
      row: try await database.query(
        Statement.scalingOverrideSet,
        [.int(Int64(workers)), .double(duration.inSeconds), .text(storable(reason, maximum: 1000)), .text(author)]
      ).only)
  }

  /// Ends it. Returns what it was; nil: none was set.
  ///
  /// - Source: `scaling_override_end.sql`.
  package func endScalingOverride(by author: String) async throws -> ScalingOverrideRecord? {
    try await database.query(Statement.scalingOverrideEnd, [.text(author)]).first.map(ScalingOverrideRecord.init(row:))
  }

  /// The one that holds; nil: the decision does.
  ///
  /// - Source: `scaling_override_get.sql`.
  package func scalingOverride() async throws -> ScalingOverrideRecord? {
    try await database.query(Statement.scalingOverrideGet).first.map(ScalingOverrideRecord.init(row:))
  }
}

extension JobStore.ScalingOverrideRecord {
  fileprivate init(row: PostgresRow) throws {
    self.init(
      id: try row.int("override_id"), workers: Int(try row.int("workers")), reason: try row.string("reason"),
      author: try row.string("author"), createdAt: try row.string("created_at"),
      expiresAt: try row.string("expires_at"), expiresSeconds: try row.double("expires_seconds"),
      secondsLeft: try row.double("left_seconds"))
  }
}
