import FoundationEssentials
import JobModel
import Subprocess
import SystemPackage
import Testing

@testable import DuckDB

@Suite("Text that wants to be a command")
struct HostileTextTests {
  @Test(
    "stays a text, as a value and as a name",
    arguments: [
      "k\"\u{301};\n.shell touch PWNED\n.exit 0\n", "'\u{301};\n.shell touch PWNED\n", "\n.shell touch PWNED\n;",
      "';\n.shell touch PWNED\n--", "\\'; .shell touch PWNED", "$$\n.shell touch PWNED\n$$", "\u{1B}[2J\u{7F}",
      "{\"a\":1}\n@@sluice 1\n",
    ])
  func values(text: String) async throws {
    try await withScratch { duckdb, place in
      let name = text.replacing("\n", with: " ")
      let rows = try await duckdb.query(
        "select \(quoteLiteral(text)) as \(quoteIdentifier(name))", in: place, limits: DuckDBLimits()
      ).rows
      #expect(rows.map { Array($0.values).map(\.text) } == [[text]])
      #expect(rows.first?.keys.first.map { Array($0.utf8) } == Array(name.utf8))
      #expect(!FileManager.default.fileExists(atPath: place.directory + "/PWNED"))
    }
  }

  @Test(
    "is not sent where a line begins with a dot, or a NUL ends the statement",
    arguments: ["select 1;\n.shell touch PWNED", ".exit 0", "select '\r.shell touch PWNED'", "select 'a\0b'"])
  func wall(sql: String) async throws {
    try await withScratch { duckdb, place in
      let session = await #expect(throws: DuckDBError.self) {
        try await duckdb.run(sql, in: place, limits: DuckDBLimits())
      }
      let stream = await #expect(throws: DuckDBError.self) {
        try await duckdb.withStream(of: sql, in: place, limits: DuckDBLimits()) { for try await _ in $0 {} }
      }
      #expect(session?.kind == .sql && stream?.kind == .sql)
      #expect(session?.hint != nil)
    }
  }

  @Test(
    "runs no program and opens no file where it reaches DuckDB's shell all the same",
    arguments: [
      ".shell touch PWNED", ".system touch PWNED", ".output PWNED", ".once PWNED", ".log PWNED", ".open PWNED",
      ".read PWNED", ".cd /", ".import PWNED t", ".excel", ".edit",
    ])
  func safeMode(command: String) async throws {
    try await withScratch { duckdb, place in
      let script = try duckdb.settingsScript(place, DuckDBLimits()) + "\n\(command)\nselect 1 as a;\n"
      let result = try await Subprocess.run(
        .path(FilePath(duckdb.executable)), arguments: ["-no-init", "-batch", "-jsonlines", ":memory:"],
        environment: .custom(["PATH": "/usr/bin:/bin"]), workingDirectory: FilePath(place.directory),
        input: .string(script), output: .string(limit: 100_000), error: .string(limit: 100_000))
      #expect(result.standardOutput.contains("{\"a\":1}"))
      #expect(!result.standardError.isEmpty || command == ".edit" || command == ".excel")
      #expect(try FileManager.default.contentsOfDirectory(atPath: place.directory).isEmpty)
    }
  }

  @Test(
    "of a statement that DuckDB wrote stands on one line",
    arguments: [
      ("SELECT 'a\n.x''\u{301}' AS \"b\"\"c\", 'plain'", "SELECT  E'a\\x0a.x''\u{301}' AS \"b\"\"c\", 'plain'"),
      ("SELECT 1", "SELECT 1"), ("SELECT '", "SELECT ''"), ("SELECT ", "SELECT "),
    ])
  func oneLine(sql: String, expected: String) {
    #expect(Array(SelectStatement.onOneLine(sql).utf8) == Array(expected.utf8))
  }

  @Test("in an error does not pass for the end of an answer, nor for rows of the next one")
  func spoofed() async throws {
    try await withScratch { duckdb, place in
      // Were the mark the number of the statement alone, the error's own lines would end the answer and start the next.
      let value = "x\n" + (1...9).map { "@@sluice \($0)\n{\"n\":666}\n" }.joined()
      try await duckdb.withSession(in: place, limits: DuckDBLimits()) { session in
        await #expect(throws: DuckDBError.self) { try await session.run("select \(quoteLiteral(value))::integer") }
        let next = try await session.value("select 7 as n")
        #expect(next == .int(7))
      }
      let script = """
        copy (select case when range = 5000 then error('@@sluice done' || chr(10) || repeat('y', 2000000)) else 'x' end
          from range(10000)) to '/dev/stdout' (format csv)
        """
      await #expect(throws: DuckDBError.self) {
        try await duckdb.withStream(of: script, in: place, limits: DuckDBLimits(time: .seconds(60))) {
          for try await _ in $0 {}
        }
      }
    }
  }

  @Test(
    "gets no more memory than its limit, whatever function it calls", .timeLimit(.minutes(2)),
    arguments: [
      "select length(repeat('x', 2000000000)) as n", "select length(lpad('x', 2000000000, 'y')) as n",
      "select list(range) from range(100000000)", "select string_agg(repeat('x', 100000), '') from range(20000)",
    ])
  func memory(sql: String) async throws {
    try await withScratch { duckdb, place in
      let peak = PeakMemory()
      let limits = DuckDBLimits(memoryBytes: 256_000_000, threads: 2, temporaryBytes: 10_000_000)
      let error = await #expect(throws: DuckDBError.self) {
        try await duckdb.telling { peak.note($0) }.run(sql, in: place, limits: limits)
      }
      #expect(error?.kind == .memoryLimit)
      #expect(peak.bytes < 330_000_000, "\(peak.bytes)")
    }
  }
}
