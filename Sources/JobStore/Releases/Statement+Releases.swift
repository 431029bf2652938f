import Postgres

/// Releases: their states, what is handed over between them, who drains.
extension Statement {
  static let auditInsert = SQLStatement("audit_insert", PackageResources.audit_insert_sql)
  static let auditLastMove = SQLStatement("audit_last_move", PackageResources.audit_last_move_sql)
  static let auditList = SQLStatement("audit_list", PackageResources.audit_list_sql)
  static let canaryAlarms = SQLStatement("canary_alarms", PackageResources.canary_alarms_sql)
  static let canaryEvidence = SQLStatement("canary_evidence", PackageResources.canary_evidence_sql)
  static let canaryHold = SQLStatement("canary_hold", PackageResources.canary_hold_sql)
  static let canaryLook = SQLStatement("canary_look", PackageResources.canary_look_sql)
  static let canaryPromise = SQLStatement("canary_promise", PackageResources.canary_promise_sql)
  static let drainAsk = SQLStatement("drain_ask", PackageResources.drain_ask_sql)
  static let engineGone = SQLStatement("engine_gone", PackageResources.engine_gone_sql)
  static let engineList = SQLStatement("engine_list", PackageResources.engine_list_sql)
  static let engineLock = SQLStatement("engine_lock", PackageResources.engine_lock_sql)
  static let engineLockExclusive = SQLStatement(
    "engine_lock_exclusive", PackageResources.engine_lock_exclusive_sql)
  static let gateLive = SQLStatement("gate_live", PackageResources.gate_live_sql)
  static let hostDrain = SQLStatement("host_drain", PackageResources.host_drain_sql)
  static let hostDrained = SQLStatement("host_drained", PackageResources.host_drained_sql)
  static let laneHandOver = SQLStatement("lane_hand_over", PackageResources.lane_hand_over_sql)
  static let leaseAsked = SQLStatement("lease_asked", PackageResources.lease_asked_sql)
  static let releaseAssign = SQLStatement("release_assign", PackageResources.release_assign_sql)
  static let releaseBusy = SQLStatement("release_busy", PackageResources.release_busy_sql)
  static let releaseFileDelete = SQLStatement("release_file_delete", PackageResources.release_file_delete_sql)
  static let releaseForget = SQLStatement("release_forget", PackageResources.release_forget_sql)
  static let releaseGet = SQLStatement("release_get", PackageResources.release_get_sql)
  static let releaseHolds = SQLStatement("release_holds", PackageResources.release_holds_sql)
  static let releaseKeep = SQLStatement("release_keep", PackageResources.release_keep_sql)
  static let releaseLives = SQLStatement("release_lives", PackageResources.release_lives_sql)
  static let releasePace = SQLStatement("release_pace", PackageResources.release_pace_sql)
  static let releaseRemove = SQLStatement("release_remove", PackageResources.release_remove_sql)
  static let releaseReopen = SQLStatement("release_reopen", PackageResources.release_reopen_sql)
  static let releaseRetire = SQLStatement("release_retire", PackageResources.release_retire_sql)
  static let releaseStage = SQLStatement("release_stage", PackageResources.release_stage_sql)
  static let releaseStart = SQLStatement("release_start", PackageResources.release_start_sql)
  static let releaseState = SQLStatement("release_state", PackageResources.release_state_sql)
  static let releaseWork = SQLStatement("release_work", PackageResources.release_work_sql)
  static let runMoved = SQLStatement("run_moved", PackageResources.run_moved_sql)
  static let runUnmoved = SQLStatement("run_unmoved", PackageResources.run_unmoved_sql)

  static let releases = [
    auditInsert, auditLastMove, auditList, canaryAlarms, canaryEvidence, canaryHold, canaryLook, canaryPromise,
    drainAsk,
    engineGone, engineList, engineLock, engineLockExclusive, gateLive, hostDrain, hostDrained, laneHandOver, leaseAsked,
    releaseAssign, releaseBusy, releaseFileDelete, releaseForget, releaseHolds, releaseRemove,
    releaseGet, releaseKeep,
    releaseLives, releasePace, releaseReopen, releaseRetire, releaseStage, releaseStart, releaseState, releaseWork,
    runMoved, runUnmoved,
  ]
}
