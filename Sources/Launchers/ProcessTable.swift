import CSpawn
import Glibc
import JobModel
import Synchronization

/// The processes of one installation on one host. Each holds a lock of the kernel on a file of its own in a folder.
///
/// A lock ends with its process, however that ends, and the kernel names the process that holds it. A process number in a file
/// can belong to another process by now: after a restart of the machine or of a container, or in a copy of the folder. Nothing
/// of that can happen here, and no program needs a certain name.
///
/// The locks are POSIX record locks: a child does not inherit them, `exec` keeps them, and F_GETLK names their holder. They
/// have one trap: a process loses its lock when it closes any descriptor of the file. So only this type opens these files, and
/// never one that its own process holds.
package struct ProcessTable: Sendable {
  /// The only file that is not its process's own: a host has one control process.
  package static let control = "control"

  package let folder: String
  private let predecessors: [String]

  /// - Parameters:
  ///   - folder: Of one installation and one host.
  ///   - predecessors: Words that stand in a row in the arguments of this installation's processes. Engines from before the
  ///     locks hold none; they are known by these words.
  package init(folder: String, predecessors: [String] = []) {
    self.folder = folder
    self.predecessors = predecessors
  }

  /// A process that holds a lock.
  package struct Entry: Sendable, Hashable {
    package var name: String
    /// nil: it runs in another container or on another host, out of reach of a signal.
    package var pid: Int32?
  }

  /// Makes this process known under a name until the result is released, or the process ends.
  ///
  /// - Parameter name: ``control``, or a role, a dash and what no other process ever has. A process that became another program
  ///   keeps the name that it had.
  /// - Returns: nil where another process holds the name.
  /// - Throws: ``LauncherError`` `state_folder`.
  package func join(as name: String) throws -> ProcessLock? {
    let path = folder + "/" + name
    return try ProcessLock.held.withLock { held in
      if let lock = ProcessLock.inherited(in: folder, role: name.prefix { $0 != "-" }, &held) { return lock }
      try makeFolder()
      // A sweep that removes what is left of killed processes may hold or remove a file at this moment.
      for _ in 0..<100 {
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else {
          let reason = errno
          guard reason == ENOENT else { throw LauncherError.folder("cannot open \(path)", reason, folder) }
          try makeFolder()
          continue
        }
        guard ProcessLock.take(descriptor) else {
          let reason = errno
          let isElsewhere = isHeldElsewhere(descriptor, path)
          if isElsewhere, FileNumber(path: path) == FileNumber(descriptor: descriptor) { unlink(path) }
          close(descriptor)
          if isElsewhere { continue }
          guard reason == EAGAIN || reason == EACCES else {
            throw LauncherError.folder("cannot lock \(path)", reason, folder)
          }
          if name == Self.control { return nil }
          usleep(10_000)
          continue
        }
        // Another folder has the same file, where this one was copied by hard links.
        if let file = FileNumber(descriptor: descriptor), file == FileNumber(path: path) {
          if FileNumber.links(descriptor) > 1 {
            unlink(path)
            close(descriptor)
            continue
          }
          return ProcessLock(path, descriptor, &held)
        }
        close(descriptor)
      }
      throw LauncherError(code: "state_folder", message: "the lock \(path) is held by another process")
    }
  }

  /// The processes that live, and the removal of what killed ones left.
  package func entries() -> [Entry] {
    names().compactMap { name in ProcessLock.held.withLock { entry(name, in: $0, sweeping: name != Self.control) } }
  }

  /// The process of a name; nil where there is none.
  package func entry(_ name: String) -> Entry? {
    ProcessLock.held.withLock { entry(name, in: $0, sweeping: false) }
  }

  /// Removes the folder, of a host that is gone, with what killed processes left in it. False where a process holds a lock in it, or
  /// something else is there.
  package func removeFolder() -> Bool {
    for name in names() {
      guard ProcessLock.held.withLock({ entry(name, in: $0, sweeping: true) }) == nil else { return false }
    }
    return rmdir(folder) == 0 || errno == ENOENT
  }

  /// Whether a process of this number lives and is one of the installation's.
  package func contains(_ pid: Int32) -> Bool {
    entries().contains { $0.pid == pid } || wordsOfPredecessor(pid) != nil
  }

  /// Sends a signal to a process. It goes to the process that holds the lock, and to no other that may have its number since.
  package func send(_ signal: Int32, to entry: Entry) {
    guard let pid = entry.pid else { return }
    let handle = pidfd_open(pid, 0)
    // Refused in some containers: the moment between the look and the signal is then not covered.
    guard handle >= 0 else {
      if errno != ESRCH, self.entry(entry.name)?.pid == pid { kill(pid, signal) }
      return
    }
    defer { close(handle) }
    guard self.entry(entry.name)?.pid == pid else { return }
    _ = pidfd_send_signal(handle, signal, nil, 0)
  }

  /// Sends a signal to a process known by its number.
  package func send(_ signal: Int32, toProcess pid: Int32) {
    if let entry = entries().first(where: { $0.pid == pid }) { return send(signal, to: entry) }
    if wordsOfPredecessor(pid) != nil { kill(pid, signal) }
  }

  /// Whether a process is the control of this installation by an engine from before the locks.
  package func isPredecessor(_ pid: Int32) -> Bool {
    guard let words = wordsOfPredecessor(pid), words.contains(where: { ["up", "control"].contains($0) }) else {
      return false
    }
    return !entries().contains { $0.pid == pid }
  }

  /// What stands before the words of this installation in the arguments of a process; nil where they are not there.
  private func wordsOfPredecessor(_ pid: Int32) -> ArraySlice<String>? {
    guard !predecessors.isEmpty, pid != getpid(), let words = Self.arguments(of: pid), words.count > predecessors.count
    else { return nil }
    return (0...(words.count - predecessors.count)).first { start in
      words[start..<(start + predecessors.count)].elementsEqual(predecessors)
    }.map { words[..<$0].dropFirst() }
  }

  private static func arguments(of pid: Int32) -> [String]? {
    let descriptor = open("/proc/\(pid)/cmdline", O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 64 * 1024)
    let count = read(descriptor, &bytes, bytes.count)
    guard count > 0 else { return nil }
    return bytes[..<count].split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
  }

  private func entry(_ name: String, in held: ProcessLock.Held, sweeping: Bool) -> Entry? {
    let path = folder + "/" + name
    guard let file = FileNumber(path: path) else { return nil }
    if held.contains(file) { return Entry(name: name, pid: getpid()) }
    let descriptor = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    if isHeldElsewhere(descriptor, path) { return nil }
    if let holder = ProcessLock.holder(descriptor) { return Entry(name: name, pid: holder > 0 ? holder : nil) }
    if sweeping, ProcessLock.take(descriptor), FileNumber(path: path) == file { unlink(path) }
    return nil
  }

  /// Whether the holder has opened the file in another folder, of which this one is a copy of hard links.
  private func isHeldElsewhere(_ descriptor: Int32, _ path: String) -> Bool {
    guard FileNumber.links(descriptor) > 1, let holder = ProcessLock.holder(descriptor), holder > 0,
      let file = FileNumber(descriptor: descriptor), let here = Self.realPath(path)
    else { return false }
    let open = "/proc/\(holder)/fd"
    let places = Self.names(in: open).filter { name in
      var status = stat()
      return stat("\(open)/\(name)", &status) == 0 && FileNumber(status) == file
    }.compactMap { Self.realPath("\(open)/\($0)") }
    // None: another user's process shows its files to no one.
    return !places.isEmpty && !places.contains(here)
  }

  private static func realPath(_ path: String) -> String? {
    guard let real = realpath(path, nil) else { return nil }
    defer { free(real) }
    return String(cString: real)
  }

  private func names() -> [String] { Self.names(in: folder) }

  private static func names(in folder: String) -> [String] {
    guard let stream = opendir(folder) else { return [] }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if !name.hasPrefix(".") { names.append(name) }
    }
    return names.sorted()
  }

  private func makeFolder() throws {
    var path = ""
    for part in folder.split(separator: "/") {
      path += "/\(part)"
      if access(path, F_OK) == 0 { continue }
      guard mkdir(path, 0o700) == 0 || errno == EEXIST else {
        throw LauncherError.folder("cannot create \(path)", errno, folder)
      }
    }
  }
}

extension LauncherError {
  fileprivate static func folder(_ what: String, _ number: Int32, _ folder: String) -> LauncherError {
    LauncherError(
      code: "state_folder", message: "\(what): \(String(cString: strerror(number)))",
      hint: [ENOLCK, EINVAL, ENOTSUP].contains(number)
        ? "the project's file system needs record locks (fcntl): mount it with locks, or move the project"
        : "let the user of this process write to \(folder)")
  }
}
