import FoundationEssentials
import Glibc
import Subprocess
import SystemPackage
import TestSupport
import Testing

@testable import sluice

@Suite("What belongs to one user alone")
struct PrivacyTests {
  @Test("everything under .sluice and the storage is 0700 and 0600 whatever the umask; what the user gets is not")
  func modes() async throws {
    try await TestProject.withProject { project in
      try project.write("sluice.yaml", "storage: \"file:objects\"\nlimits: {slots: 1}\n")
      let sluice = Installed(project)
      try await Self.openly(sluice, "init")
      #expect(Self.mode(project.path("pipelines/cities.yaml")) == 0o666)
      try await Self.openly(sluice, "up", "--detach", "--workers", "1")
      try await Self.openly(sluice, "deploy", "--label", "v1")
      try await Self.openly(sluice, "run", "cities", "--wait")
      try await Self.openly(sluice, "query", "select * from cities")
      for folder in [".sluice", "objects"] {
        let open = Self.open(project.path(folder))
        #expect(open.isEmpty, "\(open)")
      }
      #expect(Self.mode(project.path(Installed.controlFile("token"))) == 0o600)
      #expect(Self.mode(project.path(Installed.controlFile("json"))) == 0o600)
      #expect(try await sluice("down").status == 0)
    }
  }

  @Test("what an older version left open is told by doctor, and tightened by the next start")
  func tightened() async throws {
    try await TestProject.withProject { project in
      let sluice = Installed(project)
      #expect(try await sluice("init").status == 0)
      #expect(try await sluice("run", "cities").status == 0)
      for path in [".sluice", ".sluice/storage", ".sluice/local", ".sluice/storage/raw"] {
        #expect(chmod(project.path(path), 0o755) == 0)
      }
      let doctor = try await sluice("doctor", "--json")
      let check = try doctor.json("checks").list.first { $0["name"].text == "private files" }
      #expect(check?["ok"] == .bool(false))
      #expect(check?["fix"].text == "chmod -R go= '\(project.path(".sluice"))'")
      #expect(try await sluice("status").status == 0)
      let open = Self.open(project.path(".sluice"))
      #expect(open.isEmpty, "\(open)")
      let again = try await sluice("doctor", "--json").json("checks").list
      #expect(again.first { $0["name"].text == "private files" }?["ok"] == .bool(true))
    }
  }

  @Test("the API wants the token of the control that runs; each start makes a new one")
  func token() async throws {
    try await TestProject.withProject { project in
      let sluice = Installed(project)
      #expect(try await sluice("init").status == 0)
      var tokens: [String] = []
      for _ in 0..<2 {
        let up = try await sluice("up", "--detach", "--workers", "0", "--json")
        #expect(up.status == 0, "\(up.errors)")
        let url = try #require(try up.json("control_url").text)
        let token = try #require(ControlToken.read(project.path(".sluice/local")))
        #expect(try up.json("token_file").text == project.path(Installed.controlFile("token")))
        #expect(try await Self.ask(url + "/v1/status") == "401")
        #expect(try await Self.ask(url + "/v1/status", token: token) == "200")
        for former in tokens { #expect(try await Self.ask(url + "/v1/status", token: former) == "401") }
        for log in ["control.log"] { #expect(try !project.text(".sluice/local/logs/\(log)").contains(token)) }
        tokens.append(token)
        #expect(try await sluice("down").status == 0)
        #expect(!project.exists(Installed.controlFile("token")))
      }
    }
  }

  @Test("control that another one becomes keeps the token, unless others could have read it")
  func succession() async throws {
    try await TestProject.withProject { project in
      let state = project.path(".sluice/local")
      let first = try ControlToken(state, isSuccessor: true)
      #expect(try ControlToken(state, isSuccessor: true).text == first.text)
      let second = try ControlToken(state, isSuccessor: false)
      #expect(second.text != first.text)
      first.remove(state)
      #expect(ControlToken.read(state) == second.text)
      #expect(chmod(ControlToken.path(state), 0o644) == 0)
      let third = try ControlToken(state, isSuccessor: true)
      #expect(third.text != second.text)
      #expect(Self.mode(ControlToken.path(state)) == 0o600)
      third.remove(state)
      #expect(ControlToken.read(state) == nil)
    }
  }

  /// Runs a verb with a umask that takes no right away.
  private static func openly(_ sluice: Installed, _ verb: String...) async throws {
    let result = try await run(
      .path("/bin/sh"), arguments: Arguments(["-c", "umask 0; exec \"$0\" \"$@\"", Installed.program] + verb),
      environment: .custom(
        Dictionary(uniqueKeysWithValues: sluice.environment.map { (Environment.Key(stringLiteral: $0.key), $0.value) })),
      workingDirectory: FilePath(sluice.project.directory), output: .discarded, error: .string(limit: 1 << 16))
    guard result.terminationStatus.isSuccess else {
      throw TestSupportError("sluice \(verb): \(result.standardError)")
    }
  }

  /// The status code of an answer.
  private static func ask(_ url: String, token: String? = nil) async throws -> String {
    let header = token.map { ["-H", "Authorization: Bearer \($0)"] } ?? []
    return try await run(
      .name("curl"), arguments: Arguments(["-s", "-o", "/dev/null", "-w", "%{http_code}"] + header + [url]),
      output: .string(limit: 4096), error: .discarded
    ).standardOutput
  }

  private static func mode(_ path: String) -> mode_t? {
    var status = stat()
    return lstat(path, &status) == 0 ? status.st_mode & 0o777 : nil
  }

  /// What others have rights on, below a folder and itself.
  private static func open(_ folder: String) -> [String] {
    var (found, pending) = ([String](), [folder])
    while let path = pending.popLast() {
      var status = stat()
      guard lstat(path, &status) == 0, status.st_mode & S_IFMT != S_IFLNK else { continue }
      if status.st_mode & 0o077 != 0 { found.append("\(path) \(String(status.st_mode & 0o777, radix: 8))") }
      guard status.st_mode & S_IFMT == S_IFDIR else { continue }
      pending += ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).map { path + "/" + $0 }
    }
    return found
  }
}
