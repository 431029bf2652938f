import JobModel
import JobStore

/// An attempt ran out of memory: the next one runs alone with half more of it, and the third is the last.
struct OutOfMemory: Failure {
  var job: JobID
  /// Attempts of the job that ran out of memory, this one included.
  var kills: Int
  var error: any Failure

  var code: String { error.code }
  var message: String {
    guard !isTransient else { return "\(error.message); the next attempt runs alone with 1.5 times the memory" }
    return
      "\(error.message); \(kills) attempts ran out of memory, all but the first alone and with 1.5 times that of the one before"
  }
  var hint: String? {
    guard !isTransient else { return error.hint }
    return "\(error.hint ?? "raise limits.memory"); restart the workers, then: sluice jobs retry \(job)"
  }
  var at: String? { error.at }
  var isTransient: Bool { kills < JobStore.memoryKillLimit }
  var isOutOfMemory: Bool { true }
}
