import Subprocess
import SystemPackage

/// Runs a command with the message's body on its standard input. Exit status 0 is a delivery.
package struct CommandChannel: Channel {
  private let command: [String]
  private let directory: String

  /// - Parameter directory: Where the command runs; a path in it is relative to this.
  package init(command: [String], directory: String) {
    precondition(!command.isEmpty, "a command has at least its name")
    self.command = command
    self.directory = directory
  }

  package func deliver(_ message: OutboxMessage) async throws {
    let name = command[0]
    let executable: Executable = name.contains("/") ? .path(.init(absolute(name))) : .name(name)
    do {
      let result = try await run(
        executable, arguments: Arguments(Array(command.dropFirst())), workingDirectory: .init(directory),
        input: .string(message.body), output: .discarded, error: .discarded)
      guard result.terminationStatus.isSuccess else {
        throw NotificationError(
          code: "command_failed", message: "the notify command \(name) ended with \(result.terminationStatus)",
          hint: "run it by hand with a JSON object on standard input")
      }
    } catch let error as NotificationError {
      throw error
    } catch {
      throw NotificationError(
        code: "command_missing", message: "the notify command \(name) could not be started",
        hint: "check that it exists and may be executed")
    }
  }

  private func absolute(_ path: String) -> String { path.hasPrefix("/") ? path : directory + "/" + path }
}
