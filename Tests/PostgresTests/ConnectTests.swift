import Glibc
import JobModel
import TestSupport
import Testing

@testable import Postgres

@Suite("Connecting")
struct ConnectTests {
  @Test("A server that takes the connection and never says a word is given up in time")
  func silent() async throws {
    let trap = try SilentPort()
    let settings = try PostgresSettings(
      "postgresql://someone:pa55word@127.0.0.1:\(trap.port)/x", connectTimeout: .seconds(1))
    let start = ContinuousClock.now
    let error = try await failure { try await PostgresConnection.connect(settings) }
    #expect(ContinuousClock.now - start < .seconds(30))
    #expect(error.kind == .unreachable)
    #expect(error.isTransient)
    #expect(error.message.contains("127.0.0.1:\(trap.port)"))
    #expect(!"\(error) \(error.debugDescription) \(settings)".contains("pa55word"))
  }

  @Test("A cancelled task does not wait for it")
  func cancelled() async throws {
    let trap = try SilentPort()
    let settings = try PostgresSettings("postgresql://someone@127.0.0.1:\(trap.port)/x", connectTimeout: .seconds(60))
    let task = Task { try await PostgresConnection.connect(settings) }
    try await eventually("it is being connected to") { trap.hasCaller }
    task.cancel()
    await #expect(throws: CancellationError.self) { try await task.value }
  }

  @Test("Of several addresses the next is tried when one does not answer")
  func several() async throws {
    try await TestDatabase.withEmptyDatabase { database in
      let trap = try SilentPort()
      let own = try #require(database.settings["host"])
      let settings = try PostgresSettings(
        "user=sluice dbname=\(try #require(database.settings["dbname"])) host=127.0.0.1,/nowhere,\(own) port=\(trap.port),5432,5432",
        connectTimeout: .seconds(1))
      let connection = try await PostgresConnection.connect(settings)
      #expect(try await connection.answers())
      await connection.close()
    }
  }

  @Test("A refusal has the server's code: a database that is not there is no transient trouble")
  func refused() async throws {
    try await TestDatabase.withEmptyDatabase { database in
      let host = try #require(database.settings["host"])
      let error = try await failure {
        try await PostgresConnection.connect(PostgresSettings("host=\(host) user=sluice dbname=absent"))
      }
      #expect(error.sqlState == "3D000")
      #expect(!error.isTransient)
      #expect(error.hint?.contains("create the database") == true)
    }
  }

  @Test("A server that stands still under a statement with a deadline is given up")
  func stopped() async throws {
    try await TestDatabase.withEmptyDatabase { database in
      let connection = try await PostgresConnection.connect(database.settings)
      // The session's own process stands still, and a cancel request finds nobody to tell.
      #expect(kill(connection.backendPID, SIGSTOP) == 0)
      defer { kill(connection.backendPID, SIGCONT) }
      let start = ContinuousClock.now
      let statement = SQLStatement(name: "stuck", text: "select 1").within(.milliseconds(200))
      let error = try await failure { try await connection.query(statement) }
      #expect(error.kind == .timeout)
      #expect(ContinuousClock.now - start < .seconds(30))
      #expect(try await failure { try await connection.query("select 1") }.kind == .connectionLost)
      await connection.close()
    }
  }

  @Test("Sessions are in UTC and UTF-8, and carry the name and the settings that they were given")
  func session() async throws {
    try await TestDatabase.withEmptyDatabase { database in
      let settings = try PostgresSettings(
        database.url + "&application_name=other&options=-c%20work_mem%3D8MB", applicationName: "sluice/7/9",
        options: ["lock_timeout": "5s", "search_path": "pg_catalog, \"my schema\\\""])
      let connection = try await PostgresConnection.connect(settings)
      func show(_ name: String) async throws -> String? {
        try await connection.query("select current_setting($1) as value", [.text(name)]).first?.string("value")
      }
      #expect(try await show("TimeZone") == "UTC")
      #expect(try await show("client_encoding") == "UTF8")
      #expect(try await show("application_name") == "sluice/7/9")
      #expect(try await show("lock_timeout") == "5s")
      #expect(try await show("work_mem") == "8MB")
      #expect(try await show("search_path") == "pg_catalog, \"my schema\\\"")
      await connection.close()
    }
  }

  @Test(
    "A URL that cannot be read is the caller's mistake, and is not repeated",
    arguments: ["postgresql://a:s3cret@[", "nonsense", "host="])
  func unreadable(conninfo: String) throws {
    if conninfo == "host=" { return #expect(try PostgresSettings(conninfo)["host"] == "") }
    let error = #expect(throws: PostgresError.self) { try PostgresSettings(conninfo) }
    #expect(error?.kind == .usage)
    #expect(error?.description.contains("s3cret") == false)
  }

  @Test("A dead server is noticed within ten seconds unless the URL says otherwise")
  func keepAlive() throws {
    let settings = try PostgresSettings("postgresql://h/d")
    let seconds = try ["keepalives_idle", "keepalives_interval", "keepalives_count"].map {
      try #require(settings[$0].flatMap { Int($0) })
    }
    #expect(seconds[0] + seconds[1] * seconds[2] < 10)
    #expect(try #require(settings["tcp_user_timeout"].flatMap { Int($0) }) < 10_000)
    #expect(try PostgresSettings("postgresql://h/d?tcp_user_timeout=60000")["tcp_user_timeout"] == "60000")
    #expect(try PostgresSettings("postgresql://h/d?connect_timeout=3").connectTimeout == .seconds(3))
    let endless = try PostgresSettings("postgresql://h/d?connect_timeout=9223372036854775807")
    #expect(endless.connectTimeout == .seconds(86_400))
  }

  @Test("The URL without the password leads to the same database")
  func withoutPassword() throws {
    let remote = try PostgresSettings("postgresql://us%40er:s3cret@db.example:6000/my%20data").withoutPassword
    #expect(remote == "postgresql://us%40er@db.example:6000/my%20data")
    let local = try PostgresSettings("postgresql://sluice@/d?host=/tmp/run&port=5433").withoutPassword
    #expect(local == "postgresql://sluice@/d?host=/tmp/run&port=5433")
  }
}

/// A port on which connections are taken by the system and answered by nobody.
final class SilentPort: Sendable {
  let port: UInt16
  private let descriptor: CInt

  init() throws {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let status = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, length) | listen(descriptor, 16) | getsockname(descriptor, $0, &length)
      }
    }
    guard status == 0 else { throw TestSupportError("no port to listen on") }
    self.descriptor = descriptor
    port = UInt16(bigEndian: address.sin_port)
  }

  deinit { close(descriptor) }

  /// Whether somebody waits to be accepted.
  var hasCaller: Bool { poll(descriptor, Int16(POLLIN), nil, until: .now) != 0 }
}
