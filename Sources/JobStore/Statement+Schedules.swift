import Postgres

/// Schedules, pauses and backfills.
extension Statement {
  static let scheduleRegister = SQLStatement("schedule_register", PackageResources.schedule_register_sql)
  static let scheduleRetain = SQLStatement("schedule_retain", PackageResources.schedule_retain_sql)
  static let scheduleDue = SQLStatement("schedule_due", PackageResources.schedule_due_sql)
  static let scheduleLead = SQLStatement("schedule_lead", PackageResources.schedule_lead_sql)
  static let scheduleTake = SQLStatement("schedule_take", PackageResources.schedule_take_sql)
  static let scheduleRecover = SQLStatement("schedule_recover", PackageResources.schedule_recover_sql)
  static let scheduleTimes = SQLStatement("schedule_times", PackageResources.schedule_times_sql)
  static let scheduleTickWrite = SQLStatement("schedule_tick_write", PackageResources.schedule_tick_write_sql)
  static let scheduleAdvance = SQLStatement("schedule_advance", PackageResources.schedule_advance_sql)
  static let scheduleRunTime = SQLStatement("schedule_run_time", PackageResources.schedule_run_time_sql)
  static let scheduleList = SQLStatement("schedule_list", PackageResources.schedule_list_sql)
  static let scheduleTickList = SQLStatement("schedule_tick_list", PackageResources.schedule_tick_list_sql)
  static let scheduleZone = SQLStatement("schedule_zone", PackageResources.schedule_zone_sql)
  static let zoneOffsets = SQLStatement("zone_offsets", PackageResources.zone_offsets_sql)
  static let scheduleLocal = SQLStatement("schedule_local", PackageResources.schedule_local_sql)
  static let pauseSet = SQLStatement("pause_set", PackageResources.pause_set_sql)
  static let pauseClear = SQLStatement("pause_clear", PackageResources.pause_clear_sql)
  static let pauseLock = SQLStatement("pause_lock", PackageResources.pause_lock_sql)
  static let pauseState = SQLStatement("pause_state", PackageResources.pause_state_sql)
  static let backfillInsert = SQLStatement("backfill_insert", PackageResources.backfill_insert_sql)
  static let backfillIds = SQLStatement("backfill_ids", PackageResources.backfill_ids_sql)
  static let backfillOfRun = SQLStatement("backfill_of_run", PackageResources.backfill_of_run_sql)

  static let schedules = [
    scheduleRecover, scheduleRegister, scheduleRetain, scheduleDue, scheduleLead, scheduleTake, scheduleTimes,
    scheduleTickWrite,
    scheduleAdvance, scheduleRunTime, scheduleList, scheduleTickList, scheduleZone, zoneOffsets,
    scheduleLocal, pauseSet, pauseClear,
    pauseLock, pauseState, backfillInsert, backfillIds, backfillOfRun,
  ]
}
