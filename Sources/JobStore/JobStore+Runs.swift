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
  /// - Parameters:
  ///   - release: Whose definition the run keeps.
  ///   - now: The run's own time; nil in production: the database's clock.
  /// - Source: `run_insert.sql`, `job_insert.sql`, `edge_insert.sql`.
  package func enqueue(_ plan: RunPlan, release: Int64, now: String? = nil) async throws -> EnqueuedRun {
    try await database.transaction { try await enqueue(plan, with: .implicit(release), in: $0, now: now) }
  }

  /// As ``enqueue(_:release:now:)``, in the caller's transaction; workers are told after the commit.
  ///
  /// - Parameter scheduledAt: The time of its schedule that the run is for; nil: it is for its start.
  /// - Throws: ``ReleaseMoved`` where the release takes no new runs any more: a transaction that assigns again is to be tried.
  ///   ``ScheduleRefused`` where the database does not know the time zone of the deadline.
  package func enqueue(
    _ plan: RunPlan, with assignment: RunAssignment, in transaction: PostgresTransaction, now: String? = nil,
    scheduledAt: String? = nil
  ) async throws -> EnqueuedRun {
    try await hold(assignment, in: transaction)
    if plan.jobs.isEmpty { return try await enqueueLoad(plan, with: assignment, in: transaction, now: now) }
    let batch = try await insertRun(
      in: transaction, pipeline: plan.pipeline, kind: "batch", target: nil, parent: nil, with: assignment,
      number: assignment.run, pending: plan.jobs.count, now: now)
    var loads: [RunID] = []
    for load in plan.loads {
      loads.append(
        try await insertRun(
          in: transaction, pipeline: plan.pipeline, kind: "load", target: load.label, parent: batch,
          with: assignment, number: nil, pending: 1, now: now))
    }
    let jobs = plan.jobs + plan.loads
    let runs = plan.jobs.map { _ in batch } + loads
    let lanes = try await insert(jobs, of: runs, plan: plan, lanes: assignment.lanes, in: transaction, now: now)
    if let deadline = plan.deadline {
      try await setDeadline(
        deadline, of: [batch] + loads, pipeline: plan.pipeline, after: scheduledAt ?? now, in: transaction)
    }
    ring(lanes, after: transaction)
    return EnqueuedRun(runID: batch, loads: loads)
  }

  /// Notes a run that is done and has no jobs, so that data that came otherwise has one.
  ///
  /// - Source: `run_record.sql`.
  package func recordRun(of pipeline: String, release: Int64, in session: some PostgresSession) async throws -> RunID {
    RunID(try await session.query(Statement.runRecord, [.text(pipeline), .int(release)]).only.int("run_id"))
  }

  /// A load without a batch, whose snapshots are there already.
  private func enqueueLoad(
    _ plan: RunPlan, with assignment: RunAssignment, in transaction: PostgresTransaction, now: String?
  ) async throws -> EnqueuedRun {
    precondition(plan.loads.count == 1, "a run without a batch is one load")
    let run = try await insertRun(
      in: transaction, pipeline: plan.pipeline, kind: "load", target: plan.loads[0].label, parent: nil,
      with: assignment, number: assignment.run, pending: 1, now: now)
    let lanes = try await insert(
      plan.loads, of: [run], plan: plan, lanes: assignment.lanes, in: transaction, now: now)
    ring(lanes, after: transaction)
    return EnqueuedRun(runID: run, loads: [])
  }

  private func insertRun(
    in session: PostgresTransaction, pipeline: String, kind: String, target: String?, parent: RunID?,
    with assignment: RunAssignment, number: RunID?, pending: Int, now: String?
  ) async throws -> RunID {
    let rows = try await session.query(
      Statement.runInsert,
      [
        .text(pipeline), .text(kind), .optional(target), .optional(parent?.rawValue),
        .int(assignment.release), .int(Int64(pending)), .optional(now), .optional(number?.rawValue),
      ])
    return RunID(try rows.only.int("run_id"))
  }

  private func insert(
    _ jobs: [RunPlan.Job], of runs: [RunID], plan: RunPlan, lanes: Int64, in session: PostgresTransaction, now: String?
  ) async throws -> Set<Int64> {
    let pipelines = jobs.map { _ in plan.pipeline }
    let urgencyClass = PostgresValue.int(Int64(plan.urgencyClass))
    let stages = jobs.map(\.stage)
    try await session.query(
      Statement.laneEnsure,
      [.texts(pipelines), .texts(stages), urgencyClass, .double(plan.weight), .int(lanes), .bool(plan.handsOver)])
    try await limit(pipeline: plan.pipeline, to: plan.concurrency, in: session)
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
        .texts(jobs.map { Self.boundedLabel($0.label) }), .texts(jobs.map(\.payload)),
        .ints(jobs.map { Int64($0.maximumAttempts) }),
        .ints(jobs.map { Int64($0.after.count) }), .optional(now), urgencyClass,
        .int(lanes),
      ])
    precondition(written.count == jobs.count, "every job of the plan must find its lane")
    return Set(try written.filter { try $0.int("waits") == 0 }.map { try $0.int("lane_id") })
  }

  /// A label is of a stream or a dataset, whose names nothing bounds; the schema does.
  static func boundedLabel(_ label: String) -> String {
    String(String.UnicodeScalarView(label.unicodeScalars.prefix(200)))
  }

  /// Takes up the dead and cancelled jobs of a run again, and lets those go on that were asked to stop and have not yet.
  /// Returns how many there were of both.
  ///
  /// - Source: `claim_lock.sql`, `release_reopen.sql`, `run_lock.sql`, `lease_uncancel.sql`, `run_row_lock.sql`, `job_retry.sql`.
  package func retry(run: RunID, now: String? = nil) async throws -> Int {
    try await retry(run: run, job: nil, now: now)
  }

  /// Takes up one dead or cancelled job again. Returns whether it was one, and its unique key free.
  public func retry(job: JobID, now: String? = nil) async throws -> Bool {
    try await retry(run: nil, job: job, now: now) == 1
  }

  private func retry(run: RunID?, job: JobID?, now: String?) async throws -> Int {
    let what: [PostgresValue] = [.optional(run?.rawValue), .optional(job?.rawValue)]
    let results = try await database.pipeline([
      ("begin", []), (Statement.claimLock, []), (Statement.releaseReopen, what), (Statement.runLock, what),
      (Statement.leaseUncancel, [.optional(job == nil ? run?.rawValue : nil)]), (Statement.runRowLock, what),
      (Statement.jobRetry, what + [.optional(now)]), ("commit", []),
    ])
    let (withdrawn, risen) = (results[4], results[6])
    bell?.ring(Set(try risen.map { try $0.int("lane_id") }))
    if let refused = results[2].first, withdrawn.isEmpty, risen.isEmpty {
      let release = try refused.string("release")
      let format = try refused.optionalString("format")
      throw StageFailure(
        code: format == nil ? "release_rejected" : "checkpoint_format",
        message: format.map { "the engine of release \(release) does not read the checkpoint \($0) of what is dead" }
          ?? "what is dead began with release \(release), which was rejected or removed",
        hint: format.map { "deploy an engine that reads \($0), or start a new run: sluice run PIPELINE" }
          ?? "start a new run, which takes what was ingested: sluice run PIPELINE")
    }
    return withdrawn.count + risen.count
  }

  /// What a cancellation met.
  public struct Cancellation: Sendable, Equatable {
    /// Jobs that ended at once.
    public var ended: Set<JobID> = []
    /// Jobs that run, and are asked to stop: within a second, where their worker lives.
    public var stopping: Set<JobID> = []

    package init() {}
  }

  /// Cancels what is not done of a run and its loads. Nothing of it where all has ended.
  package func cancel(run: RunID) async throws -> Cancellation { try await cancel(run: run, job: nil) }

  /// Cancels one job that has no run.
  public func cancel(job: JobID) async throws -> Cancellation { try await cancel(run: nil, job: job) }

  private func cancel(run: RunID?, job: JobID?) async throws -> Cancellation {
    // Nobody claims while this waits for a job's last transaction, which may take minutes: it lets the others go between.
    while true {
      do { return try await tryToCancel(run: run, job: job) } catch let error as PostgresError
        where error.sqlState == "55P03"
      { try await ContinuousClock().sleep(for: .milliseconds(200)) }
    }
  }

  /// - Throws: `PostgresError` 55P03 where it would have to wait.
  /// - Source: `claim_lock_exclusive.sql`, `job_cancel.sql`.
  private func tryToCancel(run: RunID?, job: JobID?) async throws -> Cancellation {
    try await database.transaction { transaction in
      var cancellation = Cancellation()
      try await transaction.execute("set local lock_timeout = '300ms'")
      try await transaction.query(Statement.claimLockExclusive, [])
      // A pass that meets a job on its way to another place sees it in neither. While nothing is claimed a job makes two
      // such ways at most: to later, or out of blocked, and then to ready.
      var emptyPasses = 0
      while emptyPasses < 3 {
        let met = try await transaction.query(
          Statement.jobCancel, [.optional(run?.rawValue), .optional(job?.rawValue), .null])
        for row in met {
          let job = JobID(try row.int("job_id"))
          if try row.bool("is_running") { cancellation.stopping.insert(job) } else { cancellation.ended.insert(job) }
        }
        emptyPasses = met.isEmpty ? emptyPasses + 1 : 0
      }
      return cancellation
    }
  }
}

extension PostgresResult {
  /// The one row of a statement that returns exactly one.
  package var only: PostgresRow {
    precondition(count == 1, "the statement returns exactly one row")
    return first!  // The precondition above holds.
  }
}
