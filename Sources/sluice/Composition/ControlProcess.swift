import ControlPlane
import FoundationEssentials
import Glibc
import JobModel
import JobStore
import Launchers
import Logging
import PipelineDefinition
import Postgres
import Releases
import ServiceLifecycle

extension Installation {
  /// How long a control that another one became waits for the database: whoever it was has told its services to end already.
  private static let successionPatience = Duration.seconds(120)

  /// Opens the environment for a control plane and runs it.
  static func control(_ project: Project, workers: Int, slots: Int?, port: Int) async throws {
    let isSuccessor = ProcessInfo.processInfo.environment[ListeningSocket.variable] != nil
    let clock = ContinuousClock()
    let deadline = clock.now + successionPatience
    while true {
      let started = clock.now
      do {
        return try await with(project, logger: Logs.service) { installation in
          try await installation.serveControl(workers: workers, slots: slots, port: port)
        }
      } catch let error as PostgresError where error.isTransient && isSuccessor && started < deadline {
        Logs.service.warning("the database does not answer; control waits for it", metadata: ["error": "\(error)"])
        try await clock.sleep(for: .milliseconds(500))
      }
    }
  }

  /// Runs the control plane of this environment in this process, with `workers` local workers, until told to stop.
  ///
  /// When a release with another engine becomes current, the process becomes that engine: it stops accepting, answers what is
  /// open, and hands its socket on. Workers go on meanwhile.
  func serveControl(workers: Int, slots: Int?, port: Int) async throws {
    let timing = try Self.leaseTiming()
    // While the file is still this program: it may be replaced later.
    _ = try Engine.path()
    if workers > 0 { try await store.setDrained(false, host: Self.host) }
    let stop = StopWatch()
    defer { stop.cancel() }
    let socket = try ListeningSocket.open(port: port, environment: ProcessInfo.processInfo.environment)
    let definitions = ReleaseDefinitions(store: store, directory: directory, environment: environment)
    defer { ControlFile.remove(stateDirectory) }
    // What is current has its schedules in force since it was promoted.
    if try await store.releases(in: .current).isEmpty { try await registerSchedules() }
    let succession = ControlSuccession(logger: logger) { try await successor() }
    var services: [any Service] = [
      maintenance(timing: timing), notifier(definitions), scheduler(definitions),
      api(socket, keepsWorkers: workers > 0), ReleaseKeeper(logger: logger) { try await lookAfterReleases() },
    ]
    if workers > 0 {
      let launcher = LocalProcessLauncher(program: "sluice") { try await workerProcess(of: $0, slots: slots) }
      services.append(
        WorkerPool(
          store: store, launcher: launcher, count: workers, host: Self.host, logger: logger,
          leavesWorkers: { succession.successor != nil && !stop.wasAsked }))
    }
    try await Self.serve(services, ending: [succession], logger: logger)
    if let path = succession.successor, !stop.wasAsked {
      try Engine.become(
        path, arguments: Array(CommandLine.arguments.dropFirst()),
        adding: engineEnvironment.merging(socket.handOn()) { _, new in new })
    }
  }

  private func scheduler(_ definitions: ReleaseDefinitions) -> Scheduler {
    Scheduler(store: store, logger: logger) { pipeline, release in
      if let (definition, assignment) = try await assignDeployed(pipeline, canary: .byNumber) {
        return (definition.runPlan, assignment)
      }
      return (try await definitions.project(of: release).pipeline(named: pipeline).runPlan, .implicit(release))
    }
  }

  private func api(_ socket: ListeningSocket, keepsWorkers: Bool) -> ControlAPI {
    ControlAPI(socket: socket, logger: logger) {
      try await StatusReport.gather(
        environment: environment, controlURL: ControlFile.read(stateDirectory)?.url, store: store, catalog: catalog)
    } start: { pipeline in
      try await refusePaused(pipeline)
      return try await whileReleasesMove {
        let (definition, assignment) = try await begin(pipeline)
        let run = try await database.transaction {
          try await store.enqueue(definition.runPlan, with: assignment, in: $0)
        }
        return ControlAPI.StartedRun(run: run.runID.rawValue, pipeline: pipeline, release: assignment.release)
      }
    } onReady: { [logger, stateDirectory] url in
      do {
        try ControlFile(pid: getpid(), url: url, keepsWorkers: keepsWorkers).write(stateDirectory)
        logger.info("control is up", metadata: ["control_url": "\(url)"])
      } catch { logger.error("the control file could not be written", metadata: ["error": "\(error)"]) }
    }
  }

  /// The current release's engine where it is not this one, tried before anything depends on it.
  private func successor() async throws -> String? {
    guard let current = try await store.releases(in: .current).first, let wanted = current.engineHash,
      try await !isEngine(wanted)
    else { return nil }
    let path = try await engines.fetch(wanted)
    try await tryOut(current)
    return path
  }

  /// A worker of a release, with the engine of that release; of none (0), with this one.
  private func workerProcess(of release: Int64, slots: Int?) async throws -> DetachedProcess {
    var verb = ["worker"] + (slots.map { ["--slots", "\($0)"] } ?? [])
    var path: String?
    if release != 0 {
      guard let hash = try await store.release(release)?.engineHash else {
        throw ReleaseRefusal("no_release", "release \(release) is gone", hint: "sluice releases lists them")
      }
      path = try await engines.fetch(hash)
      verb += ["--release", "\(release)"]
    }
    var process = try detached(verb, log: "workers.log", executable: path)
    if path != nil { process.environment.merge(engineEnvironment) { _, new in new } }
    return process
  }

  /// A verb of this binary for the same project and environment, as a process of its own.
  func detached(_ verb: [String], log: String, executable: String? = nil) throws -> DetachedProcess {
    try Self.detached(
      verb, project: directory, environment: environment, stateDirectory: stateDirectory, log: log,
      executable: executable)
  }

  static func detached(
    _ verb: [String], project: String, environment: String, stateDirectory: String, log: String,
    executable: String? = nil
  ) throws -> DetachedProcess {
    let logs = stateDirectory + "/logs"
    try FileManager.default.createDirectory(atPath: logs, withIntermediateDirectories: true)
    return DetachedProcess(
      executable: try executable ?? Engine.path(), arguments: verb + ["--project", project, "--env", environment],
      environment: ProcessInfo.processInfo.environment, directory: project, logPath: logs + "/" + log)
  }
}
