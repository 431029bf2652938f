import Glibc
import PipelineDefinition

/// Tests the places on disk that an environment writes to.
struct DiskDoctor {
  let project: Project

  /// Less than this ends the work soon: a batch of raw, its scratch files and a checkpoint of the database.
  private static let leastBytes: UInt64 = 1_000_000_000
  private static let leastFiles: UInt64 = 10_000

  func examine() -> [DoctorCommand.Check] {
    places.map { name, path in Self.examine(name, path).check }
  }

  /// What is wrong with the first place that cannot take data; nil: nothing that can be seen. For errors whose cause it may be.
  var complaint: String? {
    for (name, path) in places {
      let (check, isShort) = Self.examine(name, path)
      if !check.ok, isShort { return "\(name): \(check.detail)" }
    }
    return nil
  }

  /// Objects only where they are in a folder of this machine. None of this needs the database.
  private var places: [(name: String, path: String)] {
    let storage = (try? Installation.privateState(project).storage).map { ("storage", $0) }
    return [storage, ("state and scratch", Installation.stateDirectory(project))].compactMap { $0 }
  }

  private static func examine(_ name: String, _ path: String) -> (check: DoctorCommand.Check, isShort: Bool) {
    let folder = existing(path)
    func failed(_ detail: String, _ fix: String, isShort: Bool = false) -> (DoctorCommand.Check, Bool) {
      (DoctorCommand.Check(name: name, ok: false, detail: detail, fix: fix), isShort)
    }
    var space = statvfs()
    guard statvfs(folder, &space) == 0 else {
      return failed("\(folder): \(String(cString: strerror(errno)))", "let this user enter \(folder)")
    }
    let writing = access(folder, W_OK | X_OK) == 0 ? 0 : errno
    if writing == EROFS || space.f_flag & UInt(ST_RDONLY) != 0 {
      return failed(
        "\(folder) is on a file system that is mounted read-only",
        "mount it writable (mount -o remount,rw); after an error of the disk the kernel makes it read-only: see dmesg",
        isShort: true)
    }
    guard writing == 0 else {
      return failed(
        "\(folder) cannot be written: \(String(cString: strerror(writing)))", "let this user write to \(folder)")
    }
    let bytes = UInt64(space.f_bavail) * UInt64(space.f_frsize)
    let free = "\(path): \(bytes / 1_000_000) MB free"
    let more = "free space on the disk of \(folder), or set `storage` in sluice.yaml to another disk"
    guard bytes >= leastBytes else {
      return failed(bytes == 0 ? "\(free), the disk is full" : free, more, isShort: true)
    }
    // Some file systems do not count files.
    guard space.f_files == 0 || UInt64(space.f_favail) >= leastFiles else {
      return failed(
        "\(free), but hardly a file more (inodes)", "remove files from the disk of \(folder); df -i counts them",
        isShort: true)
    }
    return (DoctorCommand.Check(name: name, ok: true, detail: free), false)
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
