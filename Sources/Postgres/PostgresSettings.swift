import CLibPQ

/// Where a database is and how to reach it; parsed once, and never printed with its user or password.
public struct PostgresSettings: Sendable, CustomStringConvertible {
  /// A URL may ask for any number; a wait of years cannot be counted in milliseconds.
  private static let longestConnectSeconds: Int64 = 86_400

  /// libpq's own keywords, such as `host` and `sslmode`.
  let parameters: [String: String]
  /// Of one address; a database with several may take that long for each.
  package let connectTimeout: Duration
  /// The longest that a statement may take; nil for no limit but the statement's own.
  package let statementTimeout: Duration?
  /// The longest that a BEGIN or a COMMIT may take. Long, because constraints may be checked in it.
  package let commitTimeout: Duration
  /// Whether a pooler such as PgBouncer lends a server's session for each transaction: then nothing may be left in it.
  package let isPooled: Bool

  /// - Parameters:
  ///   - conninfo: A URL (`postgresql://…`) or keywords and values, as libpq reads them. What it says about time-outs and
  ///     keep-alives wins over the defaults here.
  ///   - applicationName: Shown in `pg_stat_activity`, whatever the conninfo says: sessions are found by it.
  ///   - options: Session settings, such as `lock_timeout: 5s`.
  ///   - isPooled: Behind a transaction pooler. Statements are not prepared, and `options` are not sent, which such a
  ///     pooler refuses; it keeps the time zone and the style of dates for each client.
  /// - Throws: ``PostgresError`` `.usage` when libpq cannot read the conninfo.
  public init(
    _ conninfo: String, applicationName: String = "sluice", connectTimeout: Duration = .seconds(10),
    options: [String: String] = [:], statementTimeout: Duration? = nil, commitTimeout: Duration = .seconds(300),
    isPooled: Bool = false
  ) throws {
    var given = try Self.parse(conninfo)
    // A dead server is noticed within ten seconds: 3 s idle, then three probes 2 s apart; unanswered data after 9 s.
    let keepAlive = [
      "keepalives": "1", "keepalives_idle": "3", "keepalives_interval": "2", "keepalives_count": "3",
      "tcp_user_timeout": "9000",
    ]
    given.merge(keepAlive) { given, _ in given }
    given["application_name"] = applicationName
    given["client_encoding"] = "UTF8"
    let session = ["TimeZone": "UTC", "DateStyle": "ISO", "IntervalStyle": "iso_8601", "bytea_output": "hex"]
    self.isPooled = isPooled
    let flags = session.merging(options) { _, new in new }.sorted { $0.key < $1.key }.map {
      "-c \($0.key)=\(Self.escaped($0.value))"
    }
    given["options"] = isPooled ? nil : ([given["options"]].compactMap { $0 } + flags).joined(separator: " ")
    let seconds = given["connect_timeout"].flatMap { Int64($0) } ?? 0
    self.connectTimeout = seconds > 0 ? .seconds(min(seconds, Self.longestConnectSeconds)) : connectTimeout
    self.statementTimeout = statementTimeout
    self.commitTimeout = commitTimeout
    parameters = given
  }

  private static func parse(_ conninfo: String) throws -> [String: String] {
    var complaint: UnsafeMutablePointer<CChar>?
    guard !conninfo.utf8.contains(0), let options = PQconninfoParse(conninfo, &complaint) else {
      // libpq's complaint may quote the text, which may hold a password.
      if let complaint { PQfreemem(complaint) }
      throw PostgresError(
        .usage, operation: "connect", message: "the database's URL cannot be read",
        hint: "write it as postgresql://USER@HOST:PORT/DATABASE, with special characters percent-encoded")
    }
    defer { PQconninfoFree(options) }
    var given: [String: String] = [:]
    var option = options
    while let keyword = option.pointee.keyword {
      if let value = option.pointee.val { given[String(cString: keyword)] = String(cString: value) }
      option += 1
    }
    return given
  }

  /// The same place and user, and another database there: keywords and values, which hold the password.
  ///
  /// - Throws: ``PostgresError`` `.usage` when libpq cannot read the conninfo.
  package static func conninfo(_ conninfo: String, database: String) throws -> String {
    try parse(conninfo).merging(["dbname": database]) { _, new in new }.sorted { $0.key < $1.key }.map {
      keyword, value in
      let escaped = value.flatMap { $0 == "\\" || $0 == "'" ? ["\\", $0] : [$0] }
      return "\(keyword)='\(String(escaped))'"
    }.joined(separator: " ")
  }

  /// Spaces end a word of `options`, and backslashes escape.
  private static func escaped(_ value: String) -> String {
    String(value.flatMap { $0 == "\\" || $0 == " " ? ["\\", $0] : [$0] })
  }

  package subscript(keyword: String) -> String? { parameters[keyword] }

  /// Database and place, without user and password.
  public var description: String {
    let place = self["host"] ?? self["hostaddr"] ?? "the default socket"
    let port = self["port"].map { ":\($0)" } ?? ""
    return "database \(self["dbname"] ?? self["user"] ?? "of the default name") at \(place)\(port)"
  }

  /// One set of parameters for each address, in the order in which they are tried.
  ///
  /// libpq would go through them itself, but only its blocking call gives each its own time.
  var addresses: [[String: String]] {
    func list(_ keyword: String) -> [String] {
      self[keyword].map { $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init) } ?? []
    }
    let (hosts, hostAddresses, ports) = (list("host"), list("hostaddr"), list("port"))
    let count = max(hosts.count, hostAddresses.count)
    // A list that does not fit its siblings is for libpq to refuse.
    guard count > 1, [0, count].contains(hosts.count), [0, count].contains(hostAddresses.count),
      [0, 1, count].contains(ports.count)
    else { return [parameters] }
    let single = (0..<count).map { index in
      var copy = parameters
      if !hosts.isEmpty { copy["host"] = hosts[index] }
      if !hostAddresses.isEmpty { copy["hostaddr"] = hostAddresses[index] }
      if !ports.isEmpty { copy["port"] = ports.count == 1 ? ports[0] : ports[index] }
      return copy
    }
    guard self["target_session_attrs"] == "prefer-standby" else { return single }
    return ["standby", "any"].flatMap { attribute in
      single.map { $0.merging(["target_session_attrs": attribute]) { _, new in new } }
    }
  }
}

extension PostgresSettings {
  /// A URL for people and scripts, without the password.
  package var withoutPassword: String {
    let host = self["host"] ?? ""
    let user = self["user"].map { "\(Self.percentEncoded($0))@" } ?? ""
    let port = self["port"].map { ":\($0)" } ?? ""
    let database = Self.percentEncoded(self["dbname"] ?? "")
    guard host.isEmpty || host.hasPrefix("/") else { return "postgresql://\(user)\(host)\(port)/\(database)" }
    let place = [("host", self["host"]), ("port", self["port"])].compactMap { key, value in
      value.map { "\(key)=\(Self.percentEncoded($0, keeping: "/"))" }
    }
    return "postgresql://\(user)/\(database)" + (place.isEmpty ? "" : "?" + place.joined(separator: "&"))
  }

  /// Writes a text as a part of a database's URL.
  package static func percentEncoded(_ text: String, keeping kept: String = "") -> String {
    let digits = Array("0123456789ABCDEF")
    let plain = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~".utf8).union(kept.utf8)
    return text.utf8.map { byte in
      plain.contains(byte) ? String(Unicode.Scalar(byte)) : "%\(digits[Int(byte >> 4)])\(digits[Int(byte & 15)])"
    }.joined()
  }
}
