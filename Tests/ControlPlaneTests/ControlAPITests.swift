import Glibc
import JobModel
import Logging
import TestSupport
import Testing

@testable import ControlPlane

@Suite("Control API")
struct ControlAPITests {
  static let token = "0123456789abcdef"
  static let authorization = "Authorization: Bearer \(token)"

  /// An API that is up, and what it was asked to do.
  struct Bench: Sendable {
    let api: ControlAPI
    let port: Int
    let statuses = Counter()

    func ask(
      _ line: String, _ headers: [String] = [authorization], host: String? = "127.0.0.1", body: String? = nil
    ) async throws -> String {
      try await RawClient.ask(port, line, headers, host: host, body: body)
    }
  }

  static func with(
    limits: ControlLimits = ControlLimits(),
    status: @escaping @Sendable () async throws -> StatusReport = { .empty },
    scaling: @escaping @Sendable () async throws -> ScalingAnswer = { throw TestSupportError("not asked for") },
    start: @escaping @Sendable (String, String?) async throws -> ControlAPI.StartedRun = { pipeline, _ in
      ControlAPI.StartedRun(run: 7, pipeline: pipeline, release: 1)
    },
    _ body: @escaping @Sendable (Bench) async throws -> Void
  ) async throws {
    let socket = try ListeningSocket.open(port: 0, environment: [:])
    let (ready, isReady) = AsyncStream<Void>.makeStream()
    let api = ControlAPI(
      socket: socket, requestGuard: RequestGuard(token: token, hint: "read the file"), limits: limits,
      logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, status: status, scaling: scaling,
      start: start, onReady: { _ in isReady.finish() })
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await api.run() }
      group.addTask {
        for await _ in ready {}
        try await body(Bench(api: api, port: socket.port))
      }
      try await group.next()
      group.cancelAll()
    }
  }

  @Test("a client with the token is answered; health tells nothing but that it is there")
  func answers() async throws {
    try await Self.with { bench in
      let status = try await bench.ask("GET /v1/status")
      #expect(status.hasPrefix("HTTP/1.1 200"), "\(status)")
      #expect(status.contains("\"environment\":\"e\""))
      let run = try await bench.ask(
        "POST /v1/runs", [Self.authorization, "Content-Type: application/json"], body: "{\"pipeline\":\"p\"}")
      #expect(run.hasPrefix("HTTP/1.1 201"), "\(run)")
      let health = try await bench.ask("GET /health", [])
      #expect(health.hasSuffix("{\"ok\":true}"), "\(health)")
      let none = try await bench.ask("GET /v2")
      #expect(none.hasPrefix("HTTP/1.1 404"), "\(none)")
    }
  }

  /// What a request lacks, and the answer.
  static let refusals: [(line: String, host: String?, headers: [String], status: Int, code: String)] = [
    ("GET /v1/status", "127.0.0.1", [], 401, "unauthorized"),
    ("GET /v1/scaling", "127.0.0.1", [], 401, "unauthorized"),
    ("GET /v1/status", "127.0.0.1", ["Authorization: Bearer 0123456789abcdee"], 401, "unauthorized"),
    ("GET /v1/status", "127.0.0.1", ["Authorization: Bearer 0123456789abcde"], 401, "unauthorized"),
    ("GET /v1/status", "127.0.0.1", ["Authorization: Bearer 0123456789abcdef0"], 401, "unauthorized"),
    ("GET /v1/status", "127.0.0.1", ["Authorization: Bearer "], 401, "unauthorized"),
    ("GET /v1/status", "127.0.0.1", ["Authorization: Basic 0123456789abcdef"], 401, "unauthorized"),
    ("GET /v1/status?token=0123456789abcdef", "127.0.0.1", [], 401, "unauthorized"),
    ("POST /v1/runs", "127.0.0.1", ["Content-Type: application/json"], 401, "unauthorized"),
    ("GET /nothing", "127.0.0.1", [], 401, "unauthorized"),
    ("DELETE /v1/runs", "127.0.0.1", [], 401, "unauthorized"),
    ("GET /v1/status", "sluice.example:80", [authorization], 403, "foreign_host"),
    ("OPTIONS /v1/runs", "sluice.example", [authorization], 403, "foreign_host"),
    ("HEAD /health", "127.0.0.1.sluice.example", [authorization], 403, "foreign_host"),
    ("GET /health", "localhost.", [authorization], 403, "foreign_host"),
    ("GET /health", "user@localhost", [authorization], 403, "foreign_host"),
    ("GET /health", "localhost:port", [authorization], 403, "foreign_host"),
    ("GET /health", "", [authorization], 400, "no_host"),
    ("GET /v1/status", "127.0.0.1", [authorization, "Origin: http://sluice.example"], 403, "foreign_origin"),
    ("GET /health", "127.0.0.1", ["Origin: null"], 403, "foreign_origin"),
    ("GET /v1/status", "localhost:80", [authorization, "Origin: http://localhost:81"], 403, "foreign_origin"),
    ("GET /v1/status", "127.0.0.1", [authorization, "Sec-Fetch-Site: cross-site"], 403, "foreign_origin"),
    ("GET /v1/status", "127.0.0.1", [authorization, "Sec-Fetch-Site: same-site"], 403, "foreign_origin"),
    ("POST /v1/runs", "127.0.0.1", [authorization, "Content-Type: text/plain"], 415, "usage"),
    ("GET /health", "127.0.0.1", [authorization, "Host: 127.0.0.1"], 400, "no_host"),
    ("GET /health", "127.0.0.1", [authorization, "host: sluice.example"], 400, "no_host"),
    ("GET http://sluice.example/health", "127.0.0.1", [authorization], 403, "foreign_host"),
    ("GET http://localhost@sluice.example/health", "127.0.0.1", [authorization], 403, "foreign_host"),
    ("GET /v2", "127.0.0.1", [authorization], 404, "not_found"),
    ("GET /", "127.0.0.1", [authorization], 404, "not_found"),
    ("DELETE /v1/runs", "127.0.0.1", [authorization], 405, "wrong_method"),
    ("POST /health", "127.0.0.1", [authorization], 405, "wrong_method"),
    ("GET", "127.0.0.1", [authorization], 400, "usage"),
  ]

  @Test("a request without the token, for another host or from a page elsewhere is refused, whatever its method")
  func refused() async throws {
    let started = Counter()
    let gathered = Counter()
    try await Self.with(
      status: {
        gathered.next()
        return .empty
      },
      start: { _, _ in
        started.next()
        throw TestSupportError("not to be called")
      },
      { bench in
        for (line, host, headers, status, code) in Self.refusals {
          let answer = try await bench.ask(line, headers, host: host, body: line.hasPrefix("POST") ? "{}" : nil)
          #expect(answer.hasPrefix("HTTP/1.1 \(status) "), "\(line) of \(host ?? "none") with \(headers): \(answer)")
          // The answer to HEAD has no body.
          #expect(line.hasPrefix("HEAD") || answer.contains("\"code\":\"\(code)\""), "\(line): \(answer)")
          #expect(!answer.contains(Self.token))
          if status == 401 {
            #expect(answer.contains("\"hint\":\"read the file\""))
            #expect(answer.lowercased().contains("www-authenticate: bearer"))
          }
        }
        #expect(try await bench.ask("GET /v1/status", host: nil).hasPrefix("HTTP/1.1 400 "))
      })
    #expect(started.value == 0 && gathered.value == 0)
  }

  @Test("a name that the database cannot keep is an unknown pipeline")
  func nul() async throws {
    try await Self.with { bench in
      let answer = try await bench.ask(
        "POST /v1/runs", [Self.authorization, "Content-Type: application/json"], body: "{\"pipeline\":\"p\\u0000\"}")
      #expect(answer.hasPrefix("HTTP/1.1 404 ") && answer.contains("\"code\":\"unknown_pipeline\""), "\(answer)")
    }
  }

  @Test("a client that waits for 100 Continue gets it, and then its answer; an absolute target may name loopback")
  func expectation() async throws {
    try await Self.with { bench in
      let answer = try await bench.ask(
        "POST http://localhost/v1/runs",
        [Self.authorization, "Content-Type: application/json", "Expect: 100-continue"], body: "{\"pipeline\":\"p\"}")
      #expect(answer.hasPrefix("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 "), "\(answer)")
    }
  }

  @Test("loopback has three names, with any port, and a page of the API's own origin may ask")
  func allowed() async throws {
    try await Self.with { bench in
      for host in ["127.0.0.1", "localhost", "LOCALHOST:1", "[::1]", "[::1]:65535", "127.0.0.1:8080"] {
        let answer = try await bench.ask(
          "GET /v1/status",
          ["authorization: bearer \(Self.token)", "Origin: http://\(host)", "Sec-Fetch-Site: same-origin"],
          host: host)
        #expect(answer.hasPrefix("HTTP/1.1 200 "), "\(host): \(answer)")
      }
    }
  }

  @Test("a client that goes away has its work cancelled, and leaves nothing behind")
  func disconnect() async throws {
    let (begun, cancelled) = (Counter(), Counter())
    let block: @Sendable () async throws -> Never = {
      begun.next()
      await waitForCancellation()
      cancelled.next()
      throw CancellationError()
    }
    var limits = ControlLimits()
    limits.statusLifetime = .milliseconds(50)
    try await Self.with(
      limits: limits, status: { try await block() }, start: { _, _ in try await block() },
      { bench in
        let run = RawClient.text(
          "POST /v1/runs", [Self.authorization, "Content-Type: application/json"], body: "{\"pipeline\":\"p\"}")
        let status = RawClient.text("GET /v1/status", [Self.authorization])
        let clients = try [run, status, status].map { text in
          let client = try RawClient(port: bench.port)
          client.send(text)
          return client
        }
        try await eventually("the run and the status are worked on") {
          begun.value == 2 && bench.api.connections.answering == 3
        }
        for client in clients { client.leave() }
        try await eventually("both are cancelled") { cancelled.value == 2 }
        try await eventually("nothing is left") {
          bench.api.connections.answering == 0 && bench.api.connections.count == 0
        }
      })
  }

  @Test("beyond the most requests at once a client gets 503 and Retry-After, and the others their answers")
  func busy() async throws {
    var limits = ControlLimits()
    limits.maxRequests = 2
    // A machine that is busy with other suites may leave a connection unread for longer than the limit of a request.
    (limits.requestLimit, limits.idleLimit, limits.answerLimit) = (.seconds(300), .seconds(300), .seconds(300))
    let gate = AsyncStream<Void>.makeStream()
    try await Self.with(
      limits: limits,
      status: {
        for await _ in gate.stream {}
        return .empty
      },
      { bench in
        async let first = bench.ask("GET /v1/status")
        async let second = bench.ask("GET /v1/status")
        try await eventually("both are being answered") { bench.api.connections.answering == 2 }
        let third = try await bench.ask("GET /v1/status")
        #expect(third.hasPrefix("HTTP/1.1 503 "), "\(third)")
        #expect(third.lowercased().contains("retry-after: 1"))
        // Without the token it counts as nothing.
        #expect(try await bench.ask("GET /v1/status", []).hasPrefix("HTTP/1.1 401 "))
        gate.continuation.finish()
        for answer in try await [first, second] { #expect(answer.hasPrefix("HTTP/1.1 200 "), "\(answer)") }
        #expect(try await bench.ask("GET /v1/status").hasPrefix("HTTP/1.1 200 "))
      })
  }

  @Test("a head, a body or a wait that is too large is refused")
  func tooLarge() async throws {
    var limits = ControlLimits()
    limits.answerLimit = .milliseconds(50)
    try await Self.with(
      limits: limits,
      start: { _, _ in
        await waitForCancellation()
        throw CancellationError()
      },
      { bench in
        let standard = ControlLimits()
        let long = String(repeating: "x", count: standard.maxHeadBytes)
        let head = try await bench.ask("GET /health", ["X: \(long)"])
        #expect(head.hasPrefix("HTTP/1.1 400 ") && head.contains("\"code\":\"usage\""), "\(head)")
        #expect(try await bench.ask("GET /\(long)", []).hasPrefix("HTTP/1.1 400 "))
        let many = (0...standard.maxHeaders).map { "X-\($0): y" }
        #expect(try await bench.ask("GET /health", many).hasPrefix("HTTP/1.1 400 "))
        let json = [Self.authorization, "Content-Type: application/json"]
        let large = String(repeating: " ", count: standard.maxBodyBytes + 1)
        let answer = try await bench.ask("POST /v1/runs", json, body: large)
        #expect(answer.hasPrefix("HTTP/1.1 413 "), "\(answer)")
        let slow = try await bench.ask("POST /v1/runs", json, body: "{\"pipeline\":\"p\"}")
        #expect(slow.hasPrefix("HTTP/1.1 503 "), "\(slow)")
      })
  }

  @Test("connections that say nothing, or never stop, keep no client out and are closed")
  func silent() async throws {
    var limits = ControlLimits()
    limits.maxConnections = 4
    limits.requestLimit = .milliseconds(300)
    try await Self.with(limits: limits) { [limits] bench in
      let silent = try (0..<12).map { _ in try RawClient(port: bench.port) }
      for client in silent { client.send("GET /health HTTP/1.1\r\n") }
      try await eventually("all are accepted") { bench.api.connections.accepted == UInt64(silent.count) }
      #expect(bench.api.connections.count <= limits.maxConnections)
      // The limit of a request is the client's too, and a busy machine may take longer to read it.
      try await eventually("a client is answered") {
        try await bench.ask("GET /v1/status").hasPrefix("HTTP/1.1 200 ")
      }
      for client in silent { #expect(await client.rest() == "") }
      try await eventually("nothing is left") { bench.api.connections.count == 0 }
    }
  }

  @Test("the API listens on loopback and nowhere else, also when a socket is handed to it")
  func loopbackOnly() throws {
    for address in ["0.0.0.0", "192.0.2.1", "128.0.0.1"] {
      let error = #expect(throws: StageFailure.self) {
        try ListeningSocket.open(address: address, port: 0, environment: [:])
      }
      #expect(error?.code == "not_loopback", "\(address)")
    }
    for (address, isTaken) in [(INADDR_ANY, false), (INADDR_LOOPBACK, true)] {
      let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
      var wanted = sockaddr_in()
      wanted.sin_family = sa_family_t(AF_INET)
      wanted.sin_addr.s_addr = in_addr_t(address).bigEndian
      let status = withUnsafePointer(to: &wanted) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
      }
      #expect(status == 0 && listen(descriptor, 1) == 0)
      let environment = [ListeningSocket.variable: "\(descriptor)"]
      if isTaken {
        // It closes the descriptor when it goes.
        #expect(try ListeningSocket.open(port: 0, environment: environment).descriptor == descriptor)
      } else {
        #expect(throws: StageFailure.self) { try ListeningSocket.open(port: 0, environment: environment) }
        close(descriptor)
      }
    }
  }
}

extension StatusReport {
  static var empty: StatusReport {
    StatusReport(
      environment: "e", releases: [], stages: [], workers: [], runs: [], late: [], schedules: [], rawDue: [],
      waiting: [],
      attemptWaits: [], unreadable: [], bottleneck: "")
  }
}
