/// How much is measured.
package struct BenchScale: Sendable {
  /// Of subject and peer, in turns. The median of fewer says little on a machine that others use.
  package var repetitions = 5
  /// The length of one repetition.
  package var repetition: Duration
  package var latencyJobs: Int
  /// Ready jobs, and as many done ones, where the cost of a claim must not grow with them.
  package var deepQueueJobs: Int
  package var kills: Int
  package var deploys: Int
  package var hangs: Int
  /// The worker lease under which crashes are measured: a crash is found out by the session, not by this.
  package var crashLease: Duration
  package var churn: Duration
  package var heldSnapshot: Duration
  /// Of an ingest.
  package var smallFiles = 20_000
  package var smallPages = 3_000
  /// Of a curation.
  package var curateRows = 2_000_000
  /// Of a load.
  package var loadRows = 2_000_000

  /// That have run a batch and have nothing to do.
  package var idleEnvironments = 50

  package static let full = BenchScale(
    repetition: .seconds(3), latencyJobs: 1_000, deepQueueJobs: 1_000_000, kills: 20, deploys: 15, hangs: 5,
    crashLease: .seconds(15), churn: .seconds(600), heldSnapshot: .seconds(300))
  /// For continuous integration: that everything is measured, not how much it is.
  package static let quick = BenchScale(
    repetitions: 2, repetition: .seconds(1), latencyJobs: 500, deepQueueJobs: 100_000, kills: 3, deploys: 4, hangs: 1,
    crashLease: .seconds(3), churn: .seconds(15), heldSnapshot: .seconds(5), smallFiles: 2_000, smallPages: 600,
    curateRows: 200_000, loadRows: 200_000, idleEnvironments: 3)
}
