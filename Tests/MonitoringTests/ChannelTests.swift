import FoundationEssentials
import Monitoring
import TestSupport
import Testing

@Suite("Notification channels")
struct ChannelTests {
  private static let message = OutboxMessage(
    id: 42, kind: "failed", pipeline: "p", runID: 1, releaseID: 1, body: "{\"event\":\"failed\"}", channel: 0,
    attempt: 1)

  @Test("a webhook gets the body as JSON, with a number by which it knows a second delivery")
  func webhook() async throws {
    let receiver = try ScriptedReceiver(answer: "204 No Content")
    try await WebhookChannel(url: "http://127.0.0.1:\(receiver.port)/hook").deliver(Self.message)
    let request = try #require(receiver.requests.first)
    #expect(request.hasPrefix("POST /hook HTTP/1.1\r\n"))
    #expect(request.lowercased().contains("idempotency-key: sluice-42\r\n"))
    #expect(request.hasSuffix(Self.message.body))
  }

  @Test(
    "a webhook follows no redirect: the delivery fails, and tells neither address",
    arguments: [301, 302, 303, 307, 308])
  func redirect(status: Int) async throws {
    let other = try ScriptedReceiver(answer: "200 OK")
    let receiver = try ScriptedReceiver(
      answer: "\(status) Moved\r\nLocation: http://127.0.0.1:\(other.port)/t0ken/elsewhere")
    let error = await #expect(throws: NotificationError.self) {
      try await WebhookChannel(url: "http://user:passw0rd@127.0.0.1:\(receiver.port)/t0ken").deliver(Self.message)
    }
    #expect(error?.code == "webhook_redirect")
    #expect(error?.message.contains("\(status)") == true)
    let text = "\(String(describing: error)) \(error?.message ?? "") \(error?.hint ?? "")"
    for secret in ["t0ken", "passw0rd", "elsewhere"] { #expect(!text.contains(secret)) }
    #expect(receiver.requests.count == 1)
    #expect(other.requests.isEmpty)
  }

  @Test("a command gets the secrets that its rule names, and no other variable of this process but the usual ones")
  func environment() async throws {
    try await TestProject.withProject { project in
      try project.write(
        "notify.sh", "env | cut -d= -f1 | sort > names; echo \"$SLUICE_SECRET_PAGER\" > pager; cat > body\n")
      let channel = CommandChannel(
        command: ["sh", "notify.sh"], name: "sh", secrets: ["SLUICE_SECRET_PAGER": "p4ger"],
        environment: [
          "PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC", "SLUICE_DATABASE_URL": "postgresql://u:p@h/d",
          "SLUICE_SECRET_WAREHOUSE": "w", "SLUICE_ENV": "prod", "PGPASSWORD": "q", "AWS_SECRET_ACCESS_KEY": "k",
        ], directory: project.directory)
      try await channel.deliver(Self.message)
      // The shell sets some of its own.
      let names = Set(try project.text("names").split(separator: "\n").map(String.init))
        .subtracting(["PWD", "OLDPWD", "SHLVL", "_"])
      #expect(names == ["PATH", "LC_ALL", "TZ", "SLUICE_SECRET_PAGER"])
      #expect(try project.text("pager") == "p4ger\n")
      #expect(try project.text("body") == Self.message.body)
    }
  }

  @Test("a command that fails or is missing is called as the definition has it", arguments: ["false", "/none/s3cret"])
  func failing(command: String) async throws {
    let channel = CommandChannel(
      command: [command, "s3cret"], name: "secret:program", secrets: [:], environment: ["PATH": "/usr/bin:/bin"],
      directory: "/tmp")
    let error = await #expect(throws: NotificationError.self) { try await channel.deliver(Self.message) }
    #expect(error?.message.contains("secret:program") == true)
    #expect(error?.message.contains("s3cret") == false)
  }

  @Test(
    "a command that ends without reading its input is judged by its status",
    arguments: [("true", true), ("false", false)])
  func unread(command: String, succeeds: Bool) async throws {
    var message = Self.message
    // More than a pipe holds.
    message.body = String(repeating: "x", count: 1 << 20)
    let channel = CommandChannel(
      command: [command], name: command, secrets: [:], environment: ["PATH": "/usr/bin:/bin"], directory: "/tmp")
    for _ in 0..<5 {
      if succeeds {
        try await channel.deliver(message)
      } else {
        let error = await #expect(throws: NotificationError.self) { try await channel.deliver(message) }
        #expect(error?.code == "command_failed")
      }
    }
  }

  @Test("a command that hangs is killed with what it started, and the delivery is tried again")
  func hanging() async throws {
    try await TestProject.withProject { project in
      try project.write("notify.sh", "tail -f /dev/null & echo $! > child; wait\n")
      let channel = CommandChannel(
        command: ["sh", "notify.sh"], name: "sh", secrets: [:], environment: ["PATH": "/usr/bin:/bin"],
        directory: project.directory, timeLimit: .milliseconds(500))
      let error = await #expect(throws: NotificationError.self) { try await channel.deliver(Self.message) }
      #expect(error?.code == "command_timeout" && error?.isTransient == true)
      let child = String(try project.text("child").dropLast())
      try await eventually("the command's child has ended") {
        let status = try? String(contentsOfFile: "/proc/\(child)/status", encoding: .utf8)
        return status.map { $0.contains("State:\tZ") } ?? true
      }
    }
  }
}
