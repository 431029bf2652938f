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

  /// The socket's folder: short, because a socket's name may have 107 bytes at most, and a project's path may be longer.
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

  /// Makes the socket's folder, private to the server's user.
  ///
  /// - Throws: ``EmbeddedPostgresError`` `.folder` when somebody else has put one there: `/tmp` is open to all, and a
  ///   server of theirs would be taken for ours.
  func prepareRunFolder(for user: ServerUser) throws {
    guard mkdir(run, 0o700) == 0 || errno == EEXIST else { throw EmbeddedPostgresError.system("cannot create", run) }
    try Self.requirePrivate(run)
    guard chown(run, user.uid, user.gid) == 0 else { throw EmbeddedPostgresError.system("cannot chown", run) }
  }

  /// Only this user, and those as whom the server may run, can have made it.
  static func requirePrivate(_ folder: String) throws {
    let owners = ServerUser.candidates().map(\.uid) + [geteuid()]
    var status = stat()
    guard lstat(folder, &status) == 0 else { throw EmbeddedPostgresError.system("cannot look at", folder) }
    guard status.st_mode & S_IFMT == S_IFDIR, owners.contains(status.st_uid), status.st_mode & 0o077 == 0 else {
      throw EmbeddedPostgresError(
        .folder, "\(folder), where the server's socket belongs, is not a private folder of the server's user",
        hint: "see who made it, and remove it")
    }
  }
}
