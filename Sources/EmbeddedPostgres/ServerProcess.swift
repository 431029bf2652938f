import Glibc
import Logging

/// Starting the server, waiting until it is ready, stopping it. All of it under the start lock; all of it blocks.
struct ServerProcess: Sendable {
  var folders: ServerFolders
  /// Over ``defaults``.
  let settings: [String: String]
  let environment: [String: String]
  let users: [ServerUser]
  let logger: Logger

  /// Recovery after a crash replays at most `max_wal_size`, some seconds; a slow disk may take longer.
  private static let startLimit = Duration.seconds(300)
  /// A server that holds its lock is seen by then, if it can be seen from here.
  private static let foreignLimit = Duration.seconds(3)
  /// A fast shutdown writes a checkpoint; after this long the server is ended without one.
  private static let stopLimit = Duration.seconds(60)
  private static let quitLimit = Duration.seconds(10)
  /// A log that is longer when the server starts is put aside, and the one before it is dropped.
  private static let logBytes = 10 << 20

  /// On the command line, so that the files in the data folder stay as `initdb` made them.
  private static let defaults = [
    "listen_addresses": "", "unix_socket_permissions": "0700", "cluster_name": "sluice", "shared_buffers": "128MB",
    "max_connections": "100", "wal_level": "minimal", "max_wal_senders": "0", "fsync": "on", "jit": "off",
    "timezone": "UTC", "log_timezone": "UTC", "log_line_prefix": "%m [%p] %a ",
  ]

  /// Makes sure that the server answers, and starts it when none of its processes lives.
  ///
  /// - Returns: The socket's folder.
  func ensureRunning(_ patience: Patience) throws -> String {
    let began = ContinuousClock.now
    let deadline = began + Self.startLimit
    while true {
      let lock = try FileLock(folders.serverLock)
      if lock.tryTake(.exclusive) { return try start(holding: lock, until: deadline, patience) }
      // Alive: ready, about to be, or the remains of a killed one, which end by themselves.
      let server = RunningServer(in: folders)
      if let run = server?.reachableRun {
        try folders.requirePrivate(run)
        return run
      }
      if server?.hasLostSocket == true {
        logger.warning("the socket of PostgreSQL is gone; it is started again", metadata: ["folder": "\(folders.run)"])
        try stop()
        continue
      }
      guard deadline > .now else { throw neverReady() }
      if server == nil, ContinuousClock.now > began + Self.foreignLimit, !RunningServer.isAnyProcess(in: folders) {
        throw foreign()
      }
      try patience.pause()
    }
  }

  private func start(
    holding lock: borrowing FileLock, until deadline: ContinuousClock.Instant, _ patience: Patience
  ) throws -> String {
    let cluster = Cluster(folders: folders, users: users)
    let binaries = try ServerBinaries.locate(major: cluster.major, environment: environment)
    if cluster.major == nil { logger.info("creating a database", metadata: ["folder": "\(folders.data)"]) }
    let user = try cluster.createIfMissing(binaries)
    let run = try folders.prepareRunFolder(for: user)
    // Of a server that was killed. None of its processes lives, as the lock says, whoever has its number now.
    let socket = ServerFolders.socket(in: run)
    for leftover in [folders.pidFile, socket, socket + ".lock"] { unlink(leftover) }
    let pid = try launch(binaries, user, run, lock.descriptor)
    while true {
      if let status = Command.ended(pid) {
        throw EmbeddedPostgresError(
          .startFailed, "PostgreSQL ended at once (status \(status)): \(lastWords())", hint: "see \(folders.log)")
      }
      if RunningServer(in: folders)?.reachableRun != nil { break }
      guard deadline > .now else { throw neverReady() }
      try patience.pause()
    }
    logger.info("started PostgreSQL", metadata: ["folder": "\(folders.data)", "pid": "\(pid)"])
    return run
  }

  private func launch(_ binaries: ServerBinaries, _ user: ServerUser, _ run: String, _ lock: CInt) throws -> pid_t {
    var status = stat()
    if stat(folders.log, &status) == 0, status.st_size > Self.logBytes { rename(folders.log, folders.log + ".1") }
    let log = open(folders.log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
    guard log >= 0 else { throw EmbeddedPostgresError.system("cannot open", folders.log) }
    defer { close(log) }
    var merged = Self.defaults.merging(settings) { _, new in new }
    merged["unix_socket_directories"] = run
    merged["port"] = "\(ServerFolders.port)"
    let flags = merged.sorted { $0.key < $1.key }.flatMap { ["-c", "\($0.key)=\($0.value)"] }
    return try user.command([binaries.postgres, "-D", folders.data] + flags).start(output: log, kept: lock)
  }

  /// The last that was logged, which after a failed start is the reason.
  private func lastWords() -> String {
    let lines = (FileContent.read(folders.log, last: 4096) ?? "").split(separator: "\n")
    let reason = lines.last { $0.contains("FATAL:") || $0.contains("PANIC:") } ?? lines.last
    return reason.map(String.init) ?? "it said nothing"
  }

  private func foreign() -> EmbeddedPostgresError {
    EmbeddedPostgresError(
      .elsewhere, "the PostgreSQL in \(folders.data) runs in another container or on another host",
      hint: "stop it there (sluice down); several containers need a server that all can reach: set `database`")
  }

  private func neverReady() -> EmbeddedPostgresError {
    EmbeddedPostgresError(
      .startFailed, "PostgreSQL in \(folders.data) was not ready within \(Self.startLimit)", hint: "see \(folders.log)")
  }

  /// Stops the server and returns when none of its processes lives.
  func stop() throws {
    // SIGINT is PostgreSQL's fast shutdown, SIGQUIT ends it without a checkpoint: the next start recovers then.
    let began = ContinuousClock.now
    for (signal, limit) in [(SIGINT, Self.stopLimit), (SIGQUIT, Self.quitLimit)] {
      let deadline = ContinuousClock.now + limit
      var isTold = false
      var run = folders.run
      while deadline > .now {
        if try FileLock(folders.serverLock).tryTake(.exclusive) {
          // Empty now, unless the server was killed; then the next start clears it.
          rmdir(run)
          logger.info("stopped PostgreSQL", metadata: ["folder": "\(folders.data)"])
          return
        }
        if let server = RunningServer(in: folders) {
          run = server.run
          if !isTold { isTold = kill(server.pid, signal) == 0 }
        } else if ContinuousClock.now > began + Self.foreignLimit, !RunningServer.isAnyProcess(in: folders) {
          throw foreign()
        }
        try Patience().pause()
      }
    }
    throw EmbeddedPostgresError(
      .stopFailed, "PostgreSQL in \(folders.data) does not stop", hint: "see \(folders.log)")
  }
}
