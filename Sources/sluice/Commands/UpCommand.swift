import ArgumentParser
import ControlPlane
import FoundationEssentials
import Glibc
import JobModel
import Launchers
import PipelineDefinition

struct UpCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "up", abstract: "Run the system on this machine: control and workers.",
    discussion: """
      Logs and the control file lie under .sluice/ENV/. sluice down stops it. With scaling: in sluice.yaml the number of workers \
      follows the work; --workers N keeps it as it is.
      """)

  @OptionGroup var options: ProjectOptions
  @Flag(help: "Return when the control API answers and a worker is ready, and go on in the background.") var detach =
    false
  @Option(help: "Worker processes (default: what scaling: of sluice.yaml allows, else 2).") var workers: Int?
  @Option(help: "Jobs at once in each worker (default: limits.slots of sluice.yaml).") var slots: Int?
  @Option(help: "The API's port on loopback; 0 is a free one.") var port = 0

  @Flag(help: .hidden) var untilIdle = false

  private static let standardWorkers = 2

  /// Longer than any start takes, the first initdb of a slow machine included.
  private static let patience = Duration.seconds(60)

  /// A worker that cannot start fails at once; a database that is away for a moment may fail one or two.
  private static let hopelessStarts = 3

  /// So many looks at the control file for one at the database.
  private static let looksPerQuestion = 20

  func validate() throws {
    try Bounds.check("--slots", slots, Bounds.slots)
    try Bounds.check("--workers", workers, Bounds.workers)
    try Bounds.check("--port", port, Bounds.port)
  }

  func run() async throws {
    let project = try options.project()
    let pool = pool(project)
    guard detach else {
      return try await Installation.control(
        project, pool: pool, slots: slots, port: port, endsIdle: untilIdle && project.copy != nil)
    }
    let control = try await startDetached(project)
    try await Installation.with(project, logger: Logs.quiet) { try await $0.noteReleaseTroubles() }
    options.json
      ? Console.data(
        json: .object([
          ("control_url", .text(control.url)),
          ("token_file", .text(ControlToken.path(Installation.stateDirectory(project)))),
          ("pid", .int(Int64(control.pid))),
        ]))
      : Console.data(
        "up at \(control.url) (pid \(control.pid)); logs in \(Installation.stateDirectory(project))/logs")
  }

  private func pool(_ project: Project) -> WorkerPool.Aim? {
    if workers == nil, project.settings.scaling != nil { return .scaled }
    let standard = untilIdle ? 1 : Self.standardWorkers
    let count = workers ?? project.copy?.share(of: standard) ?? standard
    return count > 0 ? .host(count) : nil
  }

  /// Starts control, and returns once it answers and one of its workers has registered.
  private func startDetached(_ project: Project) async throws -> ControlFile {
    try StateOwnership(project).confirm()
    let stateDirectory = Installation.stateDirectory(project)
    let processes = Installation.processes(stateDirectory)
    if processes.entry(ProcessTable.control) != nil || ControlFile.read(stateDirectory) != nil {
      throw Refusal.alreadyUp(project)
    }
    var verb = ["up", "--port", "\(port)"]
    if let workers { verb += ["--workers", "\(workers)"] }
    if let slots { verb += ["--slots", "\(slots)"] }
    let log = try ServiceLog(folder: stateDirectory + "/logs", control: "control.log", workers: "workers.log")
    let process = try Installation.detached(
      verb, project: project.directory, environment: project.environment, stateDirectory: stateDirectory,
      log: "control.log")
    let pid = try process.start()
    return try await InterruptNotice.during(
      "control (pid \(pid)) continues to start\n  look at it: sluice status; stop it: sluice down"
    ) { try await waitUntilUp(pid, project, log, process.logPath) }
  }

  private func waitUntilUp(
    _ pid: Int32, _ project: Project, _ log: ServiceLog, _ logPath: String
  ) async throws -> ControlFile {
    let stateDirectory = Installation.stateDirectory(project)
    let clock = ContinuousClock()
    let deadline = clock.now + Self.patience
    var unanswered = 0
    while clock.now < deadline {
      if case .ended(let status) = DetachedProcess.ending(of: pid) {
        throw ended(status, project, log)
      }
      if let control = ControlFile.read(stateDirectory), control.pid == pid {
        if workers == 0 || control.firstWorkers == .registered { return control }
        if case .failing(let reason, let times) = control.firstWorkers, times >= Self.hopelessStarts {
          try await stop(pid)
          throw StageFailure(
            code: "no_worker", message: "no worker could be started: \(reason)\(log.lastWords(of: log.workers))",
            hint: "fix the cause and call sluice up again; sluice doctor names what is missing")
        }
        // The file says nothing of workers where control has become an older engine. The database does.
        if control.firstWorkers == nil {
          unanswered += 1
          if unanswered % Self.looksPerQuestion == 0, await Installation.hasFirstWorker(project) { return control }
        }
      }
      try await clock.sleep(for: .milliseconds(50))
    }
    try await stop(pid)
    throw StageFailure(
      code: "not_up",
      message: "control and a first worker were not up within \(Self.patience.components.seconds) s"
        + log.lastWords(of: log.control) + Self.disk(project),
      hint: "look at \(logPath)", isTransient: true)
  }

  /// A disk that takes nothing is behind many errors, and a log on it cannot say so.
  private static func disk(_ project: Project) -> String {
    DiskDoctor(project: project).complaint.map { "\n\($0)" } ?? ""
  }

  private func ended(_ status: Int32, _ project: Project, _ log: ServiceLog) -> any Failure {
    let processes = Installation.processes(Installation.stateDirectory(project))
    guard status == ExitStatus.refused.rawValue else {
      return StageFailure(
        code: "not_up", message: "control ended while it started\(log.lastWords(of: log.control))\(Self.disk(project))",
        hint: "fix the cause and call sluice up again; sluice doctor names what is missing")
    }
    // Another one was faster.
    if processes.entry(ProcessTable.control) != nil { return Refusal.alreadyUp(project) }
    return Refusal(
      code: "not_up", message: "control does not start\(log.lastWords(of: log.control))\(Self.disk(project))")
  }

  /// What was started and cannot work is not left behind.
  private func stop(_ pid: Int32) async throws {
    let clock = ContinuousClock()
    for signal in [SIGTERM, SIGKILL] {
      kill(pid, signal)
      let deadline = clock.now + .seconds(10)
      while clock.now < deadline {
        if DetachedProcess.reap(pid) { return }
        try await clock.sleep(for: .milliseconds(50))
      }
    }
  }
}
