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

  /// Of the API's clients together: what control does by itself has connections that no client can use.
  private static let clientConnections = 4

  /// Opens the environment for a control plane and runs it.
  ///
  /// - Parameters:
  ///   - pool: Which workers it keeps; nil: none.
  ///   - endsIdle: It ends when there is nothing to do: of an environment that `env up` made.
  static func control(
    _ project: Project, pool: WorkerPool.Aim?, slots: Int?, port: Int, endsIdle: Bool = false
  ) async throws {
    let lock = try takeControl(project)
    defer { lock.release() }
    let stop = StopWatch()
    defer { stop.cancel() }
    let variables = ProcessInfo.processInfo.environment
    let isSuccessor = variables[ListeningSocket.variable] != nil
    let stateDirectory = stateDirectory(project)
    let token = try ControlToken(stateDirectory, isSuccessor: isSuccessor)
    defer { token.remove(stateDirectory) }
    // Once, whatever the database does: it may be the one that was handed on.
    let socket = try ListeningSocket.open(port: port, environment: variables)
    let clock = ContinuousClock()
    let deadline = clock.now + successionPatience
    while true {
      do {
        return try await with(project, logger: Logs.service) { installation in
          // Who starts a host anew means it to work.
          if keepsHost(pool), !isSuccessor, !endsIdle {
            try await installation.store.setDrained(false, host: Self.host)
          }
          try await installation.serveControl(
            socket, lock, token, pool: pool, slots: slots, endsIdle: endsIdle, stop: stop)
        }
      } catch let error as any Failure where error.isTransient && isSuccessor && clock.now < deadline && !stop.wasAsked
      {
        Logs.service.warning("the database does not answer; control waits for it", metadata: ["error": "\(error)"])
        try await clock.sleep(for: .milliseconds(500))
      }
    }
  }

  /// Makes this process the control of the environment on this host.
  ///
  /// - Throws: ``Refusal`` `already_up`.
  private static func takeControl(_ project: Project) throws -> ProcessLock {
    try StateOwnership(project).confirm()
    let stateDirectory = stateDirectory(project)
    let processes = processes(stateDirectory)
    if let running = ControlFile.read(stateDirectory), processes.isPredecessor(running.pid) {
      throw Refusal.alreadyUp(project)
    }
    guard let lock = try processes.join(as: ProcessTable.control) else { throw Refusal.alreadyUp(project) }
    return lock
  }

  /// Runs the control plane of this environment in this process, with the workers of its pool, until told to stop.
  ///
  /// When a release with another engine becomes current, the process becomes that engine: it stops accepting, answers what is
  /// open, and hands its socket on. Workers go on meanwhile.
  private func serveControl(
    _ socket: ListeningSocket, _ lock: ProcessLock, _ token: ControlToken, pool aim: WorkerPool.Aim?, slots: Int?,
    endsIdle: Bool, stop: StopWatch
  ) async throws {
    let timing = try Self.leaseTiming()
    try await refuseTransactionPooler()
    try Self.privateState(project).tighten(thoroughly: true, logger: logger)
    // While the file is still this program: it may be replaced later.
    _ = try Engine.path()
    let attendance = try await CopyAttendance.begin(self, endsIdle: endsIdle)
    let definitions = ReleaseDefinitions(store: store, of: project)
    defer { ControlFile.remove(stateDirectory) }
    // What is current has its schedules in force since it was promoted.
    if try await store.releases(in: .current).isEmpty { try await registerSchedules() }
    let succession = ControlSuccession(
      logger: logger, isAsked: { stop.wasAsked }, find: { endsIdle ? nil : try await successor() })
    let keepsHost = Self.keepsHost(aim)
    let notice = ControlNotice(
      stateDirectory: stateDirectory, keepsWorkers: keepsHost, endsIdle: endsIdle, follows: following(aim),
      logger: logger)
    let clients = overOwnConnections(maximum: Self.clientConnections)
    var services: [any Service] = [
      maintenance(timing: timing), notifier(definitions), scheduler(definitions),
      DeadlineWatch(store: store, logger: logger),
      clients.api(socket, token, notice), ReleaseKeeper(logger: logger) { try await lookAfterReleases() },
      ReleaseKeeper(tick: .seconds(3600), logger: logger) {
        HostFiles(stateDirectory).lookAfter(now: Date())
        try await sweepReleases()
      },
    ]
    if isEmbedded { services.append(ServerCare(installation: self)) }
    // An environment that env up made is swept by those of the others.
    if project.copy == nil, !settings.isPooled {
      services += [
        EnvironmentKeeper(installation: self),
        EnvironmentServing(installation: self) { succession.successor != nil && !stop.wasAsked },
      ]
    }
    var pool: WorkerPool?
    if let aim {
      let board = aim == .scaled ? ScalingBoard() : nil
      let slots = slots ?? (board == nil ? nil : project.settings.scaling?.slotsPerWorker)
      // Without a launcher only the number is decided.
      if let launcher = try await launcher(aim, slots: slots) {
        let owner = try await launchOwner()
        let own = WorkerPool(
          store: store, launcher: launcher, aim: aim, host: Self.host, logger: logger, board: board,
          newLaunch: { Launch(owner: owner, release: $0, draw: Self.drawLaunch()) }, tell: { notice.tell($0) },
          leavesWorkers: { keepsHost && succession.successor != nil && !stop.wasAsked })
        services.append(own)
        pool = own
      } else {
        notice.tell(.notNeeded)
      }
      // Behind the pool, so that it ends before: another process decides while this one waits for its workers to end.
      if let board { services += scalingServices(board, slots: slots) }
    }
    do {
      let watches: [(any Service)?] = [succession, IdentityWatch(installation: self), attendance]
      try await Self.serve(services, ending: watches.compactMap { $0 }, logger: logger)
    } catch {
      await clients.database.close()
      throw error
    }
    await clients.database.close()
    guard let engine = succession.successor else { return }
    do {
      if !stop.wasAsked {
        try Engine.become(
          engine, arguments: Sluice.arguments,
          adding: [socket.handOn(), lock.handOn(), handOn()].reduce(engineEnvironment) {
            $0.merging($1) { _, new in new }
          })
      }
    } catch {
      try await pool?.drainAll()
      throw error
    }
    // It was to stop after all: nobody else looks after the workers that were left for the successor.
    try await pool?.drainAll()
  }

  /// Whether control keeps all workers of this host.
  private static func keepsHost(_ pool: WorkerPool.Aim?) -> Bool {
    switch pool {
    case .host, .scaled: true
    case .lastOnes, nil: false
    }
  }

  private func following(_ pool: WorkerPool.Aim?) -> ControlFile.Following {
    switch pool {
    case .host(let count): .fixed(count)
    case nil: .fixed(0)
    case .scaled: .scaling(project.settings.scalingKeys)
    case .lastOnes: .nothing
    }
  }

  /// Whether a worker of the release that takes the new runs is at work on this host; false where the database does not answer.
  static func hasFirstWorker(_ project: Project) async -> Bool {
    let found = try? await with(project, logger: Logs.quiet, access: .reading, migrating: false) { installation in
      let current = try await installation.store.releases(in: .current).first?.id ?? 0
      return try await installation.store.workers().contains {
        $0.host == host && !$0.draining && !$0.servesOneRun && ($0.releaseID ?? 0) == current
          && kill(pid_t($0.pid), 0) == 0
      }
    }
    return found ?? false
  }

  private func scheduler(_ definitions: ReleaseDefinitions) -> Scheduler {
    Scheduler(store: store, logger: logger) { pipeline, release in
      if let (definition, assignment) = try await assignDeployed(pipeline, choice: .any) {
        return (definition.runPlan, assignment)
      }
      return (try await definitions.project(of: release).pipeline(named: pipeline).runPlan, .implicit(release))
    }
  }

  private func api(_ socket: ListeningSocket, _ token: ControlToken, _ notice: ControlNotice) -> ControlAPI {
    ControlAPI(socket: socket, requestGuard: token.requestGuard(environment: environment), logger: logger) {
      try await statusReport(controlURL: socket.url)
    } scaling: {
      try await ScalingAnswer.gather(store: store, isScaled: project.settings.scaling != nil)
    } start: { pipeline, name in
      guard let name, name != environment else { return try await startRun(pipeline) }
      return try await startRun(pipeline, in: name)
    } onReady: { [logger] url in
      notice.answers(at: url)
      logger.info("control is up", metadata: ["control_url": "\(url)"])
    }
  }

  /// The current release's engine where it is not this one, tried before anything depends on it.
  private func successor() async throws -> EngineFile? {
    guard let current = try await store.releases(in: .current).first, let wanted = current.engineHash,
      try await !isEngine(wanted)
    else { return nil }
    let engine = try await self.engine(of: current)
    try await tryOut(current, engine)
    return engine
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
