import Postgres

/// The statements under `sql/`, each by its file's name.
enum Statement {
  static let beatExpire = SQLStatement("beat_expire", PackageResources.beat_expire_sql)
  static let beatRevoke = SQLStatement("beat_revoke", PackageResources.beat_revoke_sql)
  static let beatSuspects = SQLStatement("beat_suspects", PackageResources.beat_suspects_sql)
  static let claimLock = SQLStatement("claim_lock", PackageResources.claim_lock_sql)
  static let claimLockExclusive = SQLStatement(
    "claim_lock_exclusive", PackageResources.claim_lock_exclusive_sql)
  static let edgeInsert = SQLStatement("edge_insert", PackageResources.edge_insert_sql)
  static let eventInsert = SQLStatement("event_insert", PackageResources.event_insert_sql)
  static let eventList = SQLStatement("event_list", PackageResources.event_list_sql)
  static let jobCheckpoint = SQLStatement("job_checkpoint", PackageResources.job_checkpoint_sql)
  static let jobClaim = SQLStatement("job_claim", PackageResources.job_claim_sql)
  static let jobComplete = SQLStatement("job_complete", PackageResources.job_complete_sql)
  static let jobEndAttempt = SQLStatement("job_end_attempt", PackageResources.job_end_attempt_sql)
  static let jobInsert = SQLStatement("job_insert", PackageResources.job_insert_sql)
  static let jobList = SQLStatement("job_list", PackageResources.job_list_sql)
  static let jobLogList = SQLStatement("job_log_list", PackageResources.job_log_list_sql)
  static let jobLogWrite = SQLStatement("job_log_write", PackageResources.job_log_write_sql)
  static let jobPromoteDue = SQLStatement("job_promote_due", PackageResources.job_promote_due_sql)
  static let jobReserve = SQLStatement("job_reserve", PackageResources.job_reserve_sql)
  static let jobRetry = SQLStatement("job_retry", PackageResources.job_retry_sql)
  static let jobUnblock = SQLStatement("job_unblock", PackageResources.job_unblock_sql)
  static let laneEnsure = SQLStatement("lane_ensure", PackageResources.lane_ensure_sql)
  static let leaseHeld = SQLStatement("lease_held", PackageResources.lease_held_sql)
  static let leaseOfWorker = SQLStatement("lease_of_worker", PackageResources.lease_of_worker_sql)
  static let leaseReap = SQLStatement("lease_reap", PackageResources.lease_reap_sql)
  static let outboxInsert = SQLStatement("outbox_insert", PackageResources.outbox_insert_sql)
  static let outboxList = SQLStatement("outbox_list", PackageResources.outbox_list_sql)
  static let outboxSettle = SQLStatement("outbox_settle", PackageResources.outbox_settle_sql)
  static let outboxSpread = SQLStatement("outbox_spread", PackageResources.outbox_spread_sql)
  static let outboxTake = SQLStatement("outbox_take", PackageResources.outbox_take_sql)
  static let outcomeList = SQLStatement("outcome_list", PackageResources.outcome_list_sql)
  static let permitAcquire = SQLStatement("permit_acquire", PackageResources.permit_acquire_sql)
  static let progressWrite = SQLStatement("progress_write", PackageResources.progress_write_sql)
  static let releaseFileInsert = SQLStatement("release_file_insert", PackageResources.release_file_insert_sql)
  static let releaseFiles = SQLStatement("release_files", PackageResources.release_files_sql)
  static let releaseList = SQLStatement("release_list", PackageResources.release_list_sql)
  static let releaseRegister = SQLStatement("release_register", PackageResources.release_register_sql)
  static let runInsert = SQLStatement("run_insert", PackageResources.run_insert_sql)
  static let runList = SQLStatement("run_list", PackageResources.run_list_sql)
  static let stageList = SQLStatement("stage_list", PackageResources.stage_list_sql)
  static let ticketRaise = SQLStatement("ticket_raise", PackageResources.ticket_raise_sql)
  static let workerBeat = SQLStatement("worker_beat", PackageResources.worker_beat_sql)
  static let workerLeave = SQLStatement("worker_leave", PackageResources.worker_leave_sql)
  static let workerList = SQLStatement("worker_list", PackageResources.worker_list_sql)
  static let workerRegister = SQLStatement("worker_register", PackageResources.worker_register_sql)
  static let workerSessionLock = SQLStatement("worker_session_lock", PackageResources.worker_session_lock_sql)

  static let all = [
    beatExpire, beatRevoke, beatSuspects, claimLock, claimLockExclusive, edgeInsert, eventInsert, eventList,
    jobCheckpoint, jobClaim,
    jobComplete, jobEndAttempt, jobInsert, jobList, jobLogList, jobLogWrite, jobPromoteDue, jobReserve, jobRetry,
    jobUnblock, laneEnsure, leaseHeld, leaseOfWorker, leaseReap, outboxInsert, outboxList, outboxSettle, outboxSpread,
    outboxTake,
    outcomeList,
    permitAcquire, progressWrite, releaseFileInsert, releaseFiles, releaseList, releaseRegister, runInsert, runList,
    stageList, ticketRaise, workerBeat, workerLeave, workerList, workerRegister, workerSessionLock,
  ]
}

/// Every statement of the store, for the test that prepares each against the migrated schema.
package var jobStoreStatements: [SQLStatement] { Statement.all }

extension SQLStatement {
  package init(_ name: String, _ bytes: [UInt8]) {
    self.init(name: name, text: String(decoding: bytes, as: UTF8.self))
  }
}
