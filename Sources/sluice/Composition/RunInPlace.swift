import ArgumentParser
import JobModel
import JobStore
import JobWorker
import Launchers
import Monitoring
import ServiceLifecycle

/// How a verb that starts a run goes on with it.
struct FollowingOptions: ParsableArguments {
  @Flag(help: "Follow the run to its end, and exit with its outcome.") var wait = false
  @Option(help: "Stop following after this many seconds (exit code 6); the run continues.") var timeout: Seconds?
}

extension Installation {
  /// Puts a run into the queue, and follows it or does it: without workers the whole run is done in this process.
  func carryOut(
    _ following: FollowingOptions, _ options: ProjectOptions,
    enqueue: (_ choice: Choice) async throws -> (run: RunID, release: Int64)
  ) async throws {
    var isServed = false
    var engine: Int64?
    let (run, release) = try await whileReleasesMove {
      let current = try await store.releases(in: .current).first
      engine = current?.id
      isServed = try await hasLiveWorkers(of: engine)
      // Before anything is written: the engine that it becomes begins anew.
      if !isServed, let current {
        try await becomeEngine(of: current, arguments: Sluice.arguments)
      }
      // What does the work here must be able to: a run that is refused leaves nothing in the queue.
      if !isServed { _ = try duckDB() }
      return try await enqueue(isServed ? .any : .only(engine ?? 0))
    }
    if isServed { await tellOfWork() }
    try await noteDifference(from: release)
    if isServed, !following.wait {
      let report = try await RunReport.gather(run, self)
      options.json
        ? Console.data(json: report.json)
        : Console.data("run \(run) queued; follow it: sluice runs show \(run)")
      return
    }
    var follower = RunFollower(
      run: run, store: store, display: ProgressDisplay(), timeout: following.timeout?.duration)
    if isServed { follower.hasWorkers = { [engine] in try await hasLiveWorkers(of: engine) } }
    if isServed {
      try await InterruptNotice.during(
        "run \(run) continues\n  follow it: sluice runs show \(run); end it: sluice runs cancel \(run)"
      ) { try await follower.follow() }
    } else {
      try await work(follower, release: engine ?? 0)
    }
    let report = try await RunReport.gather(run, self)
    options.json ? Console.data(json: report.json) : Console.data(report.text)
    if let status = report.exitStatus { throw status }
  }

  /// - Throws: ``Refusal``: what is started would only wait.
  func refusePaused(_ pipeline: String) async throws {
    guard let since = try await store.pausedSince(pipeline) else { return }
    throw Refusal(
      code: "paused", message: "the pipeline \(pipeline) is paused since \(since)",
      hint: "let it go on: sluice resume \(pipeline)")
  }

  /// Does the run in this process: a worker, the queue's maintenance and the notifier, until the run has ended.
  private func work(_ follower: RunFollower, release: Int64) async throws {
    let lock = try joinProcesses(as: "run")
    defer { lock.release() }
    let definitions = ReleaseDefinitions(store: store, of: project)
    let stages = try await StageHandlers(self, definitions: definitions)
    let timing = try Self.leaseTiming()
    let notifier = self.notifier(definitions)
    let worker = self.worker(
      slots: nil, release: release, handlers: stages.handlers, timing: timing, servesOneRun: true)
    do {
      try await Self.serve(
        [worker, maintenance(timing: timing), notifier], ending: [follower], logger: logger)
      // What the run's end had to tell was written in its last transaction.
      while try await notifier.deliverDue() > 0 {}
    } catch {
      try? await stages.shutDown()
      throw error
    }
    try await stages.shutDown()
  }
}

extension Installation {
  /// Whether a control of this project starts the workers that are missing on this host.
  func keepsWorkers() async throws -> Bool {
    guard ControlFile.read(stateDirectory)?.keepsWorkers == true else { return false }
    return try await !store.isDrained(host: Self.host)
  }

  /// Whether workers of a release (nil: of none) other than this process live, or are about to: on this host their process must
  /// exist, elsewhere their beat counts.
  func hasLiveWorkers(of release: Int64?) async throws -> Bool {
    if try await keepsWorkers() { return true }
    if try await isServedOnDemand() { return true }
    return try await store.workers().contains { worker in
      worker.releaseID == release && !worker.draining && !worker.servesOneRun
        && (worker.host != Self.host || processes.contains(Int32(worker.pid)))
    }
  }
}
