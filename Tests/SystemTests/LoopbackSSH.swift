import FoundationEssentials
import Glibc
import Launchers
import Subprocess
import SystemPackage
import TestSupport

/// An sshd of a test's own on loopback, with keys that are made for it; everything is in the test's folder.
struct LoopbackSSH: Sendable {
  private static let program = "/usr/sbin/sshd"

  /// Continuous integration installs it; scripts/setup.sh alone does not, because its package starts a server on the machine.
  static var isInstalled: Bool { access(program, X_OK) == 0 }

  let pid: Int32
  /// What a shell calls to get to 127.0.0.1.
  let command: String

  /// Starts it, and returns once it lets the user in.
  static func start(in project: TestProject) async throws -> LoopbackSSH {
    let folder = project.path("ssh")
    try FileManager.default.createDirectory(
      atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    // sshd separates its privileges in this folder where it runs as root.
    if getuid() == 0 { _ = mkdir("/run/sshd", 0o755) }
    for key in ["host", "user"] {
      try await call("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "\(folder)/\(key)")
    }
    try project.write("ssh/authorized_keys", try project.text("ssh/user.pub"))
    let port = try freePort()
    try project.write(
      "ssh/sshd_config",
      """
      ListenAddress 127.0.0.1
      Port \(port)
      HostKey \(folder)/host
      AuthorizedKeysFile \(folder)/authorized_keys
      PidFile none
      StrictModes no
      UsePAM no
      PasswordAuthentication no
      PermitRootLogin prohibit-password

      """)
    let keys = try project.text("ssh/host.pub").split(separator: " ").prefix(2).joined(separator: " ")
    try project.write("ssh/known_hosts", "[127.0.0.1]:\(port) \(keys)\n")
    try project.write(
      "ssh/config",
      """
      Port \(port)
      IdentityFile \(folder)/user
      IdentitiesOnly yes
      IdentityAgent none
      UserKnownHostsFile \(folder)/known_hosts
      StrictHostKeyChecking yes
      BatchMode yes
      ConnectTimeout 10

      """)
    let pid = try DetachedProcess(
      executable: program, arguments: ["-D", "-e", "-f", "\(folder)/sshd_config"],
      environment: ProcessInfo.processInfo.environment, directory: folder, logPath: "\(folder)/log"
    ).start()
    let ssh = LoopbackSSH(pid: pid, command: "ssh -F \(folder)/config")
    do {
      try await eventually("sshd lets the user in") {
        try await Self.status("ssh", "-F", "\(folder)/config", "127.0.0.1", "true") == 0
      }
    } catch {
      ssh.stop()
      throw TestSupportError("\(error): \(try project.text("ssh/log"))")
    }
    return ssh
  }

  func stop() {
    kill(pid, SIGKILL)
    var status: Int32 = 0
    waitpid(pid, &status, 0)
  }

  private static func call(_ program: String, _ arguments: String...) async throws {
    guard try await status(program, arguments) == 0 else { throw TestSupportError("\(program) failed") }
  }

  private static func status(_ program: String, _ arguments: String...) async throws -> Int {
    try await status(program, arguments)
  }

  private static func status(_ program: String, _ arguments: [String]) async throws -> Int {
    let result = try await run(
      .name(program), arguments: Arguments(arguments), output: .discarded, error: .discarded)
    if case .exited(let code) = result.terminationStatus { return Int(code) }
    return -1
  }

  private static func freePort() throws -> UInt16 {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = in_addr_t(INADDR_LOOPBACK).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isBound = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, length) == 0 && getsockname(descriptor, $0, &length) == 0
      }
    }
    guard isBound else { throw TestSupportError("no port is free") }
    return UInt16(bigEndian: address.sin_port)
  }
}
