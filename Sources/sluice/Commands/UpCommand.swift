import ArgumentParser
import ControlPlane
import FoundationEssentials
import JobModel
import Launchers
import PipelineDefinition

struct UpCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "up", abstract: "Run the system on this machine: control and workers.",
    discussion: "Logs and the control file lie under .sluice/ENV/. sluice down stops it.")

  @OptionGroup var options: ProjectOptions
  @Flag(help: "Return when the control API answers, and go on in the background.") var detach = false
  @Option(help: "Worker processes.") var workers = 2
  @Option(help: "Jobs at once in each worker (default: limits.slots of sluice.yaml).") var slots: Int?
  @Option(help: "The API's port on loopback (default: a free one).") var port = 0

  /// Longer than any start takes, the first initdb of a slow machine included.
  private static let patience = Duration.seconds(60)

  func validate() throws {
    if workers < 0 { throw ValidationError("--workers must not be negative") }
  }

  func run() async throws {
    let project = try options.project()
    let stateDirectory = Installation.stateDirectory(project)
    // One that becomes another engine goes on, whoever wrote the file.
    let isSuccessor = ProcessInfo.processInfo.environment[ListeningSocket.variable] != nil
    if !isSuccessor, let running = ControlFile.read(stateDirectory) {
      throw StageFailure(
        code: "already_up", message: "the environment \(project.environment) is up already at \(running.url)",
        hint: "stop it: sluice down")
    }
    if detach { return try await startDetached(project, stateDirectory) }
    try await Installation.control(project, pool: workers > 0 ? .host(workers) : nil, slots: slots, port: port)
  }

  private func startDetached(_ project: Project, _ stateDirectory: String) async throws {
    var verb = ["up", "--workers", "\(workers)", "--port", "\(port)"]
    if let slots { verb += ["--slots", "\(slots)"] }
    let process = try Installation.detached(
      verb, project: project.directory, environment: project.environment, stateDirectory: stateDirectory,
      log: "control.log")
    let pid = try process.start()
    let clock = ContinuousClock()
    let deadline = clock.now + Self.patience
    while clock.now < deadline {
      if let control = ControlFile.read(stateDirectory), control.pid == pid {
        options.json
          ? Console.data(json: .object([("control_url", .text(control.url)), ("pid", .int(Int64(pid)))]))
          : Console.data("up at \(control.url) (pid \(pid)); logs in \(stateDirectory)/logs")
        return
      }
      if DetachedProcess.reap(pid) {
        throw StageFailure(
          code: "not_up", message: "control ended while it started; the end of its log:\n\(tail(process.logPath))",
          hint: "mend the cause and call sluice up again; sluice doctor names what is missing")
      }
      try await clock.sleep(for: .milliseconds(50))
    }
    throw StageFailure(
      code: "not_up", message: "control did not answer within \(Self.patience.components.seconds) s",
      hint: "look at \(process.logPath)", isTransient: true)
  }

  private func tail(_ path: String) -> String {
    let text = FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) } ?? ""
    return text.split(separator: "\n").suffix(5).joined(separator: "\n")
  }
}
