import Glibc
import Synchronization

/// Workers as processes of this machine. A handle is a process's number.
package final class LocalProcessLauncher: Launcher {
  /// What the worker of a launch is started with. Its environment gets the name of the launch.
  package typealias Command = @Sendable (Launch) async throws -> DetachedProcess

  /// What the names of workers' locks begin with.
  private static let role = "worker-"
  package let isShared = false
  /// A process that has not registered by then never will.
  package let patience = Duration.seconds(20)

  private let processes: ProcessTable
  private let host: String
  private let command: Command
  /// The ones that this process started and has to collect, with the names that they were started under.
  private let children = Mutex<[Int32: Launch]>([:])
  /// Starts that are under way.
  private let starting = Mutex<Set<Launch>>([])

  /// - Parameters:
  ///   - processes: Where workers that an earlier control started are found.
  ///   - host: What workers of this machine call it.
  package init(processes: ProcessTable, host: String, command: @escaping Command) {
    self.processes = processes
    self.host = host
    self.command = command
  }

  package func start(_ launch: Launch) async throws -> WorkerHandle {
    guard starting.withLock({ $0.insert(launch).inserted }) else {
      throw LauncherError(code: "starting", message: "the worker \(launch.id) is being started", doubt: .unknown)
    }
    defer { starting.withLock { _ = $0.remove(launch) } }
    if let known = children.withLock({ children in children.first { $0.value == launch }?.key }) {
      return Self.handle(known)
    }
    var process = try await command(launch)
    process.environment[Launch.variable] = launch.id
    let pid = try process.start()
    children.withLock { $0[pid] = launch }
    return Self.handle(pid)
  }

  package var launched: Set<WorkerHandle> { Set(children.withLock { $0.keys.map(Self.handle) }) }

  package func handle(of worker: RegisteredWorker) -> WorkerHandle? {
    worker.host == host ? Self.handle(worker.pid) : nil
  }

  package func list() async throws -> [ListedWorker] {
    let own = existing(launched)
    let children = children.withLock { $0 }
    // A child that has ended keeps its number until it is collected, and holds no lock.
    let others = processes.entries().filter { $0.name.hasPrefix(Self.role) }.compactMap(\.pid).map(Self.handle)
    return own.union(others).map { handle in
      ListedWorker(handle, launch: Self.pid(handle).flatMap { children[$0] })
    }
  }

  package func stop(_ worker: WorkerHandle) async throws {
    guard let pid = Self.pid(worker) else { return }
    switch ending(pid) {
    // Its number is not given to another process before it is collected.
    case .running:
      guard kill(pid, SIGTERM) == 0 || errno == ESRCH else {
        throw LauncherError(
          code: "not_stopped", message: "worker process \(pid) could not be told to stop",
          hint: "check that it belongs to the user who runs this")
      }
    case .notAChild: processes.send(SIGTERM, toProcess: pid)
    case .ended: break
    }
  }

  package func existing(_ workers: Set<WorkerHandle>) -> Set<WorkerHandle> {
    workers.filter { worker in
      guard let pid = Self.pid(worker) else { return false }
      return switch ending(pid) {
      case .running: true
      case .notAChild: processes.contains(pid)
      case .ended: false
      }
    }
  }

  private static func handle(_ pid: Int32) -> WorkerHandle { WorkerHandle(String(pid)) }
  private static func pid(_ worker: WorkerHandle) -> Int32? { Int32(worker.description) }

  /// Also of one that this process started before it became another program.
  private func ending(_ pid: Int32) -> DetachedProcess.Ending {
    let ending = DetachedProcess.ending(of: pid)
    if case .ended = ending { children.withLock { _ = $0.removeValue(forKey: pid) } }
    return ending
  }
}
