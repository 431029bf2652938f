import Glibc
import Logging
import Synchronization
import TestSupport
import Testing

@testable import sluice

@Suite("Logs")
struct LogTests {
  /// Lines of a log.
  private final class Lines: TextOutputStream, Sendable {
    private let lines = Mutex<[String]>([])
    var all: [String] { lines.withLock { $0 } }
    func write(_ string: String) { lines.withLock { $0.append(string) } }
  }

  @Test(
    "the same warning is written once a minute, and then with the number that was left out; what differs is written")
  func calm() {
    let lines = Lines()
    let minutes = Mutex(0)
    let start = ContinuousClock.now
    let memory = LogMemory { start + .seconds(60 * minutes.withLock { $0 }) }
    let logger = Logger(label: "l") { CalmLogHandler(StreamLogHandler(label: $0, stream: lines), memory: memory) }
    for index in 0..<1000 { logger.warning("away", metadata: ["error": "e", "after": "\(index) s"]) }
    #expect(lines.all.count == 1)
    logger.warning("away", metadata: ["error": "another"])
    logger.info("here")
    logger.info("here")
    #expect(lines.all.count == 4)
    minutes.withLock { $0 = 1 }
    logger.warning("away", metadata: ["error": "e", "after": "1 s"])
    #expect(lines.all.count == 5)
    #expect(lines.all.last?.contains("left_out=999") == true, "\(lines.all)")
  }

  @Test("the last words of a process are read from the end of its log, whatever its size")
  func lastWords() async throws {
    try await TestProject.withProject { project in
      let log = try ServiceLog(folder: project.directory, control: "control.log", workers: "workers.log")
      try project.write("control.log", "sluice: an early word\n")
      // Sparse: it takes no room.
      try #require(truncate(project.path("control.log"), 1 << 40) == 0)
      let file = try #require(fopen(project.path("control.log"), "a"))
      fputs("\nsluice: the disk is full\n  free space\n", file)
      fclose(file)
      #expect(log.lastWords(of: log.control) == "\nthe disk is full\n  free space")
    }
  }

  @Test("without DuckDB a run is refused before it is in the queue, and check warns of SQL that it cannot read")
  func noDuckDB() async throws {
    try await TestProject.withProject { project in
      let sluice = Installed(project)
      #expect(try await sluice("init").status == 0)
      let run = try await sluice("run", "cities", "--json", adding: ["SLUICE_DUCKDB": "/none"])
      #expect(run.status == 1, "\(run.errors)")
      #expect(run.errors.contains("SLUICE_DUCKDB names /none"), "\(run.errors)")
      #expect(try await sluice("runs", "--json").json("runs").list.isEmpty)
      try project.write("sql/big.sql", "select * from cities\n")
      try project.write(
        "pipelines/cities.yaml",
        try project.text("pipelines/cities.yaml").replacing(
          "    from: samples.cities\n", with: "    from: samples.cities\n    sql: sql/big.sql\n"))
      let check = try await sluice("check", "--json", adding: ["SLUICE_DUCKDB": "/none"])
      #expect(check.status == 0, "\(check.errors)")
      #expect(try check.json("diagnostics").list.map { $0["code"].text } == ["duckdb_missing"], "\(check.output)")
    }
  }
}
