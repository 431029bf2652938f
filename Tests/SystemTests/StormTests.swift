import FoundationEssentials
import Glibc
import Subprocess
import SystemPackage
import TestSupport
import Testing

@Suite("The storm, in its short form")
struct ReleaseStormTests {
  /// Two minutes with the calm that follows. `SLUICE_TEST_SEED` repeats one.
  private static let minutes = "1.2"

  @Test(
    "deploys, kills, stops and restarts beside running batches: nothing lost, repeated or changed",
    .timeLimit(.minutes(8)))
  func short() async throws {
    var random = SeededRandom.drawn(for: "storm")
    let seed = "\(random.next() % 1_000_000)"
    try await TestProject.withProject { project in
      let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path(percentEncoded: false)
      let result = try await run(
        .name("python3"),
        arguments: [
          root + "storm/run.py", "--seed", seed, "--minutes", Self.minutes, "--engine", Installed.program,
        ],
        workingDirectory: FilePath(root), output: .string(limit: 1 << 20), error: .string(limit: 1 << 20))
      let last = result.standardOutput.split(separator: "\n").last ?? ""
      print(last)
      #expect(result.terminationStatus.isSuccess, "\(result.standardOutput)\n\(result.standardError)")
      #expect(last.hasPrefix("storm seed=\(seed) ") && last.contains(" lost=0 repeated=0 changed=0 "))
    }
  }
}
