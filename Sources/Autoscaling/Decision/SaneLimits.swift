/// ``ScalingLimits`` and what belongs to them, checked.
struct SaneLimits: Sendable {
  let minWorkers: Int
  let maxWorkers: Int
  let slotsPerWorker: Int
  /// What all workers and their jobs may have, less what others use. Nil: no limit.
  let jobBytes: Double?
  let bytesPerSlot: Double
  let workerBytes: Double
  /// Workers that the database's connections allow. Nil: not known.
  let connectionWorkers: Int?
  /// Worker-hours that are left. Nil: no budget.
  let budgetLeft: Double?
  let budgetHours: Double

  /// No fleet is larger: a count beyond is a mistake of the definition.
  static let mostWorkers = 100_000

  init(_ inputs: ScalingInputs) {
    let limits = inputs.limits
    maxWorkers = min(max(limits.maxWorkers, 0), Self.mostWorkers)
    minWorkers = min(max(limits.minWorkers, 0), maxWorkers)
    slotsPerWorker = min(max(limits.slotsPerWorker, 1), 1_000)
    workerBytes = Number.within(limits.workerBytes, 0...Number.mostBytes, otherwise: 0)
    bytesPerSlot = workerBytes / Double(slotsPerWorker)
    let other = Number.within(inputs.memory.otherBytes, 0...Number.mostBytes, otherwise: 0)
    // A limit that is not a number is none: jobs would wait for ever for room that nothing can give.
    jobBytes = limits.memoryBytes.flatMap { limit in
      limit.isNaN ? nil : max(0, Number.within(limit, 0...Number.mostBytes, otherwise: 0) - other)
    }
    if let maximum = inputs.database.maximum {
      let free = max(0, min(max(0, maximum), 1 << 30) - min(max(0, inputs.database.reserve), 1 << 30))
      connectionWorkers = free / max(1, inputs.database.perWorker)
    } else {
      connectionWorkers = nil
    }
    if let hours = limits.budgetHours, !hours.isNaN {
      budgetHours = Number.within(hours, 0...1e9, otherwise: 0)
      budgetLeft = max(0, budgetHours - Number.within(limits.usedHours, 0...1e9, otherwise: 0))
    } else {
      budgetHours = 0
      budgetLeft = nil
    }
  }
}
