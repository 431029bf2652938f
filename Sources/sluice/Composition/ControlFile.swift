import FoundationEssentials
import Glibc
import JobModel
import Launchers

/// Where a running control process of this environment says who and where it is: `.sluice/ENV/control-HOST.json`.
struct ControlFile: Codable {
  var pid: Int32
  var url: String
  /// Whether it starts workers on this machine.
  var keepsWorkers: Bool?
  /// What became of the first workers that it started; nil: not known yet.
  var firstWorkers: FirstWorkers?
  /// Whether it was started because of work and ends when there is none; nil: no.
  var endsIdle: Bool?
  /// What the number of workers follows; nil: an engine from before this wrote the file.
  var follows: Following?

  enum Following: Codable, Equatable {
    /// As many as the command line says.
    case fixed(Int)
    /// `scaling` of `sluice.yaml`, as it was when the process started, by its keys.
    case scaling([String: String])
    /// It starts a worker only where there is none.
    case nothing
  }

  enum FirstWorkers: Codable, Equatable {
    /// One has registered.
    case registered
    /// Why none has, and how many starts have failed in a row.
    case failing(String, times: Int)
  }

  static func path(_ stateDirectory: String) -> String {
    stateDirectory + "/control-" + Installation.hostFolder + ".json"
  }

  /// Where engines from before write it, one for all hosts.
  static func formerPath(_ stateDirectory: String) -> String { stateDirectory + "/control.json" }

  /// The control process that runs now on this host; nil where there is none, whatever an earlier one left behind.
  static func read(_ stateDirectory: String) -> ControlFile? {
    let processes = Installation.processes(stateDirectory)
    return [path(stateDirectory), formerPath(stateDirectory)].lazy.compactMap(content).first {
      processes.entry(ProcessTable.control)?.pid == $0.pid || processes.isPredecessor($0.pid)
    }
  }

  private static func content(_ path: String) -> ControlFile? {
    FileManager.default.contents(atPath: path).flatMap { try? JSONDecoder().decode(ControlFile.self, from: $0) }
  }

  func write(_ stateDirectory: String) throws {
    try FileManager.default.createDirectory(atPath: stateDirectory, withIntermediateDirectories: true)
    let data = try JSONEncoder().encode(self)
    try data.write(to: URL(filePath: Self.path(stateDirectory)), options: .atomic)
  }

  /// Removes the file when it is this process's own.
  static func remove(_ stateDirectory: String) {
    if content(path(stateDirectory))?.pid == getpid() { unlink(path(stateDirectory)) }
  }
}
