import ArgumentParser
import ControlPlane
import PipelineDefinition

struct ControlCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "control", abstract: "Run the control plane: schedules, reaper, notifications, HTTP API.",
    discussion: """
      It starts no workers but one: of a deployed release that has work and has had no worker anywhere for five seconds. Start \
      the others with sluice worker, here or elsewhere. With scaling: in sluice.yaml it starts and stops workers on this machine \
      as the work needs them.
      """)

  @OptionGroup var options: ProjectOptions
  @Option(help: "The API's port on loopback; 0 is a free one.") var port = 0

  func validate() throws { try Bounds.check("--port", port, Bounds.port) }

  func run() async throws {
    let project = try options.project()
    let pool: WorkerPool.Aim = project.settings.scaling == nil ? .lastOnes : .scaled
    try await Installation.control(project, pool: pool, slots: nil, port: port)
    if options.json { Console.data(json: .object([("ok", .bool(true))])) }
  }
}
