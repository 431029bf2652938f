import FoundationEssentials
import Glibc
import JobModel

/// Where a running control process of this environment says who and where it is: `.sluice/ENV/control.json`.
struct ControlFile: Codable {
  var pid: Int32
  var url: String
  /// Whether it starts workers on this machine.
  var keepsWorkers: Bool?

  static func path(_ stateDirectory: String) -> String { stateDirectory + "/control.json" }

  /// The control process that runs now; nil where there is none, whatever an earlier one left behind.
  static func read(_ stateDirectory: String) -> ControlFile? {
    guard let data = FileManager.default.contents(atPath: path(stateDirectory)),
      let file = try? JSONDecoder().decode(ControlFile.self, from: data), file.isAlive
    else { return nil }
    return file
  }

  func write(_ stateDirectory: String) throws {
    try FileManager.default.createDirectory(atPath: stateDirectory, withIntermediateDirectories: true)
    let data = try JSONEncoder().encode(self)
    try data.write(to: URL(filePath: Self.path(stateDirectory)), options: .atomic)
  }

  /// Removes the file when it is this process's own.
  static func remove(_ stateDirectory: String) {
    guard let data = FileManager.default.contents(atPath: path(stateDirectory)),
      let file = try? JSONDecoder().decode(ControlFile.self, from: data), file.pid == getpid()
    else { return }
    unlink(path(stateDirectory))
  }

  /// Whether the process exists and is this program: a number can be given to another after a restart of the machine.
  var isAlive: Bool { Self.isSluice(pid) }

  static func isSluice(_ pid: Int32) -> Bool {
    guard kill(pid, 0) == 0, let data = FileManager.default.contents(atPath: "/proc/\(pid)/cmdline") else {
      return false
    }
    let program = String(decoding: data.prefix { $0 != 0 }, as: UTF8.self)
    return program.split(separator: "/").last == "sluice"
  }
}
