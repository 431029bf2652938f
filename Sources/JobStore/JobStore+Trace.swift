import Postgres

extension JobStore {
  /// What a job that is done took, as a trace of work has it.
  package struct DoneJob: Sendable, Equatable {
    package var kind: String
    /// When it could run first, in seconds after the beginning of the time that is looked at.
    package var at: Double
    /// Of its attempts, without those whose work was lost.
    package var seconds: Double
    /// The most that an attempt was seen to need, in bytes; nil where no attempt was measured.
    package var memory: Double?
  }

  /// The jobs that were enqueued in the last `seconds` and are done, in the order in which they could run.
  ///
  /// - Source: `trace_jobs.sql`.
  package func doneJobs(ofLast seconds: Double, limit: Int) async throws -> [DoneJob] {
    try await database.query(Statement.traceJobs, [.double(seconds), .int(Int64(limit))]).map { row in
      DoneJob(
        kind: try row.string("kind"), at: try row.double("at"), seconds: try row.double("seconds"),
        memory: try row.optionalDouble("memory"))
    }
  }
}
