import JobModel
import Postgres

extension JobStore {
  /// What became of a ``RunPlan``: its run, and the run of each of its loads.
  package struct EnqueuedRun: Sendable, Equatable {
    package var runID: RunID
    package var loads: [RunID]
  }

  /// Writes a run, its jobs, their dependencies and the runs of its loads in one transaction.
  ///
  /// - Parameter now: The run's own time; nil in production: the database's clock.
  /// - Source: `run_insert.sql`, `job_insert.sql`, `edge_insert.sql`.
  package func enqueue(_ plan: RunPlan, release: Int64, now: String? = nil) async throws -> EnqueuedRun {
    precondition(!plan.jobs.isEmpty, "a run has at least one job")
    return try await database.transaction { transaction in
      let batch = try await insertRun(
        in: transaction, pipeline: plan.pipeline, kind: "batch", target: nil, parent: nil, release: release,
        pending: plan.jobs.count, now: now)
      var loads: [RunID] = []
      for load in plan.loads {
        loads.append(
          try await insertRun(
            in: transaction, pipeline: plan.pipeline, kind: "load", target: load.label, parent: batch,
            release: release, pending: 1, now: now))
      }
      let jobs = plan.jobs + plan.loads
      let runs = plan.jobs.map { _ in batch } + loads
      try await insert(jobs, of: runs, plan: plan, in: transaction, now: now)
      return EnqueuedRun(runID: batch, loads: loads)
    }
  }

  private func insertRun(
    in session: PostgresTransaction, pipeline: String, kind: String, target: String?, parent: RunID?, release: Int64,
    pending: Int, now: String?
  ) async throws -> RunID {
    let rows = try await session.query(
      Statement.runInsert,
      [
        .text(pipeline), .text(kind), .optional(target), .optional(parent?.rawValue), .int(release),
        .int(Int64(pending)), .optional(now),
      ])
    return RunID(try rows.only.int("run_id"))
  }

  private func insert(
    _ jobs: [RunPlan.Job], of runs: [RunID], plan: RunPlan, in session: PostgresTransaction, now: String?
  ) async throws {
    let pipelines = jobs.map { _ in plan.pipeline }
    let urgencyClass = PostgresValue.int(Int64(plan.urgencyClass))
    let stages = jobs.map(\.stage)
    try await session.query(Statement.laneEnsure, [.texts(pipelines), .texts(stages), urgencyClass])
    let reserved = try await session.query(Statement.jobReserve, [.int(Int64(jobs.count))])
    let ids = try reserved.map { try $0.int("job_id") }
    var upstream: [Int64] = []
    var dependent: [Int64] = []
    for (index, job) in jobs.enumerated() {
      for earlier in job.after {
        upstream.append(ids[earlier])
        dependent.append(ids[index])
      }
    }
    if !upstream.isEmpty {
      try await session.query(Statement.edgeInsert, [.ints(upstream), .ints(dependent)])
    }
    let written = try await session.query(
      Statement.jobInsert,
      [
        .ints(ids), .ints(runs.map(\.rawValue)), .texts(pipelines), .texts(stages), .texts(jobs.map(\.kind)),
        .texts(jobs.map(\.label)), .texts(jobs.map(\.payload)), .ints(jobs.map { Int64($0.maximumAttempts) }),
        .ints(jobs.map { Int64($0.after.count) }), .optional(now), urgencyClass,
      ])
    let count = try written.only.int("jobs")
    precondition(count == Int64(jobs.count), "every job of the plan must find its lane")
  }

  /// Takes up the dead jobs of a run again. Returns how many there were.
  package func retry(run: RunID) async throws -> Int {
    try await database.query(Statement.jobRetry, [.int(run.rawValue), .null]).count
  }

  /// Takes up one dead job again. Returns whether it was dead.
  package func retry(job: JobID) async throws -> Bool {
    try await database.query(Statement.jobRetry, [.null, .int(job.rawValue)]).count == 1
  }
}

extension PostgresResult {
  /// The one row of a statement that returns exactly one.
  package var only: PostgresRow {
    precondition(count == 1, "the statement returns exactly one row")
    return first!  // The precondition above holds.
  }
}
