import FoundationEssentials
import Postgres
import Subprocess
import SystemPackage
import TestSupport
import Testing

/// What `docs/queue.md` shows is run as it stands there.
@Suite("The queue's document")
struct QueueDocumentTests {
  private static let root = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" }

  private static func text(_ path: String) throws -> String {
    String(decoding: try Data(contentsOf: URL(filePath: root + "/" + path)), as: UTF8.self)
  }

  /// The code of one language, block by block.
  private static func blocks(_ language: String, of document: String) throws -> [String] {
    var blocks: [String] = []
    var lines: [Substring]?
    for line in try text(document).split(separator: "\n", omittingEmptySubsequences: false) {
      if let open = lines {
        if line == "```" {
          blocks.append(open.joined(separator: "\n") + "\n")
          lines = nil
        } else {
          lines = open + [line]
        }
      } else if line == "```\(language)" {
        lines = []
      }
    }
    return blocks
  }

  @Test("the role, the psql example and the Python example do what they say")
  func examples() async throws {
    try await TestDatabase.withDatabase { database in
      let roles = try #require(try Self.blocks("sql", of: "docs/queue.md").first)
      let psql = try #require(try Self.blocks("sh", of: "docs/queue.md").first)
      let python = try #require(try Self.blocks("python", of: "docs/queue.md").first)
      try await database.pool.execute(roles)
      try await database.pool.execute(
        """
        create table public.orders (order_id bigint generated always as identity primary key, customer text not null);
        grant select, insert on public.orders to shop
        """)
      // Both as the role that was made, which may do nothing but enqueue.
      let environment = ["DATABASE_URL": database.url, "PGOPTIONS": "-c role=shop"]
      let told = try await Self.run("sh", ["-e", "-c", psql], environment)
      #expect(told.contains("COMMIT"), "\(told)")
      let printed = try await Self.run(
        "python3", ["-c", python],
        environment.merging(["PYTHONPATH": Self.root + "/.tools/python"]) { $1 })
      #expect(printed == "order 2 is printed by job 2\n")
      let jobs = try await database.pool.query(
        "select job_id, kind, payload, live_key, max_attempts from sluice.job order by job_id")
      #expect(try jobs.map { try $0.string("kind") } == ["invoice.print", "invoice.print"])
      #expect(try jobs.map { try $0.string("payload") } == ["{\"order\": 1}", "{\"order\": 2}"])
      #expect(try jobs[1].string("live_key") == "invoice/2")
      #expect(try jobs[1].int("max_attempts") == 3)
      // Roles are the whole server's.
      try await database.pool.execute("drop owned by shop; drop role shop")
    }
  }

  @Test("the SQL of the example's README enqueues a mailing")
  func readme() async throws {
    try await ExampleTests.Mailroom.with { mailroom in
      let statement = try #require(try Self.blocks("sql", of: "Examples/Mailroom/README.md").first)
      try await mailroom.database.pool.execute(statement)
      let service = try mailroom.serve()
      try await eventually("the letter is written") { try await mailroom.letters() == 1 }
      try await Installed.stop(service)
      #expect(try await mailroom.everyoneHasOneLetter())
    }
  }

  @Test("its Swift is that of the example service")
  func swift() throws {
    func lines(_ text: String) -> [Substring] {
      text.split(separator: "\n").map { $0.drop { $0 == " " } }
    }
    let sources = try ["Mailing", "MailingHandler", "Mailroom"].map {
      lines(try Self.text("Examples/Mailroom/\($0).swift"))
    }
    let shown = try Self.blocks("swift", of: "docs/queue.md")
    #expect(shown.count == 3)
    for (block, source) in zip(shown, sources) {
      #expect(source.contains(lines(block)), "\(block)")
    }
  }

  private static func run(
    _ program: String, _ arguments: [String], _ environment: [String: String]
  ) async throws -> String {
    let variables = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    let result = try await Subprocess.run(
      .name(program), arguments: Arguments(arguments),
      environment: .custom(
        Dictionary(uniqueKeysWithValues: variables.map { (Environment.Key(stringLiteral: $0.key), $0.value) })),
      output: .string(limit: 4096), error: .string(limit: 1 << 16))
    guard result.terminationStatus.isSuccess else {
      throw TestSupportError("\(program): \(result.standardError)")
    }
    return result.standardOutput
  }
}
