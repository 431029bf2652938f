import FoundationEssentials
import Glibc
import Launchers

/// What the control processes of hosts keep in a state directory, each host under its own name: `control-HOST.json`,
/// `control-HOST.token` and the locks in `processes/HOST`. A container has another name at each start, so that the files of hosts
/// that are gone for good would add up.
struct HostFiles {
  /// A host whose files are older, and of whose processes none holds a lock, is gone. Control refreshes its files each hour.
  static let retention = 30 * 86_400.0

  let stateDirectory: String
  let host: String

  init(_ stateDirectory: String, host: String = Installation.hostFolder) {
    self.stateDirectory = stateDirectory
    self.host = host
  }

  /// Tells other hosts that this one is there, and removes the files of those that are gone.
  func lookAfter(now: Date) {
    for path in files(of: host) { utimensat(AT_FDCWD, path, nil, 0) }
    let oldest = now.timeIntervalSince1970 - Self.retention
    for other in hosts() where other != host {
      let table = ProcessTable(folder: processes(of: other))
      let paths = files(of: other) + [table.folder] + Self.names(in: table.folder).map { table.folder + "/" + $0 }
      guard paths.allSatisfy({ Self.changed($0) < oldest }), table.removeFolder() else { continue }
      for path in files(of: other) { unlink(path) }
    }
  }

  private func files(of host: String) -> [String] {
    ["json", "token"].map { "\(stateDirectory)/control-\(host).\($0)" }
  }

  private func processes(of host: String) -> String { "\(stateDirectory)/processes/\(host)" }

  private func hosts() -> Set<String> {
    let files = Self.names(in: stateDirectory).filter { $0.hasPrefix("control-") }.compactMap { name in
      ["json", "token"].first { name.hasSuffix("." + $0) }.map { name.dropFirst(8).dropLast($0.utf8.count + 1) }
    }
    return Set(files.map(String.init) + Self.names(in: stateDirectory + "/processes"))
  }

  private static func names(in folder: String) -> [String] {
    (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
  }

  /// In seconds since 1970; 0 where there is no such file.
  private static func changed(_ path: String) -> Double {
    var status = stat()
    return lstat(path, &status) == 0 ? Double(status.st_mtim.tv_sec) : 0
  }
}
