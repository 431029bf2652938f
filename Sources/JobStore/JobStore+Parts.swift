import JobModel
import Postgres

/// A part of a job's work, for a job of its own.
package struct JobPart: Sendable, Equatable {
  /// What the new job begins from: the state of a checkpoint.
  package var state: String
  /// What a person calls the new job.
  package var label: String

  package init(state: String, label: String) {
    self.state = state
    self.label = label
  }
}

extension JobStore {
  /// At most so many jobs do the work of one.
  package static let maximumParts = 16

  /// Gives parts of a job's work to new jobs of its run, in the transaction of the checkpoint that leaves them out.
  ///
  /// The new jobs have the kind, payload, lane and limits of the job, and each a checkpoint to begin from. What waits for the job waits
  /// for them too.
  ///
  /// - Parameter run: The job's: a retry of it waits until the transaction ends.
  /// - Returns: The lane where they are ready.
  /// - Throws: ``LeaseLost``; ``JobYield`` where the job is to be cancelled. Nothing is written then.
  /// - Source: `run_lock_shared.sql`, `job_split.sql`.
  package func split(
    _ holder: LeaseHolder, of run: RunID, format: CheckpointFormat, into parts: [JobPart],
    in session: some PostgresSession, now: String? = nil
  ) async throws -> Int64 {
    precondition((1..<Self.maximumParts).contains(parts.count), "a job splits into \(Self.maximumParts) at most")
    let results = try await session.pipeline([
      (Statement.runLockShared, [.ints([run.rawValue])]),
      (
        Statement.jobSplit,
        [
          .int(holder.jobID.rawValue), .int(holder.epoch), .text(format.description), .texts(parts.map(\.state)),
          .texts(parts.map { Self.boundedLabel($0.label) }), .optional(now),
        ]
      ),
    ])
    guard let row = results[1].first else { throw LeaseLost(holder) }
    if try row.bool("cancelled") { throw JobYield() }
    return try row.int("lane_id")
  }

  /// How many jobs do the work of one, that one included.
  package struct JobParts: Sendable, Equatable {
    package var jobs: Int
    /// Not done.
    package var open: Int
  }

  /// The jobs that a job's work was split into. In the transaction that ends one of them, after its end: exactly one of them finds that none
  /// is open.
  ///
  /// - Source: `job_parts.sql`.
  package func parts(of job: JobID, in session: some PostgresSession) async throws -> JobParts {
    let row = try await session.query(Statement.jobParts, [.int(job.rawValue)]).only
    return JobParts(jobs: Int(try row.int("jobs")), open: Int(try row.int("open")))
  }

  /// One of the jobs that do the work of one, with the checkpoint that it has left.
  package struct MarkedPart: Sendable, Equatable {
    package var job: JobID
    package var isDone: Bool
    /// nil: it has no checkpoint, or one of no known form.
    package var mark: JobMark?
  }

  /// The jobs that a job's work was split into, in the order of their numbers, that one included. What one that is done has left stays.
  ///
  /// - Source: `job_part_marks.sql`.
  package func markedParts(of job: JobID) async throws -> [MarkedPart] {
    try await database.query(Statement.jobPartMarks, [.int(job.rawValue)]).map { row in
      let format = try row.optionalString("mark_format").flatMap { CheckpointFormat($0) }
      let state = try row.optionalString("mark_state")
      return MarkedPart(
        job: JobID(try row.int("job_id")), isDone: try row.bool("is_done"),
        mark: format.flatMap { format in state.map { JobMark(format: format, state: $0) } })
    }
  }
}
