import JobModel
import Postgres

extension JobStore {
  /// An event that people are to be told.
  package struct OutboxEntry: Sendable, Equatable {
    package var id: Int64
    package var kind: String
    package var pipeline: String
    package var runID: Int64?
    package var releaseID: Int64?
    /// JSON.
    package var body: String
    package var channel: Int?
    package var attempt: Int
  }

  /// Writes an event for the notifier, in the transaction that causes it.
  package func tell(
    _ kind: String, pipeline: String, run: RunID?, body: String, in session: some PostgresSession
  ) async throws {
    try await session.query(
      Statement.outboxInsert, [.text(kind), .text(pipeline), .optional(run?.rawValue), .json(body)])
  }

  /// Takes up to `limit` due events; each comes back after `patience` unless it is settled.
  package func takeOutbox(limit: Int, patience: Duration) async throws -> [OutboxEntry] {
    try await database.query(Statement.outboxTake, [.int(Int64(limit)), .double(patience.inSeconds)]).map { row in
      OutboxEntry(
        id: try row.int("outbox_id"), kind: try row.string("kind"), pipeline: try row.string("pipeline"),
        runID: try row.optionalInt("run_id"), releaseID: try row.optionalInt("release_id"),
        body: try row.string("body"), channel: try row.optionalInt("channel").map { Int($0) },
        attempt: Int(try row.int("attempt")))
    }
  }

  /// Replaces an event by one for each of the rules it concerns.
  package func spreadOutbox(_ id: Int64, to channels: [Int]) async throws {
    try await database.query(Statement.outboxSpread, [.int(id), .ints(channels.map { Int64($0) })])
  }

  /// How a delivery ended.
  package enum Delivery: Sendable, Equatable {
    case delivered
    case failed(after: Duration, error: String)
    case givenUp(error: String)
  }

  package func settleOutbox(_ id: Int64, as delivery: Delivery) async throws {
    let (status, delay, error): (String, Duration, String?) =
      switch delivery {
      case .delivered: ("delivered", .zero, nil)
      case .failed(let delay, let error): ("failed", delay, error)
      case .givenUp(let error): ("given_up", .zero, error)
      }
    try await database.query(
      Statement.outboxSettle,
      [.int(id), .text(status), .double(delay.inSeconds), .optional(error.map { storable($0) })])
  }

  /// What became of a run's messages.
  package struct OutboxHistory: Sendable, Equatable {
    package var kind: String
    package var channel: Int?
    package var attempts: Int
    package var deliveredAt: String?
    package var givenUpAt: String?
    package var error: String?
  }

  package func outbox(ofRun run: RunID) async throws -> [OutboxHistory] {
    try await database.query(Statement.outboxList, [.int(run.rawValue)]).map { row in
      OutboxHistory(
        kind: try row.string("kind"), channel: try row.optionalInt("channel").map { Int($0) },
        attempts: Int(try row.int("attempt")), deliveredAt: try row.optionalString("delivered_at"),
        givenUpAt: try row.optionalString("given_up_at"), error: try row.optionalString("error"))
    }
  }

  /// Notes something that an operator would ask about, in the transaction that causes it.
  package func note(
    event kind: String, pipeline: String?, run: RunID?, job: JobID?, message: String, detail: String? = nil,
    in session: some PostgresSession
  ) async throws {
    try await session.query(
      Statement.eventInsert,
      [
        .text(kind), .optional(pipeline), .optional(run?.rawValue), .optional(job?.rawValue), .text(storable(message)),
        .optionalJSON(detail),
      ])
  }
}
