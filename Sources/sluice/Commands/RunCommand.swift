import ArgumentParser
import Glibc
import JobModel
import JobStore
import JobWorker
import Monitoring
import PipelineDefinition
import ServiceLifecycle

struct RunCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", abstract: "Run one pipeline over one batch now.",
    discussion: """
      With workers running (sluice up) the run is put into the queue, and --wait follows it. Without, the whole run \
      is done in this process. Ctrl-C stops at the next checkpoint; running workers go on with it.
      """)

  @OptionGroup var options: ProjectOptions
  @Argument(help: "The pipeline's name.") var pipeline: String
  @Flag(help: "Follow the run to its end, and exit with its outcome.") var wait = false
  @Option(help: "Stop following after this many seconds (exit code 6); the run goes on.") var timeout: Double?

  func run() async throws {
    let project = try options.project()
    let definition = try project.runnablePipeline(named: pipeline)
    let problems = try await SQLReview.problems(of: [definition], in: project)
    if let error = DefinitionError(refusing: problems) { throw error }
    try await Installation.with(project, logger: Logs.quiet) { installation in
      let release = try await installation.registerRelease()
      let isServed = try await installation.hasLiveWorkers()
      let run = try await installation.store.enqueue(definition.runPlan, release: release.id)
      if isServed, !wait {
        let report = try await RunReport.gather(run.runID, installation)
        options.json
          ? Console.data(json: report.json)
          : Console.data("run \(run.runID) queued; follow it: sluice runs show \(run.runID)")
        return
      }
      var follower = RunFollower(
        run: run.runID, store: installation.store, display: ProgressDisplay(), timeout: timeout.map { .seconds($0) })
      if isServed { follower.hasWorkers = { try await installation.hasLiveWorkers() } }
      if isServed { try await follower.follow() } else { try await work(installation, follower) }
      let report = try await RunReport.gather(run.runID, installation)
      options.json ? Console.data(json: report.json) : Console.data(report.text)
      if let status = report.exitStatus { throw status }
    }
  }

  /// Does the run in this process: a worker, the queue's maintenance and the notifier, until the run has ended.
  private func work(_ installation: Installation, _ follower: RunFollower) async throws {
    let definitions = ReleaseDefinitions(
      store: installation.store, directory: installation.directory, environment: installation.environment)
    let stages = try await StageHandlers(installation, definitions: definitions)
    let timing = try Installation.leaseTiming()
    let notifier = installation.notifier(definitions)
    let worker = installation.worker(
      slots: nil, handlers: stages.handlers, timing: timing, servesOneRun: true)
    do {
      try await Installation.serve(
        [worker, installation.maintenance(timing: timing), notifier], ending: [follower], logger: installation.logger)
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
  /// Whether workers other than this process live: on this host their process must exist, elsewhere their beat counts.
  func hasLiveWorkers() async throws -> Bool {
    try await store.workers().contains { worker in
      !worker.draining && !worker.servesOneRun
        && (worker.host != Self.host || ControlFile.isSluice(Int32(worker.pid)))
    }
  }
}
