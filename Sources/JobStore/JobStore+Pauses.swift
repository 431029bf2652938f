import JobModel
import Postgres

extension JobStore {
  /// Pauses a pipeline: it starts no scheduled run, and its ready jobs wait. What runs goes on to its end.
  ///
  /// - Returns: Since when, and whether it was paused before.
  /// - Source: `pause_lock.sql`, `pause_set.sql`.
  package func pause(_ pipeline: String, now: String? = nil) async throws -> (since: String, wasPaused: Bool) {
    try await database.transaction { transaction in
      try await transaction.query(Statement.pauseLock)
      let row = try await transaction.query(Statement.pauseSet, [.text(pipeline), .optional(now)]).only
      return (try row.string("since"), try row.bool("was_paused"))
    }
  }

  /// Lets a paused pipeline go on. Scheduled times that went by meanwhile are not caught up.
  ///
  /// - Returns: Since when it was paused; nil where it was not.
  /// - Source: `pause_lock.sql`, `pause_clear.sql`.
  package func resume(_ pipeline: String, now: String? = nil) async throws -> String? {
    try await database.transaction { transaction in
      try await transaction.query(Statement.pauseLock)
      let rows = try await transaction.query(Statement.pauseClear, [.text(pipeline), .optional(now)])
      return try rows.first?.string("since")
    }
  }

  /// Since when a pipeline is paused; nil where it is not.
  ///
  /// - Source: `pause_state.sql`.
  package func pausedSince(_ pipeline: String) async throws -> String? {
    try await database.query(Statement.pauseState, [.text(pipeline)]).first?.string("since")
  }

  /// Whether jobs were ever enqueued for a pipeline.
  ///
  /// - Source: `lane_known.sql`.
  package func hasLanes(_ pipeline: String) async throws -> Bool {
    try await database.query(Statement.laneKnown, [.text(pipeline)]).only.bool("is_known")
  }

  /// A schedule, or a pause of a pipeline that has none, as people see it.
  package struct ScheduleRecord: Sendable, Equatable {
    package var pipeline: String
    package var cron: String?
    package var timeZone: String?
    package var overlap: String?
    package var catchUp: String?
    package var nextAt: String?
    package var pausedSince: String?
    package var last: TickRecord?
  }

  /// What became of a scheduled time, as people see it.
  package struct TickRecord: Sendable, Equatable {
    package var at: String
    /// `started`, `waiting`, `skipped`, `missed` or `failed`.
    package var outcome: String
    package var run: RunID?
    package var reason: String?
  }

  /// Every schedule and every paused pipeline, or those of one pipeline.
  ///
  /// - Source: `schedule_list.sql`.
  package func schedules(pipeline: String? = nil) async throws -> [ScheduleRecord] {
    try await database.query(Statement.scheduleList, [.optional(pipeline)]).map { row in
      ScheduleRecord(
        pipeline: try row.string("pipeline"), cron: try row.optionalString("cron"),
        timeZone: try row.optionalString("timezone"), overlap: try row.optionalString("overlap"),
        catchUp: try row.optionalString("catch_up"), nextAt: try row.optionalString("next_at"),
        pausedSince: try row.optionalString("paused_since"),
        last: try row.optionalString("last_at").map { at in
          TickRecord(
            at: at, outcome: try row.string("last_outcome"), run: try row.optionalInt("last_run").map { RunID($0) },
            reason: try row.optionalString("last_reason"))
        })
    }
  }

  /// What became of a pipeline's scheduled times, latest first.
  ///
  /// - Source: `schedule_tick_list.sql`.
  package func ticks(of pipeline: String, limit: Int = 20) async throws -> [TickRecord] {
    try await database.query(Statement.scheduleTickList, [.text(pipeline), .int(Int64(limit))]).map { row in
      TickRecord(
        at: try row.string("scheduled_at"), outcome: try row.string("outcome"),
        run: try row.optionalInt("run_id").map { RunID($0) }, reason: try row.optionalString("reason"))
    }
  }
}
