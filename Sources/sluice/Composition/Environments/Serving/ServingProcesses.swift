import ControlPlane
import FoundationEssentials
import Glibc
import JobModel
import Launchers
import Logging
import Synchronization

/// The processes that serve environments while these have work: `sluice up --until-idle`, each with its own workers.
///
/// They outlive a control process that is killed, end when their environment is idle, and are found by the next control.
final class ServingProcesses: Sendable {
  private static let patience = Duration.seconds(60)
  private static let poll = Duration.milliseconds(50)

  private let directory: String
  private let logger: Logger
  /// By the name of the environment.
  private let processes = Mutex<[String: Int32]>([:])

  init(directory: String, logger: Logger) {
    self.directory = directory
    self.logger = logger
  }

  /// - Throws: ``LauncherError`` `not_started`, ``Refusal`` where the environment is gone by now.
  func start(_ name: String) throws {
    guard try CopyFile.usable(directory, environment: name) != nil else { return }
    var process = try Installation.detached(
      ["up", "--until-idle"], project: directory, environment: name, stateDirectory: stateDirectory(name),
      log: "control.log")
    // What this control was given by the one before it is not that one's.
    for variable in [ListeningSocket.variable, ProcessLock.variable] { process.environment[variable] = nil }
    let pid = try process.start()
    processes.withLock { $0[name] = pid }
    logger.info("an environment has work", metadata: ["environment": "\(name)", "pid": "\(pid)"])
  }

  /// Takes those over that a control before this one has started.
  func adopt(_ names: some Sequence<String>) {
    for name in names where processes.withLock({ $0[name] }) == nil {
      guard let control = ControlFile.read(stateDirectory(name)), control.endsIdle == true else { continue }
      processes.withLock { $0[name] = control.pid }
    }
  }

  /// Those that live, and how those ended that do no more.
  func look() -> (running: Set<String>, ended: [String: Bool]) {
    var ended: [String: Bool] = [:]
    let known = processes.withLock { $0 }
    for (name, pid) in known {
      switch DetachedProcess.ending(of: pid) {
      case .running: continue
      // Also one that was refused: what refuses it, such as an older control, may stay.
      case .ended(let status): ended[name] = status == 0
      case .notAChild:
        guard !Installation.processes(stateDirectory(name)).contains(pid) else { continue }
        ended[name] = true
      }
      processes.withLock { $0[name] = nil }
    }
    return (Set(known.keys).subtracting(ended.keys), ended)
  }

  /// Asks all to give their jobs back, and waits until they have ended.
  func stopAll() async {
    for (name, pid) in processes.withLock({ $0 }) {
      switch DetachedProcess.ending(of: pid) {
      // Its number is not given to another process before it is collected.
      case .running: kill(pid, SIGTERM)
      case .notAChild: Installation.processes(stateDirectory(name)).send(SIGTERM, toProcess: pid)
      case .ended: processes.withLock { $0[name] = nil }
      }
    }
    let clock = ContinuousClock()
    let deadline = clock.now + Self.patience
    while clock.now < deadline, !look().running.isEmpty {
      do { try await clock.sleep(for: Self.poll) } catch { return }
    }
  }

  private func stateDirectory(_ name: String) -> String { Installation.stateDirectory(directory, environment: name) }
}
