import FoundationEssentials
import Launchers
import Synchronization
import TestSupport
import Testing

@Suite("Launchers")
struct LauncherConformanceTests {
  /// Where starts of the local launcher wait.
  private final class Gate: Sendable {
    let fault = Mutex(LauncherConformance.Fault.none)
    var isSlow: Bool { fault.withLock { $0 == .slow } }
  }

  /// A worker is known by a lock, as a worker of Sluice is.
  private static let worker = """
    import fcntl, os, signal, sys
    path = os.path.join(sys.argv[1], "worker-" + os.environ["SLUICE_LAUNCH_ID"])
    while True:
        file = open(path, "w")
        fcntl.lockf(file, fcntl.LOCK_EX)
        # A look at the table removes what has no lock yet.
        if os.path.exists(path) and os.stat(path).st_ino == os.fstat(file.fileno()).st_ino: break
    signal.pause()
    """

  @Test("processes of this machine conform")
  func local() async throws {
    try await TestProject.withProject { project in
      let folder = project.path("processes")
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      let gate = Gate()
      let command: LocalProcessLauncher.Command = { _ in
        if gate.fault.withLock({ $0 == .refused }) { throw LauncherError(code: "engine", message: "there is no room") }
        try await eventually("the start may end") { !gate.isSlow }
        let isDying = gate.fault.withLock { $0 == .dying }
        return DetachedProcess(
          executable: isDying ? "/bin/false" : "/usr/bin/env",
          arguments: isDying ? [] : ["python3", "-c", Self.worker, folder],
          environment: ProcessInfo.processInfo.environment, directory: folder, logPath: project.path("log"))
      }
      let launcher = LocalProcessLauncher(processes: ProcessTable(folder: folder), host: "here", command: command)
      let successor = LocalProcessLauncher(processes: ProcessTable(folder: folder), host: "here", command: command)
      try await LauncherConformance(
        launcher: launcher, successor: successor, faults: [.refused, .slow, .dying],
        set: { fault in gate.fault.withLock { $0 = fault } },
        registration: { RegisteredWorker(host: "here", pid: Int32($0.description) ?? 0, launch: $1.id) }
      ).check()
      #expect(launcher.handle(of: RegisteredWorker(host: "elsewhere", pid: 1)) == nil)
    }
  }

  @Test("a command conforms")
  func command() async throws {
    try await TestProject.withProject { project in
      try CommandPlatform.make(in: project)
      let make = { CommandPlatform.launcher(in: project) }
      try await LauncherConformance(
        launcher: make(), successor: make(), faults: [.refused, .slow, .dying, .lost],
        set: { try project.write("fault", $0.rawValue) },
        registration: { RegisteredWorker(host: "far", pid: 1, launch: $1.id) }
      ).check()
    }
  }
}

/// A command that keeps its workers as files: of a test, with the faults of ``LauncherConformance``.
enum CommandPlatform {
  static let script = """
    #!/bin/sh
    set -eu
    cd "$(dirname "$0")"
    mkdir -p workers
    fault=$(cat fault 2>/dev/null || :)
    echo "$*" >>calls
    case $1 in
    start)
      case $fault in
      refused) echo "there is no room" >&2; exit 3 ;;
      slow) while [ "$(cat fault)" = slow ]; do sleep 0.02; done ;;
      esac
      [ "$fault" = dying ] || : >"workers/$2"
      [ "$fault" != lost ] || exit 9
      ;;
    stop) rm -f "workers/$2" ;;
    list)
      for each in workers/*; do
        if [ -e "$each" ]; then printf '{"id":"%s"}\\n' "${each#workers/}"; fi
      done
      ;;
    esac
    """

  static func make(in project: TestProject, _ script: String = script) throws {
    try project.write("launch", script + "\n")
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: project.path("launch"))
  }

  static func launcher(
    in project: TestProject, timeLimit: Duration = .seconds(60), secrets: [String: String] = [:]
  ) -> CommandLauncher {
    CommandLauncher(
      command: ["./launch"], owner: "sluice-test", directory: project.directory, timeLimit: timeLimit
    ) { launch in
      CommandLauncher.Surroundings(
        variables: ["PATH": "/usr/bin:/bin", "RELEASE": launch.map { "\($0.release)" } ?? ""], secrets: secrets)
    }
  }
}
