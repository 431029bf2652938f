import ArgumentParser

struct ControlCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "control", abstract: "Run the control plane: schedules, reaper, notifications, HTTP API; no workers.")

  @OptionGroup var options: ProjectOptions
  @Option(help: "The API's port on loopback (default: a free one).") var port = 0

  func run() async throws {
    try await Installation.control(try options.project(), workers: 0, slots: nil, port: port)
    if options.json { Console.data(json: .object([("ok", .bool(true))])) }
  }
}
