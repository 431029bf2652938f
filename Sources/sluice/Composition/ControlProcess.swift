import ControlPlane
import FoundationEssentials
import Glibc
import JobModel
import Launchers
import Logging
import PipelineDefinition
import ServiceLifecycle

extension Installation {
  /// Runs the control plane of this environment in this process, with `workers` local workers, until told to stop.
  func serveControl(workers: Int, slots: Int?, port: Int) async throws {
    let definitions = ReleaseDefinitions(store: store, directory: directory, environment: environment)
    let timing = try Self.leaseTiming()
    let api = ControlAPI(port: port, logger: logger) {
      try await StatusReport.gather(
        environment: environment, controlURL: ControlFile.read(stateDirectory)?.url, store: store, catalog: catalog)
    } onReady: { [logger, stateDirectory] url in
      do {
        try ControlFile(pid: getpid(), url: url).write(stateDirectory)
        logger.info("control is up", metadata: ["control_url": "\(url)"])
      } catch { logger.error("the control file could not be written", metadata: ["error": "\(error)"]) }
    }
    defer { ControlFile.remove(stateDirectory) }
    try await registerSchedules()
    let scheduler = Scheduler(store: store, logger: logger) { pipeline, release in
      try await definitions.project(of: release).pipeline(named: pipeline).runPlan
    }
    var services: [any Service] = [maintenance(timing: timing), notifier(definitions), scheduler, api]
    if workers > 0 {
      let command = try detached(["worker"] + (slots.map { ["--slots", "\($0)"] } ?? []), log: "workers.log")
      services.append(
        WorkerPool(
          store: store, launcher: LocalProcessLauncher(command: command), count: workers, host: Self.host,
          logger: logger))
    }
    try await Self.serve(services, logger: logger)
  }

  /// A verb of this binary for the same project and environment, as a process of its own.
  func detached(_ verb: [String], log: String) throws -> DetachedProcess {
    try Self.detached(verb, project: directory, environment: environment, stateDirectory: stateDirectory, log: log)
  }

  static func detached(
    _ verb: [String], project: String, environment: String, stateDirectory: String, log: String
  ) throws -> DetachedProcess {
    let logs = stateDirectory + "/logs"
    try FileManager.default.createDirectory(atPath: logs, withIntermediateDirectories: true)
    guard let executable = realpath("/proc/self/exe", nil) else {
      throw StageFailure(code: "no_executable", message: "this program's own path cannot be read from /proc")
    }
    defer { free(executable) }
    return DetachedProcess(
      executable: String(cString: executable), arguments: verb + ["--project", project, "--env", environment],
      environment: ProcessInfo.processInfo.environment, directory: project, logPath: logs + "/" + log)
  }
}
