import Glibc
import JobModel
import ObjectStore
import PipelineDefinition

/// Tests the places on disk that an environment writes to.
struct DiskDoctor {
  let project: Project
  /// Where objects are, if that is a folder of this machine.
  let storage: String?

  /// Less than this ends the work soon: a batch of raw, its scratch files and a checkpoint of the database.
  private static let leastBytes: UInt64 = 1_000_000_000
  private static let leastFiles: UInt64 = 10_000

  func examine() -> [DoctorCommand.Check] {
    let state = Installation.stateDirectory(project)
    let places = [("storage", storage), ("state and scratch", state)].compactMap { name, path in path.map { (name, $0) }
    }
    return places.map { name, path in examine(name, path) }
  }

  private func examine(_ name: String, _ path: String) -> DoctorCommand.Check {
    let folder = Self.existing(path)
    var space = statvfs()
    guard statvfs(folder, &space) == 0 else {
      return DoctorCommand.Check(
        name: name, ok: false, detail: "\(folder): \(String(cString: strerror(errno)))",
        fix: "let this user enter \(folder)")
    }
    let bytes = UInt64(space.f_bavail) * UInt64(space.f_frsize)
    // Some file systems do not count files.
    let hasFiles = space.f_files == 0 || UInt64(space.f_favail) >= Self.leastFiles
    let mayWrite = access(folder, W_OK | X_OK) == 0
    let free = "\(path): \(bytes / 1_000_000) MB free"
    return DoctorCommand.Check(
      name: name, ok: mayWrite && bytes >= Self.leastBytes && hasFiles,
      detail: mayWrite ? (hasFiles ? free : "\(free), but hardly a file more (inodes)") : "\(folder) cannot be written",
      fix: mayWrite
        ? "free space on the disk of \(folder), or set `storage` in sluice.yaml to another disk"
        : "let this user write to \(folder)")
  }

  /// The folder, or the one above that exists.
  private static func existing(_ path: String) -> String {
    var path = path
    while access(path, F_OK) != 0, let slash = path.lastIndex(of: "/"), slash != path.startIndex {
      path = String(path[..<slash])
    }
    return path
  }
}
