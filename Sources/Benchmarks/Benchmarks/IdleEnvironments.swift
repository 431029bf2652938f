import FoundationEssentials
import JobModel
import Postgres

/// What environments cost that have nothing to do: many of them, each of which has run a batch, next to one control process.
struct IdleEnvironments {
  let verbs: EnvironmentBenchmark.Verbs
  let database: BenchDatabase
  let count: Int
  /// How long the processor's use is measured.
  let length: Duration

  /// For all batches together.
  private static let patience = Duration.seconds(900)

  func measure() async throws -> [Figure] {
    let names = (1...count).map { "idle-\($0)" }
    for name in names { _ = try await verbs.time("env", "up", name) }
    _ = try await verbs.time("up", "--detach", "--workers", "0")
    let figures: [Figure]
    do { figures = try await measure(names) } catch {
      _ = try? await verbs.time("down")
      throw error
    }
    _ = try await verbs.time("down")
    for name in names { _ = try await verbs.time("env", "down", name, "--yes") }
    return figures
  }

  private func measure(_ names: [String]) async throws -> [Figure] {
    let clock = ContinuousClock()
    let control = processes()
    guard control.count == 1 else {
      throw BenchError("no_control", "control of \(verbs.project) is not found in /proc")
    }
    let start = clock.now
    for name in names { _ = try await verbs.time("run", "rows", "--env", name) }
    let wait = Waiting(look: .milliseconds(200), patience: Self.patience)
    for name in names {
      try await wait.wait(for: "the end of the run in \(name)") { try await isDone(name) ? true : nil }
    }
    let done = start.duration(to: clock.now)
    try await wait.wait(for: "the end of the environments' processes") {
      let open = try await sessions()
      return open == 0 && processes().count == control.count ? true : nil
    }
    let before = seconds()
    try await clock.sleep(for: length)
    let used = (seconds() - before) / length.seconds
    let open = try await sessions()
    return [
      Figure(
        "\(count) idle environments: memory", Double(processes().map(Self.residentBytes).reduce(0, +)) / 1e6, "MB",
        target: .atMost(100), note: "all processes of the project, PostgreSQL excluded; each has run a batch"),
      Figure(
        "\(count) idle environments: processes", Double(processes().count - control.count), "", target: .atMost(0),
        note: "next to control"),
      Figure(
        "\(count) idle environments: connections", Double(open), "", target: .atMost(0), note: "into their databases"),
      Figure(
        "\(count) idle environments: processor", used * 100, "%", target: .atMost(5), note: "of one, by control"),
      Figure(
        "\(count) environments: a batch in each", done.seconds, "s", note: "asked for by one verb after the other"),
    ]
  }

  private func isDone(_ name: String) async throws -> Bool {
    let own = try await database.pool.query("select current_database() as name").first?.string("name") ?? ""
    let settings = try PostgresSettings(
      try PostgresSettings.conninfo(database.url, database: "\(own)-env-\(name)"), applicationName: "sluice-bench")
    let session = try await PostgresConnection.connect(settings)
    do {
      let open = try await session.query(Statement.environmentOpenRuns).first?.int("n")
      await session.close()
      return open == 0
    } catch {
      await session.close()
      throw error
    }
  }

  private func sessions() async throws -> Int64 {
    try await database.pool.query(Statement.environmentSessions).first?.int("n") ?? 0
  }

  private func seconds() -> Double { processes().map { ProcessTime.seconds(of: $0) }.reduce(0, +) }

  /// Those that were started for the project: its folder is in their arguments.
  private func processes() -> [Int64] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    // The program writes the path without links and double slashes; the folder's own name was drawn for this run.
    let ending = "/" + verbs.project.split(separator: "/").suffix(2).joined(separator: "/")
    return names.compactMap { Int64($0) }.filter { pid in
      let bytes = FileManager.default.contents(atPath: "/proc/\(pid)/cmdline") ?? Data()
      return bytes.split(separator: 0).contains { String(decoding: $0, as: UTF8.self).hasSuffix(ending) }
    }
  }

  /// What it has in memory, the program's own pages included.
  private static func residentBytes(of pid: Int64) -> Int64 {
    let text = String(decoding: FileManager.default.contents(atPath: "/proc/\(pid)/status") ?? Data(), as: UTF8.self)
    let line = text.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
    return (line?.split(whereSeparator: { !$0.isNumber }).first.flatMap { Int64($0) } ?? 0) * 1024
  }
}
