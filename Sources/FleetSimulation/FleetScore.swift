/// What a policy made of a trace.
package struct FleetScore: Sendable, Equatable {
  package var jobs = 0
  /// Jobs that ended after their deadline, or never.
  package var misses = 0
  /// By how much, added up.
  package var lateSeconds = 0.0
  /// From the start of each worker to its end.
  package var workerSeconds = 0.0
  /// Jobs that the kernel killed because memory was exhausted.
  package var memoryKills = 0
  /// Jobs that were running when their worker was ended by a scale-in.
  package var runningKilled = 0
  /// How often the wanted count turned from growing to shrinking or back.
  package var directionChanges = 0
  package var peakWorkers = 0
  /// Jobs that never ended.
  package var unfinished = 0

  package init() {}

  package var lateHours: Double { lateSeconds / 3600 }
  package var workerHours: Double { workerSeconds / 3600 }
  /// Of all jobs.
  package var missRatio: Double { jobs == 0 ? 0 : Double(misses) / Double(jobs) }
}
