import Launchers
import PipelineDefinition

extension Refusal {
  /// Another control process of the environment runs on this host.
  static func alreadyUp(_ project: Project) -> Refusal {
    let stateDirectory = Installation.stateDirectory(project)
    let processes = Installation.processes(stateDirectory)
    let running = ControlFile.read(stateDirectory)
    let pid = running?.pid ?? processes.entry(ProcessTable.control)?.pid
    let place = running.map { " at \($0.url)" } ?? ""
    let process = pid.map { " (pid \($0))" } ?? ", in another container that shares the project folder"
    if running?.endsIdle == true {
      return Refusal(
        code: "already_up",
        message: "the environment \(project.environment) has work, and control of the installation serves it\(process)",
        hint: "nothing has to be started; to stop it: sluice down --env \(project.environment)")
    }
    return Refusal(
      code: "already_up", message: "the environment \(project.environment) is up already\(place)\(process)",
      hint: pid == nil
        ? "stop it there: sluice down; or give each container a host name of its own" : "stop it: sluice down")
  }
}
