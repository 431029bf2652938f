import JobStore
import Postgres

/// The statements under `sql/`, each by its file's name. `peerDrain` and `peerInsert` are scripts of pgbench.
enum Statement {
  static let crashAgain = SQLStatement("crash_again", PackageResources.crash_again_sql)
  static let crashFinish = SQLStatement("crash_finish", PackageResources.crash_finish_sql)
  static let crashFinished = SQLStatement("crash_finished", PackageResources.crash_finished_sql)
  static let crashLatest = SQLStatement("crash_latest", PackageResources.crash_latest_sql)
  static let crashNow = SQLStatement("crash_now", PackageResources.crash_now_sql)
  static let crashSchema = SQLStatement("crash_schema", PackageResources.crash_schema_sql)
  static let crashStart = SQLStatement("crash_start", PackageResources.crash_start_sql)
  static let curateLatest = SQLStatement("curate_latest", PackageResources.curate_latest_sql)
  static let handoverFill = SQLStatement("handover_fill", PackageResources.handover_fill_sql)
  static let handoverFirst = SQLStatement("handover_first", PackageResources.handover_first_sql)
  static let handoverPauses = SQLStatement("handover_pauses", PackageResources.handover_pauses_sql)
  static let handoverRepeated = SQLStatement("handover_repeated", PackageResources.handover_repeated_sql)
  static let handoverRunning = SQLStatement("handover_running", PackageResources.handover_running_sql)
  static let environmentOpenRuns = SQLStatement(
    "environment_open_runs", PackageResources.environment_open_runs_sql)
  static let environmentSessions = SQLStatement(
    "environment_sessions", PackageResources.environment_sessions_sql)
  static let environmentTemplates = SQLStatement(
    "environment_templates", PackageResources.environment_templates_sql)
  static let handoverStops = SQLStatement("handover_stops", PackageResources.handover_stops_sql)
  static let ingestLatest = SQLStatement("ingest_latest", PackageResources.ingest_latest_sql)
  static let queueFillDone = SQLStatement("queue_fill_done", PackageResources.queue_fill_done_sql)
  static let queueFillReady = SQLStatement("queue_fill_ready", PackageResources.queue_fill_ready_sql)
  static let queueLiveWorkers = SQLStatement("queue_live_workers", PackageResources.queue_live_workers_sql)
  static let queueReadyCount = SQLStatement("queue_ready_count", PackageResources.queue_ready_count_sql)
  static let queueOutcomes = SQLStatement("queue_outcomes", PackageResources.queue_outcomes_sql)
  static let queueSizes = SQLStatement("queue_sizes", PackageResources.queue_sizes_sql)
  static let scaleClaim = SQLStatement("scale_claim", PackageResources.scale_claim_sql)
  static let scaleFill = SQLStatement("scale_fill", PackageResources.scale_fill_sql)
  static let scaleSessions = SQLStatement("scale_sessions", PackageResources.scale_sessions_sql)
  static let scaleWorkers = SQLStatement("scale_workers", PackageResources.scale_workers_sql)
  static let serverEffort = SQLStatement("server_effort", PackageResources.server_effort_sql)
  static let serverSettings = SQLStatement("server_settings", PackageResources.server_settings_sql)

  static let peerClaimOne = SQLStatement("peer_claim_one", PackageResources.peer_claim_one_sql)
  static let peerFill = SQLStatement("peer_fill", PackageResources.peer_fill_sql)
  static let peerDrain = SQLStatement("peer_drain", PackageResources.peer_drain_sql)
  static let peerInsert = SQLStatement("peer_insert", PackageResources.peer_insert_sql)
  static let peerInsertOne = SQLStatement("peer_insert_one", PackageResources.peer_insert_one_sql)
  static let peerSchema = SQLStatement("peer_schema", PackageResources.peer_schema_sql)

  /// Those that prepare against the migrated schema.
  static let all = [
    curateLatest, environmentOpenRuns, environmentSessions, environmentTemplates, handoverFill, handoverFirst,
    handoverPauses, handoverRepeated, handoverRunning,
    handoverStops,
    ingestLatest,
    queueFillDone,
    queueFillReady, queueLiveWorkers, queueReadyCount, queueOutcomes, queueSizes, scaleClaim, scaleFill,
    scaleSessions, scaleWorkers, serverEffort,
    serverSettings,
  ]
  /// Those that prepare against the schemas `peer` and `bench`; the scripts of pgbench are none of them.
  static let peerAndCrash = [
    crashAgain, crashFinish, crashFinished, crashLatest, crashNow, crashStart, peerClaimOne, peerFill, peerInsertOne,
  ]
}
