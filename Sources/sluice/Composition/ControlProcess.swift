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
  ///
  /// - Parameter pool: Which workers it keeps; nil: none.
  static func control(_ project: Project, pool: WorkerPool.Aim?, slots: Int?, port: Int) async throws {
    let stop = StopWatch()
    defer { stop.cancel() }
    let variables = ProcessInfo.processInfo.environment
    let isSuccessor = variables[ListeningSocket.variable] != nil
    // Once, whatever the database does: it may be the one that was handed on.
    let socket = try ListeningSocket.open(port: port, environment: variables)
    let clock = ContinuousClock()
    let deadline = clock.now + successionPatience
    while true {
      do {
        return try await with(project, logger: Logs.service) { installation in
          // Who starts a host anew means it to work.
          if case .host = pool, !isSuccessor { try await installation.store.setDrained(false, host: Self.host) }
          try await installation.serveControl(socket, pool: pool, slots: slots, stop: stop)
        }
      } catch let error as any Failure where error.isTransient && isSuccessor && clock.now < deadline && !stop.wasAsked
      {
        Logs.service.warning("the database does not answer; control waits for it", metadata: ["error": "\(error)"])
        try await clock.sleep(for: .milliseconds(500))
      }
    }
  }

  /// Runs the control plane of this environment in this process, with the workers of its pool, until told to stop.
  ///
  /// When a release with another engine becomes current, the process becomes that engine: it stops accepting, answers what is
  /// open, and hands its socket on. Workers go on meanwhile.
  private func serveControl(
    _ socket: ListeningSocket, pool aim: WorkerPool.Aim?, slots: Int?, stop: StopWatch
  ) async throws {
    let timing = try Self.leaseTiming()
    // While the file is still this program: it may be replaced later.
    _ = try Engine.path()
    let definitions = ReleaseDefinitions(store: store, directory: directory, environment: environment)
    defer { ControlFile.remove(stateDirectory) }
    // What is current has its schedules in force since it was promoted.
    if try await store.releases(in: .current).isEmpty { try await registerSchedules() }
    let succession = ControlSuccession(
      logger: logger, isAsked: { stop.wasAsked }, find: { try await successor() })
    let keepsHost = if case .host = aim { true } else { false }
    var services: [any Service] = [
      maintenance(timing: timing), notifier(definitions), scheduler(definitions),
      api(socket, keepsWorkers: keepsHost), ReleaseKeeper(logger: logger) { try await lookAfterReleases() },
    ]
    var pool: WorkerPool?
    if let aim {
      let launcher = LocalProcessLauncher(program: "sluice") { try await workerProcess(of: $0, slots: slots) }
      let own = WorkerPool(
        store: store, launcher: launcher, aim: aim, host: Self.host, logger: logger,
        leavesWorkers: { keepsHost && succession.successor != nil && !stop.wasAsked })
      services.append(own)
      pool = own
    }
    try await Self.serve(services, ending: [succession], logger: logger)
    guard let path = succession.successor else { return }
    do {
      if !stop.wasAsked {
        try Engine.become(
          path, arguments: Array(CommandLine.arguments.dropFirst()),
          adding: engineEnvironment.merging(socket.handOn()) { _, new in new })
      }
    } catch {
      try await pool?.drainAll()
      throw error
    }
    // It was to stop after all: nobody else looks after the workers that were left for the successor.
    try await pool?.drainAll()
  }

  private func scheduler(_ definitions: ReleaseDefinitions) -> Scheduler {
    Scheduler(store: store, logger: logger) { pipeline, release in
      if let (definition, assignment) = try await assignDeployed(pipeline, choice: .any) {
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
