import FoundationEssentials
import Postgres
import Subprocess
import SystemPackage
import TestSupport
import Testing

/// The project of `Examples/PullRequest`, with its script and the commands of its workflow.
@Suite("Example of a pull request's check")
struct PullRequestExampleTests {
  private static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "Examples/PullRequest").path(percentEncoded: false)

  private static func shell(_ command: String, _ sluice: Installed) async throws -> (status: Int, said: String) {
    let programs = Installed.program.split(separator: "/").dropLast().joined(separator: "/")
    let variables = sluice.environment.merging(
      ["NUMBER": "7", "PATH": "/\(programs):\(sluice.environment["PATH"] ?? "/usr/bin:/bin")"]
    ) { _, new in new }
    let result = try await run(
      .path("/bin/bash"), arguments: ["-e", "-c", command],
      environment: .custom(
        Dictionary(uniqueKeysWithValues: variables.map { (Environment.Key(stringLiteral: $0.key), $0.value) })),
      workingDirectory: FilePath(sluice.project.directory), output: .string(limit: 1 << 20),
      error: .string(limit: 1 << 20))
    guard case .exited(let code) = result.terminationStatus else { return (-1, result.standardError) }
    return (Int(code), result.standardOutput + result.standardError)
  }

  @Test("it passes, and fails with a wrong row; the environment is gone both times, also for the workflow's last step")
  func checked() async throws {
    let steps = try String(
      decoding: Data(contentsOf: URL(filePath: Self.folder + "/.github/workflows/pull-request.yml")), as: UTF8.self
    ).split(separator: "\n").compactMap { line in
      line.firstRange(of: "run: ").map { String(line[$0.upperBound...]) }
    }
    #expect(steps.count == 2)
    let (check, remove) = (try #require(steps.first), try #require(steps.last))
    try await TestProject.withProject { folder in
      let project = TestProject(directory: folder.path("example"))
      try FileManager.default.copyItem(atPath: Self.folder, toPath: project.directory)
      try await TestDatabase.withEmptyDatabase { database in
        let sluice = Installed(project, ["SLUICE_DATABASE_URL": database.url])
        let isGone = {
          #expect(!project.exists(".sluice/storage-pr-7"))
          let own = try await database.pool.query(
            "select count(*) as n from pg_database where datname = current_database() || '-env-pr-7'", [])
          #expect(try own.first?.int("n") == 0)
        }
        // A job that was cancelled before it made anything.
        #expect(try await Self.shell(remove, sluice).status == 0)
        let passed = try await Self.shell(check, sluice)
        #expect(passed.status == 0 && passed.said.contains("all expectations hold"), "\(passed.said)")
        try await isGone()

        try project.write("orders/2024-04.csv", "order_id,customer,status,amount,ordered_on\n6,Eli,paid,0,2024-04-01\n")
        let failed = try await Self.shell(check, sluice)
        #expect(failed.status == 1 && failed.said.contains("failed: no order is missing"), "\(failed.said)")
        #expect(!failed.said.contains("all expectations hold"))
        try await isGone()
        #expect(try await Self.shell(remove, sluice).status == 0)
      }
    }
  }
}
