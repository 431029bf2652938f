import ArgumentParser
import JobWorker

struct WorkerCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "worker", abstract: "Claim jobs and do them, until told to stop.",
    discussion: "SIGTERM or Ctrl-C drains: chunks are finished and checkpointed, jobs given back, then it exits.")

  @OptionGroup var options: ProjectOptions
  @Option(help: "Jobs at once (default: limits.slots of sluice.yaml).") var slots: Int?

  func validate() throws {
    if let slots, slots < 1 { throw ValidationError("--slots must be at least 1") }
  }

  func run() async throws {
    try await Installation.with(options, logger: Logs.service) { installation in
      let definitions = ReleaseDefinitions(
        store: installation.store, directory: installation.directory, environment: installation.environment)
      let stages = try await StageHandlers(installation, definitions: definitions)
      let timing = try Installation.leaseTiming()
      let worker = installation.worker(slots: slots, handlers: stages.handlers, timing: timing)
      // Retries and crashes are looked after also where no control process runs; one of all acts.
      let maintenance = installation.maintenance(timing: timing)
      do { try await Installation.serve([maintenance], ending: [worker], logger: installation.logger) } catch {
        try? await stages.shutDown()
        throw error
      }
      try await stages.shutDown()
      if options.json { Console.data(json: .object([("ok", .bool(true))])) }
    }
  }
}
