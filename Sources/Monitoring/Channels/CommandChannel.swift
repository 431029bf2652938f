import JobModel
import Subprocess
import SystemPackage

/// Runs a command with the message's body on its standard input. Exit status 0 is a delivery.
///
/// The program gets the secrets that its rule names and nothing else of this process's environment but what every program
/// needs: not the database's URL, not the other secrets.
package struct CommandChannel: Channel {
  /// A program that takes longer hangs: it is killed with all that it started, and the delivery is tried again.
  package static let usualTimeLimit = Duration.seconds(30)

  private let command: [String]
  /// The first word as the definition has it: the resolved one may hold a secret.
  private let name: String
  private let variables: [String: String]
  private let directory: String
  private let timeLimit: Duration
  private let clock = ContinuousClock()

  /// - Parameters:
  ///   - name: What errors call the command.
  ///   - secrets: By the name of the variable.
  ///   - environment: Of this process; only what every program needs is taken from it.
  ///   - directory: Where the command runs; a path in it is relative to this.
  package init(
    command: [String], name: String, secrets: [String: String], environment: [String: String], directory: String,
    timeLimit: Duration = Self.usualTimeLimit
  ) {
    precondition(!command.isEmpty, "a command has at least its name")
    self.command = command
    self.name = name
    variables = ProgramEnvironment.common(of: environment).merging(secrets) { _, secret in secret }
    self.directory = directory
    self.timeLimit = timeLimit
  }

  package func deliver(_ message: OutboxMessage) async throws {
    do {
      let status = try await limited { try await termination(after: message) }
      guard status.isSuccess else {
        throw NotificationError(
          code: "command_failed", message: "the notify command \(name) ended with \(status)",
          hint: "run it by hand with a JSON object on standard input")
      }
    } catch let error as NotificationError {
      throw error
    } catch let error as CancellationError {
      throw error
    } catch {
      throw NotificationError(
        code: "command_missing", message: "the notify command \(name) could not be started",
        hint: "check that it exists and may be executed")
    }
  }

  private func termination(after message: OutboxMessage) async throws -> TerminationStatus {
    _ = BrokenPipe.isAnError
    let program = command[0]
    let executable: Executable = program.contains("/") ? .path(.init(absolute(program))) : .name(program)
    let environment = Environment.custom(
      Dictionary(uniqueKeysWithValues: variables.map { (Environment.Key(stringLiteral: $0.key), $0.value) }))
    var options = PlatformOptions()
    options.processGroupID = 0
    options.teardownSequence = [.send(signal: .kill, toProcessGroup: true, allowedDurationToNextStep: .seconds(1))]
    return try await run(
      executable, arguments: Arguments(Array(command.dropFirst())), environment: environment,
      workingDirectory: .init(directory), platformOptions: options, input: .inputWriter, output: .discarded,
      error: .discarded
    ) { execution in
      let input = execution.standardInputWriter
      // A program need not read its input: that it ended early is no failure. Its status says whether it delivered.
      _ = try? await input.write(message.body)
      try await input.finish()
    }.terminationStatus
  }

  /// Cancels the work, which kills the program, when its time is over.
  private func limited(
    _ work: @escaping @Sendable () async throws -> TerminationStatus
  ) async throws -> TerminationStatus {
    try await withThrowingTaskGroup(of: TerminationStatus?.self) { group in
      group.addTask { try await work() }
      group.addTask {
        try await clock.sleep(for: timeLimit)
        return nil
      }
      defer { group.cancelAll() }
      guard let first = try await group.next(), let status = first else {
        throw NotificationError(
          code: "command_timeout", message: "the notify command \(name) did not end within \(timeLimit)",
          hint: "let it end sooner, or leave slow work to a process of its own")
      }
      return status
    }
  }

  private func absolute(_ path: String) -> String { path.hasPrefix("/") ? path : directory + "/" + path }
}
