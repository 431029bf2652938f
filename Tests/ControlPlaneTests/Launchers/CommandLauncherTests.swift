import Glibc
import Launchers
import TestSupport
import Testing

@Suite("A launcher's command")
struct CommandLauncherTests {
  private let launch = Launch(owner: "sluice-test", release: 7, draw: "k3")

  private func error(
    of script: String, secrets: [String: String] = [:], timeLimit: Duration = .seconds(60),
    _ body: @escaping @Sendable (CommandLauncher) async throws -> Void
  ) async throws -> LauncherError {
    try await TestProject.withProject { project in
      try CommandPlatform.make(in: project, "#!/bin/sh\n" + script)
      let launcher = CommandPlatform.launcher(in: project, timeLimit: timeLimit, secrets: secrets)
      return try #require(await #expect(throws: LauncherError.self) { try await body(launcher) })
    }
  }

  static let endings: [(script: String, code: String, doubt: LauncherError.Doubt)] = [
    ("exit 3", "launcher_refused", .refused), ("exit 4", "launcher_busy", .refused),
    ("exit 1", "launcher_failed", .unknown), ("kill -9 $$", "launcher_failed", .unknown),
    ("yes", "launcher_output", .unknown), ("yes >&2", "launcher_output", .unknown),
  ]

  @Test("its exit status says whether a worker may have been started", arguments: endings)
  func ended(_ ending: (script: String, code: String, doubt: LauncherError.Doubt)) async throws {
    let launch = launch
    let error = try await error(of: ending.script) { _ = try await $0.start(launch) }
    #expect(error.code == ending.code)
    #expect(error.doubt == ending.doubt)
  }

  @Test("one that does not end is killed, and its answer counts as lost")
  func endless() async throws {
    let launch = launch
    let error = try await error(of: "sleep 1000", timeLimit: .milliseconds(100)) { _ = try await $0.start(launch) }
    #expect(error.code == "launcher_slow")
    #expect(error.doubt == .unknown)
  }

  @Test("one that is not there is named, and nothing was started")
  func missing() async throws {
    try await TestProject.withProject { project in
      let launcher = CommandPlatform.launcher(in: project)
      let launch = launch
      let error = await #expect(throws: LauncherError.self) { try await launcher.start(launch) }
      #expect(error?.code == "launcher_missing")
      #expect(error?.doubt == .refused)
      #expect(error?.message.contains("./launch") == true)
    }
  }

  @Test("what it leaves running keeps no call waiting")
  func daemon() async throws {
    try await TestProject.withProject { project in
      try CommandPlatform.make(in: project, "#!/bin/sh\nsleep 1000 &\necho $! >pid")
      let launch = launch
      #expect(try await CommandPlatform.launcher(in: project).start(launch).description == launch.id)
      let pid = try #require(Int32(project.text("pid").dropLast()))
      #expect(kill(pid, 0) == 0, "it is not killed with the command")
      kill(pid, SIGKILL)
    }
  }

  @Test("its reason is one short line, without control characters and without the secrets it was given")
  func reason() async throws {
    let launch = launch
    let script = #"""
      printf 'first\nno \033[31mroom\007 for %s\342\200\256 %0400d\n\n' "$SLUICE_SECRET_A" 7 >&2
      exit 3
      """#
    let error = try await error(of: script, secrets: ["SLUICE_SECRET_A": "hunter2-hunter2"]) {
      _ = try await $0.start(launch)
    }
    #expect(error.message.hasPrefix("./launch start was refused: no [31mroom for *** 000"), "\(error.message)")
    #expect(error.message.count < 400)
    #expect(!error.message.contains("hunter2"))
    let none = try await self.error(of: "exit 3") { _ = try await $0.start(launch) }
    #expect(none.message.hasSuffix("it wrote no reason to standard error"))
  }

  /// What a command says, the secret that it was given, and what must not be shown of it.
  static let leaks: [(said: String, secret: String, hidden: [String])] = [
    (
      #"bad hunter2-SECRETpart-ONE\033more-SECRETpart-TWO"#, "hunter2-SECRETpart-ONE\u{1b}more-SECRETpart-TWO",
      ["SECRET"]
    ),
    (#"bad hunter2-SECRETpart-ONE"#, "hunter2-SECRETpart-ONE\u{1b}more-SECRETpart-TWO", ["SECRET"]),
    (#"bad h\000u\000n\000t\000e\000r\0002\000S\000E\000C\000"#, "hunter2SEC", ["S E C", "SEC", "h u"]),
    (#"bad hunter2\377SECRET"#, "hunter2SECRET", ["SECRET", "hunter2"]),
    (#"bad hunter2\nSECRETpart"#, "hunter2SECRETpart", ["SECRET"]),
    ("bad password hunter2SECRETpw", "postgres://sluice:hunter2SECRETpw@db.example:5432/x", ["SECRET"]),
    ("bad password hunter2/SECRETpw", "postgres://sluice:hunter2/SECRETpw@db.example:5432/x", ["SECRET"]),
    ("bad password hunter2@SECRET", "postgres://sluice:hunter2%40SECRET@db.example/x", ["SECRET"]),
    ("bad ghp_SECRETtoken", "https://ghp_SECRETtoken@git.example/x", ["SECRET"]),
    ("bad SECRETpw", "host=db user=u password=SECRETpw sslmode=require", ["SECRET"]),
    ("bad SECRET:pw", #"{"user": "u", "password": "SECRET:pw"}"#, ["SECRET"]),
    ("bad SECRETsig==", "https://store.example/x?sv=1&sig=SECRETsig==&se=2", ["SECRET"]),
    ("bad SECRETpw", "user:SECRETpw", ["SECRET"]),
  ]

  @Test("its reason shows no part of a secret, whatever stands between its characters", arguments: leaks)
  func parts(_ leak: (said: String, secret: String, hidden: [String])) async throws {
    let launch = launch
    let script = "printf '\(leak.said.replacing("%", with: "%%"))' >&2; exit 3"
    let error = try await error(of: script, secrets: ["SLUICE_SECRET_A": leak.secret]) {
      _ = try await $0.start(launch)
    }
    for part in leak.hidden { #expect(!error.message.contains(part), "\(error.message)") }
    #expect(error.message.contains("***"), "\(error.message)")
  }

  @Test("what is no secret of one stays: the host and the user of a URL")
  func harmless() async throws {
    let launch = launch
    let error = try await error(
      of: "echo 'db.example: no role sluice, sslmode require' >&2; exit 3",
      secrets: ["SLUICE_SECRET_A": "postgres://sluice:hunter2SECRETpw@db.example:5432/x?sslmode=require"]
    ) { _ = try await $0.start(launch) }
    #expect(error.message.hasSuffix("db.example: no role sluice, sslmode require"), "\(error.message)")
  }

  /// What a list must not look like, in words of printf.
  static let lists = [
    "sluice-test.7.k3", "[]", "{}", #"{"id":7}"#, #"{"id":"a b"}"#, #"{"id":"$(reboot)"}"#, #"{"id":"../x"}"#,
    #"{"id":"sluice-test.7.\\033[2J"}"#, #"{"id":"-rf"}"#, #"{"id":""}"#, #"{"id":"sluice-test.7.k3"}\nerror: x"#,
    #"\377\376"#, #"{"id":"%0200d"}"#, #"{"id":"x","more":"%05000d"}"#,
  ]

  @Test("a list of which one line is not understood is not believed at all", arguments: lists)
  func list(_ text: String) async throws {
    let error = try await error(of: "printf '\(text)\\n' 7") { _ = try await $0.list() }
    #expect(error.code == "launcher_list")
    #expect(error.message.contains("line"))
    #expect(error.message.unicodeScalars.allSatisfy { $0.value >= 32 })
  }

  @Test("names of other installations are passed over: they are neither counted nor stopped")
  func foreign() async throws {
    try await TestProject.withProject { project in
      let lines = [
        "sluice-other.7.k3", "sluice-test.7.k3", "sluice-test.7.k3", "sluice-test", "sluice-test.x.k3", "worker-1",
      ].map { #"{"id":"\#($0)","host":"far","pid":12,"more":[1]}"# }
      try CommandPlatform.make(
        in: project,
        "#!/bin/sh\necho \"$*\" >>calls\n[ $1 != list ] || cat <<'END'\n\(lines.joined(separator: "\n\n"))\nEND")
      let launcher = CommandPlatform.launcher(in: project)
      #expect(try await launcher.list() == [ListedWorker(WorkerHandle(launch.id), launch: launch)])
      try await launcher.stop(WorkerHandle("sluice-other.7.k3"))
      #expect(try project.text("calls") == "list\n")
      // Of an engine that registers without a name, the place says which one it is.
      #expect(launcher.handle(of: RegisteredWorker(host: "far", pid: 12)) == WorkerHandle(launch.id))
      #expect(launcher.handle(of: RegisteredWorker(host: "far", pid: 13)) == nil)
      #expect(launcher.handle(of: RegisteredWorker(host: "far", pid: 12, launch: "sluice-other.7.k3")) == nil)
    }
  }

  @Test("the name of a launch needs no quotes, and says of whom and of which release it is")
  func names() {
    #expect(launch.id == "sluice-test.7.k3")
    #expect(Launch(id: launch.id, owner: "sluice-test") == launch)
    for other in [
      "", "sluice-test.7", "sluice-test.7.", "sluice-test.-1.k3", "sluice-test.7.k3.4", "x.7.k3", "a/b.7.k",
    ] {
      #expect(Launch(id: other, owner: "sluice-test") == nil, "\(other)")
    }
    for name in ["", ".", "-x", "a b", "a\n", "é", "a'b", String(repeating: "a", count: 129)] {
      #expect(!Launch.isName(name), "\(name)")
      #expect(Launch.named(in: [Launch.variable: name]) == nil)
    }
    #expect(Launch.named(in: [Launch.variable: launch.id]) == launch.id)
  }
}
