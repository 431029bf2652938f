import ArgumentParser
import JobModel
import JobStore
import JobWorker
import Launchers
import PipelineDefinition
import Releases

struct WorkerCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "worker", abstract: "Claim jobs and do them, until told to stop.",
    discussion: """
      It works with the engine of its release, whichever binary was called, and each run by the definition that it began with.
      SIGTERM or Ctrl-C drains: chunks are finished and checkpointed, jobs given back, then it exits.
      """)

  @OptionGroup var options: ProjectOptions
  @Option(help: "Jobs at once (default: limits.slots of sluice.yaml).") var slots: Int?
  @Option(help: "Whose jobs it does: a label, a hash or a number (default: the current release's).") var release:
    String?
  @Flag(help: "Only try whether it could work, then exit.") var selfTest = false
  @Option(help: "Only curate the last raw of this pipeline once more, keep nothing of it, and say what became of it.")
  var rehearse: String?

  func validate() throws {
    try Bounds.check("--slots", slots, Bounds.slots)
    if rehearse != nil, release == nil { throw ValidationError("--rehearse needs --release") }
  }

  func run() async throws {
    try await Installation.with(options, logger: rehearse == nil ? Logs.service : Logs.quiet) { installation in
      // From before it becomes another engine, which keeps the lock.
      let lock = selfTest || rehearse != nil ? nil : try installation.joinProcesses(as: "worker")
      defer { lock?.release() }
      let own = try await ownRelease(installation)
      if let own {
        try await installation.becomeEngine(
          of: own, arguments: arguments(own, installation),
          adding: (lock?.handOn() ?? [:]).merging(installation.handOn()) { own, _ in own })
      }
      if let rehearse, let own {
        return try await Rehearsing(installation: installation, release: own.id).tell(rehearse)
      }
      if selfTest {
        try await test(own, installation)
      } else {
        try await work(own?.id ?? 0, installation)
      }
      if options.json { Console.data(json: .object([("ok", .bool(true))])) }
    }
  }

  private func ownRelease(_ installation: Installation) async throws -> JobStore.ReleaseRecord? {
    if let release { return try await installation.release(named: release) }
    return try await installation.store.releases(in: .current).first
  }

  /// What the release's own engine is called with.
  private func arguments(_ release: JobStore.ReleaseRecord, _ installation: Installation) -> [String] {
    ["worker", "--release", "\(release.id)", "--project", installation.directory, "--env", installation.environment]
      + (slots.map { ["--slots", "\($0)"] } ?? []) + (options.json ? ["--json"] : [])
      + (selfTest ? ["--self-test"] : []) + (rehearse.map { ["--rehearse", $0] } ?? [])
  }

  private func work(_ release: Int64, _ installation: Installation) async throws {
    try await installation.refuseTransactionPooler()
    let definitions = ReleaseDefinitions(store: installation.store, of: installation.project)
    let stages = try await StageHandlers(installation, definitions: definitions)
    let timing = try Installation.leaseTiming()
    let worker = installation.worker(slots: slots, release: release, handlers: stages.handlers, timing: timing)
    // Retries and crashes are looked after also where no control process runs; one of all acts.
    let maintenance = installation.maintenance(timing: timing)
    await installation.sweepEngineCache()
    do { try await Installation.serve([maintenance], ending: [worker], logger: installation.logger) } catch {
      try? await stages.shutDown()
      throw error
    }
    try await stages.shutDown()
  }

  /// Everything that a worker needs is there, and this engine takes the release's definitions.
  private func test(_ release: JobStore.ReleaseRecord?, _ installation: Installation) async throws {
    let definitions = ReleaseDefinitions(store: installation.store, of: installation.project)
    let project = release == nil ? installation.project : try await definitions.project(of: release?.id ?? 0)
    var problems = project.diagnostics
    problems += try await SQLReview.problems(of: project.pipelines, in: project)
    if let error = DefinitionError(refusing: problems.sortedByPlace()) { throw error }
    try await StageHandlers(installation, definitions: definitions).shutDown()
  }
}
