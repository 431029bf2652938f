import FoundationEssentials
import Subprocess
import SystemPackage
import TestSupport
import Testing

@Suite("A corpus of files with known values")
struct CorpusTests {
  /// `make soak-corpus` says for how long; `SLUICE_TEST_SEED` repeats one.
  private static let seconds = ProcessInfo.processInfo.environment["SLUICE_CORPUS_SECONDS"] ?? "60"

  @Test(
    "has every value in PostgreSQL, every other record in quarantine, and every count in the catalog",
    .timeLimit(.minutes(240)))
  func corpus() async throws {
    // What the program prints is this seed, and it repeats the corpus as it is.
    let said = ProcessInfo.processInfo.environment["SLUICE_TEST_SEED"]
    let seed = said ?? "\(UInt64.random(in: 1...999_999))"
    print("corpus: seed \(seed)")
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().path(percentEncoded: false)
    try await TestProject.withProject { project in
      try await TestDatabase.withDatabase { control in
        try await TestDatabase.withEmptyDatabase { target in
          let result = try await run(
            .name("python3"),
            arguments: [
              root + "corpus/run.py", "--engine", Installed.program, "--control", control.url, "--target", target.url,
              "--seed", seed, "--seconds", Self.seconds, "--work", project.directory,
            ],
            workingDirectory: FilePath(root), output: .string(limit: 1 << 20), error: .string(limit: 1 << 20))
          let last = result.standardOutput.split(separator: "\n").last ?? ""
          print(last)
          #expect(result.terminationStatus.isSuccess, "\(result.standardOutput)\n\(result.standardError)")
          #expect(last.hasPrefix("corpus seed=\(seed) ") && last.hasSuffix(" different=0"))
        }
      }
    }
  }
}
