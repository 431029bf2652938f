import ArgumentParser
import Glibc
import JobModel
import JobStore
import PipelineDefinition

struct DownCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "down", abstract: "Stop what sluice up started: workers finish their chunks and give their jobs back.")

  @OptionGroup var options: ProjectOptions
  @Option(help: "Seconds to wait for workers to reach a checkpoint.") var timeout = 60.0

  func run() async throws {
    let project = try options.project()
    let stateDirectory = Installation.stateDirectory(project)
    var processes: Set<Int32> = []
    if let control = ControlFile.read(stateDirectory) { processes.insert(control.pid) }
    // Workers whose control was killed are found through the database.
    try await Installation.with(project, logger: Logs.quiet) { installation in
      for worker in try await installation.store.workers()
      where worker.host == Installation.host && ControlFile.isSluice(Int32(worker.pid)) {
        processes.insert(Int32(worker.pid))
      }
      for pid in processes { kill(pid, SIGTERM) }
      let clock = ContinuousClock()
      let deadline = clock.now + .seconds(timeout)
      while processes.contains(where: ControlFile.isSluice), clock.now < deadline {
        try await clock.sleep(for: .milliseconds(50))
      }
    }
    let left = processes.filter(ControlFile.isSluice)
    guard left.isEmpty else {
      Console.note("still stopping: \(left.sorted())")
      throw ExitStatus.timedOut
    }
    options.json
      ? Console.data(json: .object([("stopped", .int(Int64(processes.count)))]))
      : Console.data(processes.isEmpty ? "nothing was running" : "stopped \(processes.count) process(es)")
  }
}
