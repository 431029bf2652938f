import FoundationEssentials
import Glibc
import Postgres
import TestSupport
import Testing

@testable import EmbeddedPostgres

@Suite("Where the embedded server may live")
struct PlaceTests {
  @Test("A folder that only root can enter", .enabled(if: geteuid() == 0))
  func rootOnly() async throws {
    try await Lodging.inside { lodging in
      #expect(chmod(lodging.project.directory, 0o700) == 0)
      let lease = try await lodging.server.acquire()
      // PostgreSQL refuses to run as root, so its answer says enough about its user.
      #expect(try await answer(lease.url, "select 1") == "1")
      try await lease.release()
    }
  }

  @Test("In a user namespace, where root may keep no capability", .enabled(if: geteuid() == 0))
  func userNamespace() async throws {
    try await Lodging.inside { lodging in
      #expect(chmod(lodging.project.directory, 0o700) == 0)
      let namespace = try #require(ServerUser.candidates().first { $0.prefix.first?.hasSuffix("/unshare") == true })
      let lease = try await lodging.server(users: [namespace]).acquire()
      #expect(try await answer(lease.url, "create table kept as select 7 as number") == nil)
      let folders = try ServerFolders(directory: lodging.directory)
      var status = stat()
      #expect(stat(folders.versionFile, &status) == 0)
      #expect(status.st_uid == 0, "the files stay root's")
      try await lease.release()

      // The other way takes the same data over, and this one takes them back.
      for users in [nil, [namespace]] {
        let next = try await lodging.server(users: users).acquire()
        #expect(try await answer(next.url, "select number from kept") == "7")
        try await next.release()
      }
    }
  }

  @Test("A path longer than the name of a socket may be")
  func longPath() async throws {
    let long = (0..<6).map { _ in String(repeating: "d", count: 40) }.joined(separator: "/")
    try await Lodging.inside(long + "/postgres") { lodging in
      #expect(lodging.directory.utf8.count > 107)
      let lease = try await lodging.server.acquire()
      #expect(try await answer(lease.url, "select 1") == "1")
      try await lease.release()
    }
  }

  @Test("A path with spaces, quotes and letters of any script")
  func oddPath() async throws {
    try await Lodging.inside("my \"own\" pröject's/postgres") { lodging in
      let lease = try await lodging.server.acquire()
      #expect(try await answer(lease.url, "select 1") == "1")
      try await lease.release()
    }
  }

  @Test("A project that is moved while its server runs finds that server again")
  func moved() async throws {
    try await Lodging.inside("before/postgres") { lodging in
      let lease = try await lodging.server.acquire()
      let pid = try #require(lease.postmasterPID)
      #expect(rename(lodging.project.path("before"), lodging.project.path("after")) == 0)
      let moved = EmbeddedPostgres(
        directory: lodging.project.path("after/postgres"), settings: ["fsync": "off"], logger: Lodging.silent)
      let again = try await moved.acquire()
      #expect(again.postmasterPID == pid)
      #expect(try await answer(again.url, "select 1") == "1")
      try await again.release()
      #expect(isAlive(pid), "the first lease is still held")
      try await lease.release()
      let last = try await moved.acquire()
      try await last.release()
      #expect(!isAlive(pid))
    }
  }

  @Test("An initdb that was interrupted is begun anew")
  func interrupted() async throws {
    try await Lodging.inside { lodging in
      try lodging.project.write(".sluice/postgres/data.unfinished/PG_VERSION", "15\n")
      let lease = try await lodging.server.acquire()
      #expect(try await answer(lease.url, "select 1") == "1")
      try await lease.release()
      #expect(!lodging.project.exists(".sluice/postgres/data.unfinished"))
    }
  }

  @Test("Where another user could have made the socket's folder, the server has another one, and keeps it")
  func foreignRunFolder() async throws {
    try await Lodging.inside { lodging in
      let run = try ServerFolders(directory: lodging.directory).run
      #expect(symlink(lodging.project.directory, run) == 0)
      defer { unlink(run) }
      let lease = try await lodging.server.acquire()
      #expect(try await answer(lease.url, "select 1") == "1")
      #expect(!lease.url.contains(run))
      try await lease.release()
      let again = try await lodging.server.acquire()
      #expect(again.url == lease.url)
      try await again.release()
      #expect(!lodging.project.exists("s.PGSQL.5432"))
    }
  }

  @Test("Root uses the server that another user has started in the folder", .enabled(if: geteuid() == 0))
  func otherUser() async throws {
    try await Lodging.inside { lodging in
      let user = ServerUser(
        uid: 65_534, gid: 65_534,
        prefix: ["/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"])
      for folder in [lodging.project.directory, lodging.project.path(".sluice"), lodging.directory] {
        #expect(mkdir(folder, 0o755) == 0 || errno == EEXIST)
        #expect(chmod(folder, 0o755) == 0)
      }
      let lease = try await lodging.server(users: [user]).acquire()
      let pid = lease.postmasterPID
      let again = try await lodging.server.acquire()
      #expect(again.postmasterPID == pid)
      #expect(try await answer(again.url, "select 1") == "1")
      try await again.release()
      try await lease.release()
    }
  }

  @Test("Without PostgreSQL the error says how to get it")
  func notInstalled() async throws {
    try await TestProject.withProject { project in
      let server = EmbeddedPostgres(
        directory: project.path("postgres"), environment: ["SLUICE_POSTGRES_BIN": project.directory],
        logger: Lodging.silent)
      await #expect { try await server.acquire() } throws: { error in
        (error as? EmbeddedPostgresError)?.kind == .noBinaries
      }
    }
  }

  @Test("A setting that PostgreSQL refuses is told with PostgreSQL's own reason")
  func badSetting() async throws {
    try await TestProject.withProject { project in
      let server = EmbeddedPostgres(
        directory: project.path("postgres"), settings: ["fsync": "off", "shared_buffers": "many"],
        logger: Lodging.silent)
      await #expect { try await server.acquire() } throws: { error in
        let failure = error as? EmbeddedPostgresError
        return failure?.kind == .startFailed && failure?.message.contains("shared_buffers") == true
      }
    }
  }
}

@Suite("When a server cannot be reached")
struct ReachTests {
  @Test("A socket folder that a cleaner of temporary files removed is made again within seconds")
  func cleaned() async throws {
    try await Lodging.inside { lodging in
      let lease = try await lodging.server.acquire()
      let pid = lease.postmasterPID
      try removeTree(try ServerFolders(directory: lodging.directory).run)
      #expect(EmbeddedPostgres.runningURL(directory: lodging.directory) == nil)
      let start = ContinuousClock.now
      let again = try await lodging.server.acquire()
      #expect(start.duration(to: .now) < .seconds(10))
      #expect(again.postmasterPID != pid)
      #expect(try await answer(lease.url, "select 1") == "1", "the first lease's URL serves again")
      try await again.release()
      try await lease.release()
      #expect(lease.postmasterPID == nil)
    }
  }

  @Test("A lease that is looked after starts a killed server again, and one that lost its socket")
  func kept() async throws {
    try await Lodging.inside { lodging in
      let lease = try await lodging.server.acquire()
      let first = try #require(lease.postmasterPID)
      try await lease.keepReachable()
      #expect(lease.postmasterPID == first)
      kill(first, SIGKILL)
      // It may answer for a moment yet.
      try await eventually("another one runs") {
        try await lease.keepReachable()
        return lease.postmasterPID.map { $0 != first } ?? false
      }
      try removeTree(try ServerFolders(directory: lodging.directory).run)
      try await lease.keepReachable()
      #expect(try await answer(lease.url, "select 1") == "1")
      try await lease.release()
      #expect(lease.postmasterPID == nil)
    }
  }

  @Test("A server that holds its lock out of sight is told of within seconds")
  func elsewhere() async throws {
    try await Lodging.inside { lodging in
      let first = try await lodging.server.acquire()
      try await first.release()
      // As a server in another container would.
      let lock = try ServerFolders(directory: lodging.directory).serverLock
      let other = try Command(["/usr/bin/flock", "--exclusive", "--no-fork", lock, "/usr/bin/sleep", "600"]).start(
        output: 2, kept: nil)
      defer {
        kill(other, SIGKILL)
        _ = isAlive(other)
      }
      try await eventually("the other process has the lock") {
        try String(contentsOfFile: "/proc/\(other)/comm", encoding: .utf8).hasPrefix("sleep")
      }
      let start = ContinuousClock.now
      await #expect { try await lodging.server.acquire() } throws: { error in
        (error as? EmbeddedPostgresError)?.message.contains("another container") == true
      }
      #expect(start.duration(to: .now) < .seconds(20))
    }
  }

  @Test("A server is away only where processes use it and it does not run")
  func standing() async throws {
    try await Lodging.inside { lodging in
      #expect(try EmbeddedPostgres.standing(directory: lodging.directory) == .unknown)
      let lease = try await lodging.server.acquire()
      #expect(try EmbeddedPostgres.standing(directory: lodging.directory) == .answers(lease.url))
      #expect(try await !PostgresConnection.isUnanswered(PostgresSettings(lease.url(database: "none"))))
      kill(try #require(lease.postmasterPID), SIGKILL)
      try await eventually("it is away") { try EmbeddedPostgres.standing(directory: lodging.directory) == .away }
      #expect(try await PostgresConnection.isUnanswered(PostgresSettings(lease.url)))
      try await lease.release()
      // A child that another test starts has the lock for the moment between fork and exec.
      try await eventually("it has no users") {
        try EmbeddedPostgres.standing(directory: lodging.directory) == .unknown
      }
    }
  }

  @Test("A server whose users were all killed is stopped, and one that is used is not")
  func unused() async throws {
    try await Lodging.inside { lodging in
      let lease = try await lodging.server.acquire()
      let pid = try #require(lease.postmasterPID)
      try await EmbeddedPostgres.stopUnused(directory: lodging.directory)
      #expect(isAlive(pid))
      let folders = try ServerFolders(directory: lodging.directory)
      let handed = lease.handOn()
      #expect(handed.keys.map { $0 } == [InheritedLease.variable])
      try await lease.release()
      #expect(!isAlive(pid))
      try await EmbeddedPostgres.stopUnused(directory: lodging.directory)
      #expect(RunningServer(in: folders) == nil)
    }
  }
}
