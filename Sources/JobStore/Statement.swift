import Postgres

/// The statements under `sql/`, each by its file's name.
enum Statement {
  static let beatExpire = SQLStatement("beat_expire", PackageResources.beat_expire_sql).prepared
  static let beatRevoke = SQLStatement("beat_revoke", PackageResources.beat_revoke_sql)
  static let beatSuspects = SQLStatement("beat_suspects", PackageResources.beat_suspects_sql).prepared
  static let bellNotify = SQLStatement("bell_notify", PackageResources.bell_notify_sql).prepared
  static let claimLock = SQLStatement("claim_lock", PackageResources.claim_lock_sql).prepared
  static let claimLockExclusive = SQLStatement("claim_lock_exclusive", PackageResources.claim_lock_exclusive_sql)
  static let commitDurably = SQLStatement("commit_durably", PackageResources.commit_durably_sql)
  static let deadExpired = SQLStatement("dead_expired", PackageResources.dead_expired_sql)
  static let deadForget = SQLStatement("dead_forget", PackageResources.dead_forget_sql)
  static let edgeInsert = SQLStatement("edge_insert", PackageResources.edge_insert_sql)
  static let eventInsert = SQLStatement("event_insert", PackageResources.event_insert_sql)
  static let eventList = SQLStatement("event_list", PackageResources.event_list_sql)
  static let jobCancel = SQLStatement("job_cancel", PackageResources.job_cancel_sql)
  static let jobCheckpoint = SQLStatement("job_checkpoint", PackageResources.job_checkpoint_sql)
  static let jobComplete = SQLStatement("job_complete", PackageResources.job_complete_sql)
  static let jobEndAttempt = SQLStatement("job_end_attempt", PackageResources.job_end_attempt_sql)
  static let jobEnqueue = SQLStatement("job_enqueue", PackageResources.job_enqueue_sql).prepared
  static let jobEnqueueUnique = SQLStatement("job_enqueue_unique", PackageResources.job_enqueue_unique_sql)
  static let jobExpire = SQLStatement("job_expire", PackageResources.job_expire_sql)
  static let jobFinish = SQLStatement("job_finish", PackageResources.job_finish_sql).prepared
  static let jobInsert = SQLStatement("job_insert", PackageResources.job_insert_sql)
  static let jobList = SQLStatement("job_list", PackageResources.job_list_sql)
  static let jobLives = SQLStatement("job_lives", PackageResources.job_lives_sql)
  static let jobLogList = SQLStatement("job_log_list", PackageResources.job_log_list_sql)
  static let jobLogWrite = SQLStatement("job_log_write", PackageResources.job_log_write_sql)
  static let jobPartMarks = SQLStatement("job_part_marks", PackageResources.job_part_marks_sql)
  static let jobParts = SQLStatement("job_parts", PackageResources.job_parts_sql)
  static let jobPromoteDue = SQLStatement("job_promote_due", PackageResources.job_promote_due_sql).prepared
  static let jobReserve = SQLStatement("job_reserve", PackageResources.job_reserve_sql)
  static let jobRetry = SQLStatement("job_retry", PackageResources.job_retry_sql)
  static let jobSetAside = SQLStatement("job_set_aside", PackageResources.job_set_aside_sql)
  static let jobSplit = SQLStatement("job_split", PackageResources.job_split_sql)
  static let jobUnblock = SQLStatement("job_unblock", PackageResources.job_unblock_sql)
  static let laneEnsure = SQLStatement("lane_ensure", PackageResources.lane_ensure_sql)
  static let laneFind = SQLStatement("lane_find", PackageResources.lane_find_sql).prepared
  static let laneSurvey = SQLStatement("lane_survey", PackageResources.lane_survey_sql).prepared
  static let leaseHeld = SQLStatement("lease_held", PackageResources.lease_held_sql)
  static let leaseLock = SQLStatement("lease_lock", PackageResources.lease_lock_sql)
  static let leaseOfWorker = SQLStatement("lease_of_worker", PackageResources.lease_of_worker_sql).prepared
  static let leaseReap = SQLStatement("lease_reap", PackageResources.lease_reap_sql).prepared
  static let leaseUncancel = SQLStatement("lease_uncancel", PackageResources.lease_uncancel_sql)
  static let liveKeyList = SQLStatement("live_key_list", PackageResources.live_key_list_sql)
  static let maintenanceLead = SQLStatement("maintenance_lead", PackageResources.maintenance_lead_sql).prepared
  static let markOutlived = SQLStatement("mark_outlived", PackageResources.mark_outlived_sql)
  static let markTime = SQLStatement("mark_time", PackageResources.mark_time_sql)
  static let outboxInsert = SQLStatement("outbox_insert", PackageResources.outbox_insert_sql)
  static let outboxList = SQLStatement("outbox_list", PackageResources.outbox_list_sql)
  static let outboxSettle = SQLStatement("outbox_settle", PackageResources.outbox_settle_sql)
  static let outboxSpread = SQLStatement("outbox_spread", PackageResources.outbox_spread_sql)
  static let outboxTake = SQLStatement("outbox_take", PackageResources.outbox_take_sql)
  static let outcomeDays = SQLStatement("outcome_days", PackageResources.outcome_days_sql)
  static let outcomeDone = SQLStatement("outcome_done", PackageResources.outcome_done_sql)
  static let outcomeList = SQLStatement("outcome_list", PackageResources.outcome_list_sql)
  static let outcomePartitions = SQLStatement("outcome_partitions", PackageResources.outcome_partitions_sql)
  static let permitLimitSet = SQLStatement("permit_limit_set", PackageResources.permit_limit_set_sql)
  static let permitLock = SQLStatement("permit_lock", PackageResources.permit_lock_sql).prepared
  static let permitPass = SQLStatement("permit_pass", PackageResources.permit_pass_sql).prepared
  static let permitShort = SQLStatement("permit_short", PackageResources.permit_short_sql).prepared
  static let permitTake = SQLStatement("permit_take", PackageResources.permit_take_sql).prepared
  static let permitWaiting = SQLStatement("permit_waiting", PackageResources.permit_waiting_sql)
  static let pipelineLimit = SQLStatement("pipeline_limit", PackageResources.pipeline_limit_sql)
  static let progressWrite = SQLStatement("progress_write", PackageResources.progress_write_sql)
  static let queueDemand = SQLStatement("queue_demand", PackageResources.queue_demand_sql)
  static let rateReserve = SQLStatement("rate_reserve", PackageResources.rate_reserve_sql).prepared
  static let readyLock = SQLStatement("ready_lock", PackageResources.ready_lock_sql)
  static let releaseFileInsert = SQLStatement("release_file_insert", PackageResources.release_file_insert_sql)
  static let releaseFiles = SQLStatement("release_files", PackageResources.release_files_sql)
  static let releaseRegister = SQLStatement("release_register", PackageResources.release_register_sql)
  static let runInsert = SQLStatement("run_insert", PackageResources.run_insert_sql)
  static let runList = SQLStatement("run_list", PackageResources.run_list_sql)
  static let runLock = SQLStatement("run_lock", PackageResources.run_lock_sql)
  static let runRecord = SQLStatement("run_record", PackageResources.run_record_sql)
  static let runBusy = SQLStatement("run_busy", PackageResources.run_busy_sql)
  static let runPromoted = SQLStatement("run_promoted", PackageResources.run_promoted_sql)
  static let runRowLock = SQLStatement("run_row_lock", PackageResources.run_row_lock_sql)
  static let runLockShared = SQLStatement("run_lock_shared", PackageResources.run_lock_shared_sql)
  static let serverCrashed = SQLStatement("server_crashed", PackageResources.server_crashed_sql)
  static let snapshotOld = SQLStatement("snapshot_old", PackageResources.snapshot_old_sql)
  static let stageList = SQLStatement("stage_list", PackageResources.stage_list_sql)
  static let ticketRaise = SQLStatement("ticket_raise", PackageResources.ticket_raise_sql)
  static let traceJobs = SQLStatement("trace_jobs", PackageResources.trace_jobs_sql)
  static let waitList = SQLStatement("wait_list", PackageResources.wait_list_sql)
  static let workerBeat = SQLStatement("worker_beat", PackageResources.worker_beat_sql).prepared
  static let workerLaunched = SQLStatement("worker_launched", PackageResources.worker_launched_sql)
  static let workerLeave = SQLStatement("worker_leave", PackageResources.worker_leave_sql)
  static let workerList = SQLStatement("worker_list", PackageResources.worker_list_sql)
  static let workerRegister = SQLStatement("worker_register", PackageResources.worker_register_sql)
  static let workerSessionLock = SQLStatement("worker_session_lock", PackageResources.worker_session_lock_sql)

  static let clockRecover = SQLStatement("clock_recover", PackageResources.clock_recover_sql)
  static let laneExpire = SQLStatement("lane_expire", PackageResources.lane_expire_sql)
  static let laneKnown = SQLStatement("lane_known", PackageResources.lane_known_sql)
  static let outboxExpire = SQLStatement("outbox_expire", PackageResources.outbox_expire_sql)
  static let suspectForget = SQLStatement("suspect_forget", PackageResources.suspect_forget_sql)
  static let suspectWait = SQLStatement("suspect_wait", PackageResources.suspect_wait_sql)
  static let usage = SQLStatement("usage", PackageResources.usage_sql)
  static let workerExpire = SQLStatement("worker_expire", PackageResources.worker_expire_sql)

  /// The claim of so many jobs of each lane; the limit is a literal, and each a statement of its own.
  static func jobClaim(_ batch: ClaimBatch) -> SQLStatement { jobClaims[batch] ?? jobClaimOfOne }

  private static let jobClaimOfOne = SQLStatement("job_claim", PackageResources.job_claim_sql).prepared
  private static let jobClaims = Dictionary(
    uniqueKeysWithValues: ClaimBatch.allCases.map { batch in
      let one = jobClaimOfOne.text
      guard let limit = one.firstRange(of: "limit 1 --! literal") else {
        preconditionFailure("job_claim.sql marks its limit")
      }
      let text = one[..<limit.lowerBound] + "limit \(batch.rawValue)" + one[limit.upperBound...]
      return (batch, SQLStatement(name: "job_claim", text: String(text)).prepared)
    })

  static let all =
    [
      serverCrashed, snapshotOld, outcomePartitions, outcomeDays, maintenanceLead, jobExpire, deadForget, deadExpired,
      bellNotify,
      beatExpire, beatRevoke, beatSuspects, claimLock, claimLockExclusive, commitDurably, edgeInsert, eventInsert,
      eventList,
      jobCancel, jobCheckpoint, jobComplete, jobEndAttempt, jobEnqueue, jobEnqueueUnique, jobFinish, jobInsert,
      jobList, jobLives, jobLogList, jobLogWrite, jobPartMarks, jobParts, jobPromoteDue, jobReserve, jobRetry,
      jobSetAside, jobSplit,
      jobUnblock,
      laneEnsure,
      laneFind,
      laneSurvey, leaseHeld, leaseLock, leaseOfWorker, leaseReap, leaseUncancel, liveKeyList, markOutlived, markTime,
      outboxInsert,
      outboxList,
      outboxSettle, outboxSpread, outboxTake, outcomeDone, outcomeList, permitLimitSet,
      permitLock, permitPass, permitShort, permitTake, permitWaiting, pipelineLimit, progressWrite, queueDemand,
      rateReserve,
      readyLock,
      releaseFileInsert, releaseFiles, releaseRegister, runInsert, runList, runLock, runLockShared, runRecord,
      runBusy, runPromoted, runRowLock,
      stageList, ticketRaise, traceJobs,
      waitList, workerBeat, workerLaunched, workerLeave, workerList, workerRegister, workerSessionLock,
      clockRecover, laneExpire, laneKnown, outboxExpire, suspectForget, suspectWait, usage, workerExpire,
    ] + schedules + deadlines + releases + scaling + memory
    + ClaimBatch.allCases.map(jobClaim)
}

/// Every statement of the store, for the test that prepares each against the migrated schema.
package var jobStoreStatements: [SQLStatement] { Statement.all }

extension SQLStatement {
  package init(_ name: String, _ bytes: [UInt8]) {
    self.init(name: name, text: String(decoding: bytes, as: UTF8.self))
  }
}
