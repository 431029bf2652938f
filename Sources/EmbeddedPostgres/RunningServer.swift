import Glibc

/// What the server's own file, `postmaster.pid`, says.
struct RunningServer: Sendable, Equatable {
  let pid: pid_t
  /// Where it listens: another folder than ours when the project was moved while it runs.
  let run: String
  /// Whether it takes connections: not while it recovers or shuts down.
  let isReady: Bool

  /// Reads the file; nil when there is none, or when it tells of a process that does not serve this data folder.
  ///
  /// A process's number alone proves nothing: after a crash it may belong to anything. Every server process works in
  /// its data folder.
  init?(in folders: ServerFolders) {
    // pidfile.h of PostgreSQL: pid, data, start time, port, socket's folder, address, memory, status.
    let text = FileContent.read(folders.pidFile) ?? ""
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    guard let pid = lines.first.flatMap({ pid_t($0) }), pid > 1 else { return nil }
    // A server of ours that has ended is not to stay a zombie.
    _ = Command.ended(pid)
    guard let folder = realpath("/proc/\(pid)/cwd", nil) else { return nil }
    defer { free(folder) }
    guard String(cString: folder) == folders.data else { return nil }
    self.pid = pid
    run = lines.count > 4 ? lines[4] : ""
    isReady = lines.count > 7 && lines[7].hasPrefix("ready")
  }

  /// Where its socket can be reached: in the file system of this process, or in the server's, which a service may have for
  /// itself (systemd's PrivateTmp). nil: nowhere, or not yet.
  var reachableRun: String? {
    isReady ? [run, "/proc/\(pid)/root\(run)"].first(where: Self.isListening) : nil
  }

  /// Whether its socket is gone, as after a cleaner of temporary files: it is alive then and no one can reach it.
  var hasLostSocket: Bool {
    guard isReady else { return false }
    var status = stat()
    // Where its own file system cannot be looked into, it may be there.
    return stat(ServerFolders.socket(in: "/proc/\(pid)/root\(run)"), &status) != 0 && errno == ENOENT
  }

  /// Whether any process of a server works in the folder, such as the remains of a killed one.
  static func isAnyProcess(in folders: ServerFolders) -> Bool {
    listFolder("/proc").compactMap { pid_t($0) }.contains { pid in
      guard let folder = realpath("/proc/\(pid)/cwd", nil) else { return false }
      defer { free(folder) }
      return String(cString: folder) == folders.data
    }
  }

  private static func isListening(_ run: String) -> Bool {
    let path = ServerFolders.socket(in: run)
    var address = sockaddr_un()
    guard path.utf8.count < MemoryLayout.size(ofValue: address.sun_path) else { return false }
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    let probe = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard probe >= 0 else { return false }
    defer { close(probe) }
    return withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(probe, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
      }
    }
  }
}
