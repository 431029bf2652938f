import Benchmarks
import EmbeddedPostgres
import FoundationEssentials
import Glibc
import JobModel
import Postgres
import UnixSignals

/// A server and a scratch folder for benchmarks, and nothing left of them afterwards.
struct BenchStand {
  /// A server of the user's; nil: one of our own.
  var databaseURL: String?

  /// On top of what an embedded server has: a checkpoint in the middle of a repetition would be measured instead of it.
  private static let serverSettings = [
    "shared_buffers": "512MB", "max_wal_size": "8GB", "checkpoint_timeout": "30min", "synchronous_commit": "on",
    // So that minutes of churn are enough to see what vacuum leaves.
    "autovacuum_naptime": "15s",
  ]

  /// Measures until done, or until SIGINT or SIGTERM; cleans up in either case.
  func measure(
    _ benchmarks: [any Benchmark.Type], scale: BenchScale, only: [String], say: @escaping @Sendable (String) -> Void
  ) async throws -> BenchReport {
    let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm)
    return try await withThrowingTaskGroup(of: BenchReport?.self) { group in
      group.addTask { try await measureAndRemove(benchmarks, scale, only, say) }
      group.addTask {
        for await _ in signals { throw CancellationError() }
        return nil
      }
      var report: BenchReport?
      while report == nil { report = try await group.next() ?? nil }
      group.cancelAll()
      guard let report else { throw CancellationError() }
      return report
    }
  }

  private func measureAndRemove(
    _ benchmarks: [any Benchmark.Type], _ scale: BenchScale, _ only: [String],
    _ say: @escaping @Sendable (String) -> Void
  ) async throws -> BenchReport {
    let folder = try Self.scratchFolder()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    if let databaseURL {
      return try await measure(benchmarks, scale, only, say, folder, try Self.server(databaseURL))
    }
    let embedded = EmbeddedPostgres(directory: folder + "/postgres", settings: Self.serverSettings)
    let lease = try await embedded.acquire()
    do {
      let administration = try PostgresSettings(lease.url(database: "postgres"), applicationName: "sluice-bench")
      let server = BenchServer(administration: administration, prefix: "bench") { lease.url(database: $0) }
      let report = try await measure(benchmarks, scale, only, say, folder, server)
      try await lease.release()
      return report
    } catch {
      // The first error is the one to tell; the server ends with its folder.
      try? await lease.release()
      throw error
    }
  }

  private func measure(
    _ benchmarks: [any Benchmark.Type], _ scale: BenchScale, _ only: [String],
    _ say: @escaping @Sendable (String) -> Void, _ folder: String, _ server: BenchServer
  ) async throws -> BenchReport {
    let machine = try await Machine.examine(folder: folder, server: try await server.settings())
    let surroundings = BenchSurroundings(
      server: server, scale: scale, only: only, executable: try Self.executable(), folder: folder, say: say)
    try await server.prepare()
    do {
      var figures: [Figure] = []
      for benchmark in benchmarks { figures += try await benchmark.init().measure(surroundings) }
      try await server.remove()
      return BenchReport(figures: figures, machine: machine)
    } catch {
      // The first error is the one to tell.
      try? await server.remove()
      throw error
    }
  }

  private static func server(_ url: String) throws -> BenchServer {
    let settings = try PostgresSettings(url, applicationName: "sluice-bench")
    guard let whole = URL(string: url), whole.scheme != nil else {
      throw StageFailure(
        code: "usage", message: "--database-url must be a URL",
        hint: "write it as postgresql://USER@HOST:PORT/DATABASE")
    }
    return BenchServer(administration: settings, prefix: "sluice_bench_\(getpid())") { database in
      var parts = URLComponents(url: whole, resolvingAgainstBaseURL: false)
      parts?.path = "/" + database
      return parts?.string ?? url
    }
  }

  private static func scratchFolder() throws -> String {
    var template = Array((FileManager.default.temporaryDirectory.path() + "/sluice-bench-XXXXXX").utf8CString)
    guard mkdtemp(&template) != nil else {
      throw StageFailure(code: "no_scratch", message: "no scratch folder can be made", hint: "look at TMPDIR")
    }
    return String(decoding: template.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  private static func executable() throws -> String {
    guard let path = realpath("/proc/self/exe", nil) else {
      throw StageFailure(code: "no_executable", message: "this program's own path cannot be read from /proc")
    }
    defer { free(path) }
    return String(cString: path)
  }
}
