import JobModel
import Postgres

extension Catalog {
  /// A stream's cursor; nil before the first run that had one.
  package func cursor(of stream: StreamID) async throws -> String? {
    try await database.query(Statement.cursorCurrent, stream.values).first.map { try $0.string("value") }
  }

  /// The latest values that a stream's cursor had, newest first, up to ``cursorHistoryLength`` of them.
  ///
  /// - Source: `cursor_history.sql`.
  package func cursorHistory(of stream: StreamID) async throws -> [String] {
    try await database.query(Statement.cursorHistory, stream.values + [.int(Self.cursorHistoryLength)])
      .map { try $0.string("value") }
  }

  /// A cursor that jumped ahead seldom moves after that, so few values have to be looked at.
  private static let cursorHistoryLength: Int64 = 100

  /// Advances a stream's cursor, in the transaction that completes its ingest. History is kept; the caller has made sure
  /// that the value is not lower than the one before, in the cursor's type.
  ///
  /// - Precondition: The value is not empty: an empty read never replaces a cursor.
  package func advanceCursor(
    of stream: StreamID, to value: String, run: RunID, in session: some PostgresSession
  ) async throws {
    precondition(!value.isEmpty, "an empty read never replaces a cursor")
    try await session.query(Statement.cursorAdvance, stream.values + [.text(value), .int(run.rawValue)])
  }

  /// The fields that a stream has ever had, in the order in which they were first seen.
  package func knownFields(of stream: StreamID) async throws -> [KnownField] {
    try await database.query(Statement.streamFields, stream.values).map {
      KnownField(
        name: try $0.string("field"), firstRun: RunID(try $0.int("first_run")), lastRun: RunID(try $0.int("last_run")))
    }
  }

  /// Notes the fields that a run's records had.
  package func noteFields(
    _ fields: [String], of stream: StreamID, run: RunID, in session: some PostgresSession
  ) async throws {
    guard !fields.isEmpty else { return }
    try await session.query(Statement.streamFieldRecord, stream.values + [.texts(fields), .int(run.rawValue)])
  }
}

/// A field of a stream, and when it was there.
package struct KnownField: Sendable, Equatable {
  package var name: String
  package var firstRun: RunID
  package var lastRun: RunID
}
