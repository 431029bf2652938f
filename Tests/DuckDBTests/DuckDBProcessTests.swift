import DuckDB
import FoundationEssentials
import Subprocess
import SystemPackage
import Testing

#if canImport(Glibc)
  import Glibc
#endif

@Suite("The end of a DuckDB child")
struct DuckDBProcessTests {
  /// Runs until somebody ends it.
  static let endless = "select count(*) from range(100000000000) a where hash(a.range) % 7 = hash(a.range + 1) % 11"

  @Test("comes with the time limit", .timeLimit(.minutes(1)))
  func timeLimit() async throws {
    try await withScratch { duckdb, place in
      let error = await #expect(throws: DuckDBError.self) {
        try await duckdb.run(Self.endless, in: place, limits: DuckDBLimits(time: .milliseconds(300)))
      }
      #expect(error?.kind == .timeLimit)
      #expect(children(in: place.directory).isEmpty)
    }
  }

  @Test("comes with cancellation", .timeLimit(.minutes(1)))
  func cancellation() async throws {
    try await withScratch { duckdb, place in
      let task = Task { try await duckdb.run(Self.endless, in: place, limits: DuckDBLimits()) }
      try await until { !children(in: place.directory).isEmpty }
      task.cancel()
      await #expect(throws: (any Error).self) { try await task.value }
      #expect(children(in: place.directory).isEmpty)
    }
  }

  @Test("comes before that of any other process where the machine has no memory left", .timeLimit(.minutes(1)))
  func outOfMemory() async throws {
    try await withScratch { duckdb, place in
      try await duckdb.withSession(in: place, limits: DuckDBLimits()) { session in
        try await session.run("select 1")
        let marks = children(in: place.directory).map { pid in
          FileManager.default.contents(atPath: "/proc/\(pid)/oom_score_adj").map { String(decoding: $0, as: UTF8.self) }
        }
        #expect(marks == ["1000\n"])
      }
    }
  }

  @Test("has more memory after each attempt that ran out of it, within what the machine has")
  func grown() {
    var limits = DuckDBLimits(memoryBytes: 1_000_000_000)
    #expect((0...2).map { limits.grown(after: $0).memoryBytes } == [1_000_000_000, 1_500_000_000, 2_250_000_000])
    limits.mostMemoryBytes = 1_200_000_000
    #expect(limits.grown(after: 2).memoryBytes == 1_200_000_000)
    limits.mostMemoryBytes = 500_000_000
    #expect(limits.grown(after: 2).memoryBytes == 1_000_000_000, "never less than without")
  }

  @Test("comes with the body's own error", .timeLimit(.minutes(1)))
  func bodyThrows() async throws {
    struct Stop: Error {}
    try await withScratch { duckdb, place in
      await #expect(throws: Stop.self) {
        try await duckdb.withSession(in: place, limits: DuckDBLimits()) { session in
          try await session.run("create table t as select 1")
          throw Stop()
        }
      }
      #expect(children(in: place.directory).isEmpty)
    }
  }

  @Test(
    "when it is killed from outside is an error, not an end of the data, and only a kill may be for its memory",
    .timeLimit(.minutes(1)), arguments: [(SIGKILL, DuckDBError.Code.killed), (SIGTERM, .stopped)])
  func killed(signal: Int32, code: DuckDBError.Code) async throws {
    try await withScratch { duckdb, place in
      let task = Task { try await duckdb.run(Self.endless, in: place, limits: DuckDBLimits()) }
      try await until { !children(in: place.directory).isEmpty }
      for child in children(in: place.directory) { kill(child, signal) }
      let error = await #expect(throws: DuckDBError.self) { try await task.value }
      #expect(error?.kind == code)
      #expect(error?.isOutOfMemory == (signal == SIGKILL))
      #expect(error?.isTransient == true)
    }
  }

  @Test("comes with the death of its parent", .timeLimit(.minutes(1)))
  func parentDies() async throws {
    try await withScratch { duckdb, place in
      // This test program once more, as a process that can be killed, with a child of its own.
      let task = Task {
        try await Subprocess.run(
          .path("/proc/self/exe"), arguments: ["--testing-library", "swift-testing", "--filter", "holdsAChild"],
          environment: .inherit.updating([Self.holdVariable: place.directory, "SLUICE_DUCKDB": duckdb.executable]),
          input: .none, output: .discarded, error: .discarded
        ) { execution in
          try await until { children(in: place.directory).contains { name(of: $0) == "duckdb" } }
          try execution.send(signal: .kill)
        }
      }
      _ = try await task.value
      try await until { children(in: place.directory).isEmpty }
    }
  }

  private static let holdVariable: Environment.Key = "SLUICE_TEST_HOLDS_A_CHILD"

  @Test("(the process that is killed)", .enabled(if: heldDirectory != nil))
  func holdsAChild() async throws {
    let place = DuckDBPlace(directory: try #require(heldDirectory), directories: [])
    try await DuckDB.locate().run(Self.endless, in: place, limits: DuckDBLimits())
  }
}

private let heldDirectory = ProcessInfo.processInfo.environment["SLUICE_TEST_HOLDS_A_CHILD"]

/// Processes whose working directory is `directory`.
func children(in directory: String) -> [pid_t] {
  let real = realpath(directory, nil).map { pointer in
    defer { free(pointer) }
    return String(cString: pointer)
  }
  let entries = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
  return entries.compactMap { pid_t($0) }.filter { pid in
    let path = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(pid)/cwd")
    return path == (real ?? directory)
  }
}

func name(of process: pid_t) -> String {
  guard let text = FileManager.default.contents(atPath: "/proc/\(process)/comm") else { return "" }
  return String(decoding: text, as: UTF8.self).split(separator: "\n").first.map(String.init) ?? ""
}

/// Waits for something that another process does; the test's time limit ends a wait in vain.
func until(_ condition: () -> Bool) async throws {
  while !condition() {
    try Task.checkCancellation()
    try await Task.sleep(for: .milliseconds(5))
  }
}
