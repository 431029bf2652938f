/// What the definition and the launcher allow: `scaling: {min, max, memory, worker: {slots, memory}, budget}`.
package struct ScalingLimits: Sendable, Equatable {
  package var minWorkers: Int = 0
  package var maxWorkers: Int = 8
  /// All workers and their jobs together. Nil: no limit.
  package var memoryBytes: Double?
  package var slotsPerWorker: Int = 1
  /// What a worker needs for itself, without its jobs.
  package var workerBytes: Double = 0
  /// Worker-hours that a month may cost, and what it has cost so far. Nil: no limit.
  package var budgetHours: Double?
  package var usedHours: Double = 0
  /// How long until the budget begins again.
  package var budgetRenewsInSeconds: Double = 30 * 86400

  package init(minWorkers: Int = 0, maxWorkers: Int = 8, memoryBytes: Double? = nil, slotsPerWorker: Int = 1) {
    self.minWorkers = minWorkers
    self.maxWorkers = maxWorkers
    self.memoryBytes = memoryBytes
    self.slotsPerWorker = slotsPerWorker
  }
}

/// `scale N --for 2h --reason "…"`.
package struct ScalingOverride: Sendable, Equatable {
  package var workers: Int
  /// Absolute.
  package var expires: Double
  package var reason: String
  package init(workers: Int, expires: Double, reason: String) {
    self.workers = workers
    self.expires = expires
    self.reason = reason
  }
}
