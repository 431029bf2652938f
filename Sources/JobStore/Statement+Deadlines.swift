import Postgres

/// The statements of deadlines and of what runs are expected to take.
extension Statement {
  static let forecastWrite = SQLStatement("forecast_write", PackageResources.forecast_write_sql)
  static let lateWarningList = SQLStatement("late_warning_list", PackageResources.late_warning_list_sql)
  static let lateWarningWrite = SQLStatement("late_warning_write", PackageResources.late_warning_write_sql)
  static let runDeadline = SQLStatement("run_deadline", PackageResources.run_deadline_sql)
  static let runHistory = SQLStatement("run_history", PackageResources.run_history_sql)
  static let runOpen = SQLStatement("run_open", PackageResources.run_open_sql)
  static let runOpenJobs = SQLStatement("run_open_jobs", PackageResources.run_open_jobs_sql)

  static let deadlines = [
    forecastWrite, lateWarningList, lateWarningWrite, runDeadline, runHistory, runOpen, runOpenJobs,
  ]
}
