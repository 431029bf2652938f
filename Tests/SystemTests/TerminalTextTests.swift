import FoundationEssentials
import Postgres
import TestSupport
import Testing

@testable import sluice

@Suite("Text on a terminal")
struct TerminalTextTests {
  /// What a terminal might obey, and what is printed of it.
  static let commands: [(text: String, line: String)] = [
    ("plain, Zürich, 東京, 👩‍🔬, می‌خواهم", "plain, Zürich, 東京, 👩‍🔬, می‌خواهم"),
    ("\u{1B}]0;title\u{7}", "\\u{1B}]0;title\\u{7}"), ("old\rnew\u{8}", "old\\u{D}new\\u{8}"),
    ("\u{9B}31m\u{85}\u{7F}\u{0}", "\\u{9B}31m\\u{85}\\u{7F}\\u{0}"),
    ("\u{202E}fdp.exe\u{2066}\u{200F}\u{61C}", "\\u{202E}fdp.exe\\u{2066}\\u{200F}\\u{61C}"),
    ("a\u{2028}b\u{2029}\u{FEFF}\u{AD}", "a\\u{2028}b\\u{2029}\\u{FEFF}\\u{AD}"),
    ("x\u{1B}\u{301}y\r\n", "x\\u{1B}\u{301}y\\u{D}\\u{A}"),
    ("\u{E0041}", "\\u{E0041}"),
    ("a\tb\nc", "a\\u{9}b\\u{A}c"),
  ]

  @Test("control and format characters are shown, not obeyed; other text stays as it is", arguments: commands)
  func line(text: String, line: String) {
    #expect(Array(TerminalText.line(text).unicodeScalars) == Array(line.unicodeScalars))
    let lines = line.replacing("\\u{A}", with: "\n").replacing("\\u{9}", with: "\t")
    #expect(Array(TerminalText.lines(text).unicodeScalars) == Array(lines.unicodeScalars))
  }

  @Test("JSON stays the same JSON", arguments: commands)
  func json(text: String, line: String) throws {
    let exact = String(decoding: try JSONEncoder().encode([text]), as: UTF8.self)
    let safe = TerminalText.json(exact)
    #expect(try JSONDecoder().decode([String].self, from: Data(safe.utf8)).map { Array($0.utf8) } == [Array(text.utf8)])
    let isPlain = safe.unicodeScalars.allSatisfy {
      ![.control, .lineSeparator, .paragraphSeparator].contains($0.properties.generalCategory)
    }
    #expect(isPlain)
  }

  @Test("what others wrote into the queue commands no terminal, in any table, message or log; --json is exact")
  func queue() async throws {
    try await TestProject.withProject { project in
      try await TestDatabase.withDatabase { database in
        let hostile = "\u{1B}]0;owned\u{7}\u{202E}\r\n\u{9B}2J"
        let sluice = Installed(project, ["SLUICE_DATABASE_URL": database.url, "SLUICE_LOG": "debug"])
        #expect(try await sluice("init").status == 0)
        try await database.pool.query(
          "select sluice.enqueue($1, pipeline => $2)", [.text("kind\(hostile)"), .text("pipe\(hostile)")])
        for verb in [["jobs"], ["status"], ["runs"], ["run", "none\(hostile)"], ["jobs", "retry", hostile]] {
          for json in [[], ["--json"]] {
            let outcome = try await sluice.call(verb + json)
            let printed = (outcome.output + outcome.errors).unicodeScalars
            let obeyed = printed.filter { $0 != "\n" && [.control, .format].contains($0.properties.generalCategory) }
            #expect(obeyed.isEmpty, "\(verb + json): \(obeyed.map(\.value))")
          }
        }
        let jobs = try await sluice("jobs", "--json").json("jobs").list
        #expect(jobs.first?["pipeline"].text.map { Array($0.utf8) } == Array("pipe\(hostile)".utf8))
      }
    }
  }
}
