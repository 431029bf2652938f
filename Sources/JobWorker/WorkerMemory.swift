/// The memory that a worker's jobs share with those of the other workers of its host.
package struct WorkerMemory: Sendable {
  /// Of the host, for all of its workers and their jobs; nil: not known.
  package var limitBytes: @Sendable () -> Double?
  /// What a worker takes itself, without its jobs.
  package var workerBytes: Double
  /// What one job takes at most; nil: not known.
  package var mostJobBytes: Double?

  package init(workerBytes: Double, limitBytes: @escaping @Sendable () -> Double?) {
    self.workerBytes = workerBytes
    self.limitBytes = limitBytes
  }
}
