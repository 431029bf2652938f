import Glibc
import Postgres

/// Where the things of one embedded server are.
struct ServerFolders: Sendable, Equatable {
  static let port = 5432

  /// The real path, so that every way of naming the folder leads to the same locks and socket.
  let path: String

  /// The cluster.
  var data: String { path + "/data" }
  /// Where a cluster is made before it is renamed to its place.
  var draft: String { path + "/data.unfinished" }
  var log: String { path + "/postgres.log" }
  /// Held shared by everyone who uses the server; whoever gets it exclusively is the last one out.
  var usersLock: String { path + "/users.lock" }
  /// Held exclusively while the server is started or stopped.
  var startLock: String { path + "/start.lock" }
  /// Held by the server itself and all its processes, which inherit it: free means that none of them lives.
  var serverLock: String { path + "/server.lock" }
  var pidFile: String { data + "/postmaster.pid" }
  var versionFile: String { data + "/PG_VERSION" }

  /// The socket's folder, unless another user's is at its place: short, because a socket's name may have 107 bytes at most, and a project's path may be longer.
  var run: String {
    // 64 bits of FNV-1a: equal paths meet, different ones practically never. The same in every version and process.
    let hash = path.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    let digits = String(hash, radix: 16)
    return "/tmp/sluice-" + String(repeating: "0", count: 16 - digits.count) + digits
  }

  static func url(database: String, run: String) -> String {
    let name = PostgresSettings.percentEncoded(database)
    return "postgresql://\(Cluster.role)@/\(name)?host=\(run)&port=\(port)"
  }

  static func socket(in run: String) -> String { "\(run)/.s.PGSQL.\(port)" }

  /// - Parameter directory: Created where it is missing.
  init(directory: String) throws {
    var prefix = directory.hasPrefix("/") ? "" : "."
    for part in directory.split(separator: "/") {
      prefix += "/\(part)"
      guard mkdir(prefix, 0o700) == 0 || access(prefix, F_OK) == 0 else {
        throw EmbeddedPostgresError.system("cannot create", prefix)
      }
    }
    guard let real = realpath(directory, nil) else { throw EmbeddedPostgresError.system("cannot find", directory) }
    defer { free(real) }
    path = String(cString: real)
  }

  /// Where the folder is now that holds an open file: a project may be moved while its server runs.
  ///
  /// Nil when it was removed.
  init?(holding lock: borrowing FileLock) {
    guard let real = realpath("/proc/self/fd/\(lock.descriptor)", nil) else { return nil }
    defer { free(real) }
    let file = String(cString: real)
    guard let slash = file.lastIndex(of: "/") else { return nil }
    path = String(file[..<slash])
  }

  /// Makes the socket's folder, private to the server's user, and returns its path.
  ///
  /// `/tmp` is open to all: where another user has put something at ``run``, the server gets a folder of another name, which the
  /// project folder remembers, so that the URL stays the same.
  func prepareRunFolder(for user: ServerUser) throws -> String {
    for folder in [recordedRun, run].compactMap({ $0 }) where mkdir(folder, 0o700) == 0 || errno == EEXIST {
      if isPrivate(folder), chown(folder, user.uid, user.gid) == 0 { return folder }
    }
    var template = Array("/tmp/sluice-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw EmbeddedPostgresError.system("cannot create a folder in", "/tmp") }
    let made = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    guard chown(made, user.uid, user.gid) == 0 else { throw EmbeddedPostgresError.system("cannot chown", made) }
    try record(made)
    return made
  }

  /// Refuses the folder of a running server's socket where another user could have made it: a server of theirs would be taken
  /// for ours.
  ///
  /// - Throws: ``EmbeddedPostgresError`` `.folder`.
  func requirePrivate(_ folder: String) throws {
    guard isPrivate(folder) else {
      throw EmbeddedPostgresError(
        .folder, "\(folder), where the socket of the running server is, is not a private folder of the server's user",
        hint: "as the user who started it, stop it with sluice down and start it again: it takes another folder then")
    }
  }

  /// Only this user, those as whom the server may run, and the owner of the data can have made it.
  private func isPrivate(_ folder: String) -> Bool {
    var owners = ServerUser.candidates().map(\.uid) + [geteuid()]
    var status = stat()
    if lstat(data, &status) == 0 { owners.append(status.st_uid) }
    return lstat(folder, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR && owners.contains(status.st_uid)
      && status.st_mode & 0o077 == 0
  }

  private var record: String { path + "/socket-folder" }

  /// The folder that this server had instead of ``run``. A copy of the project folder has the file too, and another path.
  private var recordedRun: String? {
    let lines = (FileContent.read(record) ?? "").split(separator: "\n", maxSplits: 1).map(String.init)
    guard lines.count == 2, lines[1] == path, lines[0].hasPrefix("/tmp/sluice-") else { return nil }
    return lines[0]
  }

  private func record(_ folder: String) throws {
    let draft = record + ".new"
    unlink(draft)
    let descriptor = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard descriptor >= 0 else { throw EmbeddedPostgresError.system("cannot create", draft) }
    let bytes = Array("\(folder)\n\(path)".utf8)
    let count = write(descriptor, bytes, bytes.count)
    close(descriptor)
    guard count == bytes.count, rename(draft, record) == 0 else {
      throw EmbeddedPostgresError.system("cannot write", record)
    }
  }
}
