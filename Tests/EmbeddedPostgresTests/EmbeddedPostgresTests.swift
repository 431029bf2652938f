import FoundationEssentials
import Glibc
import Postgres
import TestSupport
import Testing

@testable import EmbeddedPostgres

@Suite("The project's own PostgreSQL")
struct EmbeddedPostgresTests {
  @Test("It starts, answers on a private socket only, and stops with its only user; its data stay")
  func startAndStop() async throws {
    try await Lodging.inside { lodging in
      let lease = try await lodging.server.acquire()
      let pid = try #require(lease.postmasterPID)
      #expect(try await answer(lease.url, "show listen_addresses") == "")
      #expect(try await answer(lease.url, "select current_user || '@' || current_database()") == "sluice@sluice")
      #expect(getsid(pid) == pid, "Ctrl-C in this session must not reach the server")
      _ = try await answer(lease.url, "create table kept as select 7 as number")
      try await lease.release()
      try await lease.release()
      #expect(!isAlive(pid))
      #expect(lease.postmasterPID == nil)

      let again = try await lodging.server.acquire()
      #expect(try await answer(again.url, "select number from kept") == "7")
      try await again.release()
    }
  }

  @Test("Of several users in one moment one starts it, and the last one out stops it")
  func several() async throws {
    try await Lodging.inside { lodging in
      let leases = try await withThrowingTaskGroup(of: EmbeddedPostgresLease.self) { group in
        for _ in 0..<4 { group.addTask { try await lodging.server.acquire() } }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      let pids = Set(leases.map(\.postmasterPID))
      let pid = try #require(pids.compactMap(\.self).first)
      #expect(pids.count == 1)
      for lease in leases.dropLast() { try await lease.release() }
      let last = try #require(leases.last)
      #expect(try await answer(last.url, "select 1") == "1")
      try await last.release()
      #expect(!isAlive(pid))
    }
  }

  @Test("A user in another process keeps it running; one that was killed does not")
  func otherProcess() async throws {
    try await Lodging.inside { lodging in
      let lease = try await lodging.server.acquire()
      let pid = try #require(lease.postmasterPID)
      let lock = try ServerFolders(directory: lodging.directory).usersLock
      let other = try Command(["/usr/bin/flock", "--shared", "--no-fork", lock, "/usr/bin/sleep", "600"]).start(
        output: 2, kept: nil)
      // With --no-fork the lock is held when the program is replaced by the one it runs.
      try await eventually("the other process has the lock") {
        try String(contentsOfFile: "/proc/\(other)/comm", encoding: .utf8).hasPrefix("sleep")
      }
      try await lease.release()
      #expect(isAlive(pid))
      kill(other, SIGKILL)
      try await eventually("the other process is gone") { !isAlive(other) }
      let next = try await lodging.server.acquire()
      #expect(next.postmasterPID == pid)
      try await next.release()
      #expect(!isAlive(pid))
    }
  }

  @Test("After kill -9 of the postmaster the next user starts it again, with everything that was committed")
  func killed() async throws {
    try await Lodging.inside { lodging in
      let lease = try await lodging.server.acquire()
      _ = try await answer(lease.url, "create table kept as select 7 as number")
      let pid = try #require(lease.postmasterPID)
      kill(pid, SIGKILL)
      let again = try await lodging.server.acquire()
      #expect(again.postmasterPID != pid)
      #expect(try await answer(again.url, "select number from kept") == "7")
      #expect(try await answer(lease.url, "select number from kept") == "7", "the first lease's URL serves again")
      try await again.release()
      #expect(lease.postmasterPID != nil, "the first lease is still held")
      try await lease.release()
      #expect(lease.postmasterPID == nil)
    }
  }

  @Test("A postmaster.pid that names a process of another kind does not keep it from starting")
  func stalePostmasterFile() async throws {
    try await Lodging.inside { lodging in
      let lease = try await lodging.server.acquire()
      let folder = try ServerFolders(directory: lodging.directory)
      let text = try String(contentsOfFile: folder.pidFile, encoding: .utf8)
      kill(try #require(lease.postmasterPID), SIGKILL)
      let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
      let forged = ([Substring("\(getpid())")] + lines.dropFirst()).joined(separator: "\n")
      try forged.write(toFile: folder.pidFile, atomically: false, encoding: .utf8)
      let again = try await lodging.server.acquire()
      #expect(try await answer(again.url, "select 1") == "1")
      try await again.release()
      try await lease.release()
      #expect(lease.postmasterPID == nil)
    }
  }

  @Test("Databases are created where absent, and have URLs of their own")
  func databases() async throws {
    try await Lodging.inside { lodging in
      let lease = try await lodging.server.acquire()
      try await lease.createDatabase("target")
      try await lease.createDatabase("target")
      #expect(try await answer(lease.url(database: "target"), "select current_database()") == "target")
      try await lease.release()
    }
  }
}
