import Postgres

/// The statements of scaling.
extension Statement {
  static let scalingArrivals = SQLStatement("scaling_arrivals", PackageResources.scaling_arrivals_sql)
  static let scalingChart = SQLStatement("scaling_chart", PackageResources.scaling_chart_sql)
  static let scalingDecide = SQLStatement("scaling_decide", PackageResources.scaling_decide_sql)
  static let scalingExpire = SQLStatement("scaling_expire", PackageResources.scaling_expire_sql)
  static let scalingFinished = SQLStatement("scaling_finished", PackageResources.scaling_finished_sql)
  static let scalingFinishes = SQLStatement("scaling_finishes", PackageResources.scaling_finishes_sql)
  static let scalingHolder = SQLStatement("scaling_holder", PackageResources.scaling_holder_sql)
  static let scalingLanes = SQLStatement("scaling_lanes", PackageResources.scaling_lanes_sql)
  static let scalingLast = SQLStatement("scaling_last", PackageResources.scaling_last_sql)
  static let scalingLead = SQLStatement("scaling_lead", PackageResources.scaling_lead_sql)
  static let scalingLeave = SQLStatement("scaling_leave", PackageResources.scaling_leave_sql)
  static let scalingMissed = SQLStatement("scaling_missed", PackageResources.scaling_missed_sql)
  static let scalingMoment = SQLStatement("scaling_moment", PackageResources.scaling_moment_sql)
  static let scalingOverrideEnd = SQLStatement("scaling_override_end", PackageResources.scaling_override_end_sql)
  static let scalingOverrideGet = SQLStatement("scaling_override_get", PackageResources.scaling_override_get_sql)
  static let scalingOverrideSet = SQLStatement("scaling_override_set", PackageResources.scaling_override_set_sql)
  static let scalingPredictions = SQLStatement("scaling_predictions", PackageResources.scaling_predictions_sql)
  static let scalingRecent = SQLStatement("scaling_recent", PackageResources.scaling_recent_sql)
  static let scalingRunning = SQLStatement("scaling_running", PackageResources.scaling_running_sql)
  static let scalingSettle = SQLStatement("scaling_settle", PackageResources.scaling_settle_sql)
  static let scalingSpend = SQLStatement("scaling_spend", PackageResources.scaling_spend_sql)

  static let scaling = [
    scalingArrivals, scalingChart, scalingDecide, scalingExpire, scalingFinished, scalingFinishes, scalingHolder,
    scalingLanes,
    scalingLast,
    scalingLead, scalingLeave, scalingMissed, scalingMoment, scalingOverrideEnd, scalingOverrideGet, scalingOverrideSet,
    scalingPredictions, scalingRecent, scalingRunning, scalingSettle, scalingSpend,
  ]
}
