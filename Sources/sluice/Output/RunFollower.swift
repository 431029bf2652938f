import JobModel
import JobStore
import Postgres
import ServiceLifecycle

/// Follows a run and its loads to their end and draws how far they are.
struct RunFollower: Service {
  let run: RunID
  let store: JobStore
  let display: ProgressDisplay
  let timeout: Duration?
  /// Whether someone is there to do the work; nil where this process does it itself.
  var hasWorkers: (@Sendable () async throws -> Bool)?

  /// How often the workers are looked for.
  private static let workerLook = Duration.seconds(3)

  private var clock: ContinuousClock { ContinuousClock() }

  func run() async throws {
    try await cancelWhenGracefulShutdown { try await follow() }
  }

  /// Returns when nothing of the run can move any more without someone's help.
  ///
  /// - Throws: ``ExitStatus/timedOut`` after ``timeout``.
  func follow() async throws {
    let start = clock.now
    var lookedAt = start
    while !Task.isCancelled {
      do {
        let runs = try await store.run(run)
        let jobs = try await store.jobs(run: run).reversed()
        display.show(Array(jobs), elapsed: start.duration(to: clock.now))
        if Self.hasEnded(runs, Array(jobs)) {
          display.finish()
          return
        }
        if let hasWorkers, lookedAt.duration(to: clock.now) > Self.workerLook {
          lookedAt = clock.now
          if try await !hasWorkers() {
            display.say("no worker is left; the run waits for one: sluice up, or sluice worker")
          }
        }
      } catch let error as PostgresError where error.isTransient {
        display.say("the database does not answer; the run goes on (\(error.message))")
      }
      if let timeout, start.duration(to: clock.now) > timeout {
        display.finish()
        throw ExitStatus.timedOut
      }
      do { try await clock.sleep(for: .milliseconds(150)) } catch is CancellationError { break }
    }
    display.finish()
  }

  /// A run has ended when all of its parts have, or when what is left waits for something that failed.
  static func hasEnded(_ runs: [RunRecord], _ jobs: [JobRecord]) -> Bool {
    if runs.allSatisfy(\.state.isTerminal) { return true }
    let hasFailed = runs.contains { $0.state == .failed || $0.state == .cancelled }
    return hasFailed && jobs.allSatisfy { $0.state.isTerminal || $0.state == .blocked }
  }
}
