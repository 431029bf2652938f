import Synchronization

/// Workers on other machines, which a command of the user starts, stops and lists. A handle is the name of a launch.
///
/// The contract is in docs/launchers.md. What the command writes is hostile: only names of this installation's launches are read from it,
/// and of its errors one short line without control characters and secrets.
package final class CommandLauncher: Launcher {
  /// The command is asked for a machine, and a machine has to start.
  package static let usualPatience = Duration.seconds(600)
  /// Of one call.
  package static let usualTimeLimit = Duration.seconds(60)
  private static let maxListBytes = 1 << 20

  /// What one call needs in its environment, read at each call.
  package struct Surroundings: Sendable {
    package var variables: [String: String]
    /// By the name of the variable; none of the values is ever shown.
    package var secrets: [String: String]

    package init(variables: [String: String], secrets: [String: String] = [:]) {
      self.variables = variables
      self.secrets = secrets
    }
  }

  package let isShared = true
  package let patience: Duration
  private let command: [String]
  private let owner: String
  private let directory: String
  private let timeLimit: Duration
  private let surroundings: @Sendable (Launch?) async throws -> Surroundings
  /// Where listed workers run, for those that register without a name.
  private let places = Mutex<[Place: WorkerHandle]>([:])

  struct Place: Hashable {
    var host: String
    var pid: Int32
  }

  /// - Parameters:
  ///   - owner: What the names of this installation's launches begin with.
  ///   - directory: Where the command runs; a path in its first word is relative to this.
  ///   - surroundings: For the start of a launch, or for stop and list.
  package init(
    command: [String], owner: String, directory: String, patience: Duration = usualPatience,
    timeLimit: Duration = usualTimeLimit, surroundings: @escaping @Sendable (Launch?) async throws -> Surroundings
  ) {
    precondition(!command.isEmpty, "a command has at least its name")
    self.command = command
    self.owner = owner
    self.directory = directory
    self.patience = patience
    self.timeLimit = timeLimit
    self.surroundings = surroundings
  }

  package func start(_ launch: Launch) async throws -> WorkerHandle {
    _ = try await call(["start", launch.id], for: launch)
    return WorkerHandle(launch.id)
  }

  package func stop(_ worker: WorkerHandle) async throws {
    guard Launch(id: worker.description, owner: owner) != nil else { return }
    _ = try await call(["stop", worker.description])
  }

  package func list() async throws -> [ListedWorker] {
    let output = try await call(["list"])
    let listing: LaunchListing
    do { listing = try LaunchListing(output, owner: owner) } catch let problem {
      throw LauncherError(
        code: "launcher_list", message: "\(command[0]) list: \(problem.description)",
        hint: "it prints one line for each worker, such as {\"id\":\"\(owner).7.k3\"}, and nothing else",
        doubt: .unknown)
    }
    places.withLock { $0 = listing.places }
    return listing.workers
  }

  package var launched: Set<WorkerHandle> { [] }

  /// The beat of a worker on another machine says more than any list.
  package func existing(_ workers: Set<WorkerHandle>) -> Set<WorkerHandle> { workers }

  package func handle(of worker: RegisteredWorker) -> WorkerHandle? {
    if let id = worker.launch { return Launch(id: id, owner: owner).map { WorkerHandle($0.id) } }
    return places.withLock { $0[Place(host: worker.host, pid: worker.pid)] }
  }

  private func call(_ words: [String], for launch: Launch? = nil) async throws -> [UInt8] {
    let surroundings = try await surroundings(launch)
    let call = ProgramCall(
      command: command + words,
      environment: surroundings.variables.merging(surroundings.secrets) { _, secret in secret },
      directory: directory, timeLimit: timeLimit, maxOutputBytes: Self.maxListBytes)
    let name = "\(command[0]) \(words[0])"
    let outcome: ProgramCall.Outcome
    do { outcome = try await call.run() } catch let fault as ProgramCall.Fault { throw error(fault, name) }
    guard outcome.status != 0 else { return outcome.output }
    let reason = LauncherReason(outcome.errors, hiding: Array(surroundings.secrets.values)).text
    switch outcome.status {
    case 3: throw LauncherError(code: "launcher_refused", message: "\(name) was refused: \(reason)", doubt: .refused)
    case 4:
      throw LauncherError(code: "launcher_busy", message: "\(name) is to be tried later: \(reason)", doubt: .refused)
    default:
      throw LauncherError(
        code: "launcher_failed", message: "\(name) ended with \(outcome.status): \(reason)", doubt: .unknown)
    }
  }

  private func error(_ fault: ProgramCall.Fault, _ name: String) -> LauncherError {
    switch fault {
    case .notStarted(let reason):
      LauncherError(
        code: "launcher_missing", message: "\(name) could not be called: \(reason)",
        hint: "check scaling.launcher.command in sluice.yaml, and that the file may be executed", doubt: .refused)
    case .timeOver:
      LauncherError(
        code: "launcher_slow", message: "\(name) did not end within \(timeLimit.components.seconds) s",
        hint: "let it ask for the worker and end; what continues must not be waited for", doubt: .unknown)
    case .tooMuchOutput:
      LauncherError(
        code: "launcher_output", message: "\(name) wrote more than \(Self.maxListBytes) bytes",
        hint: "list prints one line for each worker of this installation", doubt: .unknown)
    }
  }
}
