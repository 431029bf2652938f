import TestSupport
import Testing

@Suite("An argument that means nothing")
struct HostileArgumentTests {
  static let arguments: [[String]] = [
    ["run", "cities", "--timeout", "nan"], ["run", "cities", "--timeout", "inf"], ["run", "cities", "--timeout", "-1"],
    ["run", "cities", "--timeout", "1e300"], ["down", "--timeout", "nan"], ["down", "--timeout", "1e99"],
    ["runs", "list", "--limit", "-1"], ["runs", "list", "--limit", "99999999999999999999"],
    ["jobs", "list", "--limit", "0"],
    ["releases", "list", "--limit", "-9223372036854775808"], ["up", "--port", "70000"], ["up", "--slots", "0"],
    ["up", "--slots", "9223372036854775807"], ["up", "--workers", "-1"], ["control", "--port", "-1"],
    ["worker", "--slots", "9223372036854775807"], ["check", "--env", "../x"], ["check", "--env", ""],
    ["check", "--env", "a/b"], ["scale", "1001", "--for", "1h", "--reason", "r"],
    ["scale", "5", "--for", "nan", "--reason", "r"], ["scale", "5", "--for", "721h", "--reason", "r"],
    ["runs", "--env", "x\ny"],
  ]

  @Test("is exit 2 with a reason, and nothing is started", arguments: arguments)
  func refused(arguments: [String]) async throws {
    try await TestProject.withProject { project in
      try project.write("pipelines/p.yaml", "pipeline: p\n")
      let outcome = try await Installed(project).call(arguments)
      #expect(outcome.status == 2, "\(outcome.errors)")
      #expect(!outcome.errors.isEmpty)
      #expect(!project.exists(".sluice"))
    }
  }

  @Test("an environment of the variable is a name too")
  func environment() async throws {
    try await TestProject.withProject { project in
      try project.write("pipelines/p.yaml", "pipeline: p\n")
      let outcome = try await Installed(project)("status", adding: ["SLUICE_ENV": "../x"])
      #expect(outcome.status == 2)
      #expect(outcome.errors.contains("\"../x\" is not a name"))
      #expect(!project.exists(".sluice"))
    }
  }

  @Test(
    "a label is one line with something in it",
    arguments: ["", "  ", "a\nb", "7", "x\u{1B}[2J", String(repeating: "x", count: 201)])
  func label(text: String) async throws {
    try await TestProject.withProject { project in
      let outcome = try await Installed(project)("deploy", "--plan", "--label", text)
      #expect(outcome.status == 2)
      #expect(!project.exists(".sluice"))
      #expect(outcome.errors.contains("--label: the label"))
    }
  }
}
