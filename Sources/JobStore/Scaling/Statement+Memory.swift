import Postgres

/// The statements of claims by memory.
extension Statement {
  static let memoryHost = SQLStatement("memory_host", PackageResources.memory_host_sql).prepared
  static let memoryNeeds = SQLStatement("memory_needs", PackageResources.memory_needs_sql).prepared
  static let memoryTurn = SQLStatement("memory_turn", PackageResources.memory_turn_sql).prepared
  static let memoryWaitList = SQLStatement("memory_wait_list", PackageResources.memory_wait_list_sql)
  static let scalingEstimateList = SQLStatement("scaling_estimate_list", PackageResources.scaling_estimate_list_sql)
  static let scalingEstimatePut = SQLStatement("scaling_estimate_put", PackageResources.scaling_estimate_put_sql)
  static let scalingRule = SQLStatement("scaling_rule", PackageResources.scaling_rule_sql)

  static let memory = [
    memoryHost, memoryNeeds, memoryTurn, memoryWaitList, scalingEstimateList, scalingEstimatePut, scalingRule,
  ]
}
