import Autoscaling
import JobStore

/// What one look found, of the database, of this machine and of the pool.
package struct ScalingMeasurement: Sendable {
  package var moment: JobStore.ScalingMoment
  /// How long the look took: so old is its oldest part.
  package var ageSeconds = 0.0
  package var lanes: [JobStore.LaneDepth] = []
  /// Since the look before.
  package var arrivals: [JobStore.LaneArrivals] = []
  package var running: [JobStore.RunningAttempt] = []
  /// Open runs with a deadline, and what earlier runs of their pipelines took.
  package var due: [JobStore.OpenRunRecord] = []
  package var histories: [String: StepHistory] = [:]
  /// Since the look before.
  package var finished: [JobStore.FinishedAttempt] = []
  /// Whether ``finished`` has all of them.
  package var isFinishedWhole = true
  /// Those that beat, of any host.
  package var workers: [WorkerRecord] = []
  /// Workers that were launched and have not registered: release, and seconds since.
  package var coming: [(release: Int64, seconds: Double)] = []
  package var releases: [JobStore.ReleaseRecord] = []
  package var memory = HostMemory()
  package var startSeconds = 2.0
  /// Why workers could not be started, by release.
  package var troubles: [Int64: String] = [:]
  package var override: JobStore.ScalingOverrideRecord?

  package init(moment: JobStore.ScalingMoment) { self.moment = moment }
}
