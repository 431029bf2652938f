/// The server's five characters for what went wrong: the one place where they are judged.
///
/// Source: PostgreSQL's documentation, appendix "PostgreSQL Error Codes".
struct SQLState: Equatable {
  let code: String

  init(_ code: String) { self.code = code }

  private var errorClass: Substring { code.prefix(2) }

  /// `query_canceled`: by a cancel request or by one of the server's timeouts.
  static let queryCanceled = "57014"
  static let cannotConnectNow = "57P03"

  /// Whether the same statement may succeed later.
  ///
  /// 08 connection · 40 serialization failure and deadlock · 53 out of disk, memory or connections · 55P03 lock timeout
  /// · 55006 object in use · 57014 cancelled · 57P01–57P05 the server or the session goes away or starts up · 25P03 idle in
  /// transaction for too long · 25006 a standby, or a primary that no longer is one · 58030 I/O error.
  var isTransient: Bool {
    switch errorClass {
    case "08", "40", "53": true
    default:
      ["25006", "25P03", "25P04", "55006", "55P03", "57P01", "57P02", "57P03", "57P05", "58030", Self.queryCanceled]
        .contains(code)
    }
  }

  /// Whether the server is away or out of means for everybody, and not against this one session or statement. Of the classes
  /// 08 and 53 only what cannot be the fault of one statement: others are raised for foreign servers, wrong parameters and
  /// limits of one query too.
  var isOutage: Bool { ["53100", "53300", "57P01", "57P02", "57P03", "58030"].contains(code) }

  /// Whether a session on which this was said is of no more use. One that the server ends says so itself.
  var needsNewSession: Bool { code == "25006" }

  /// Whether another address of the same database could do better than the one that said this when it was connected to.
  var concernsOneServer: Bool { errorClass != "28" && errorClass != "3D" }

  /// What to do about a refused connection.
  var connectionHint: String? {
    switch code {
    case "28P01": "check the user and the password in the database's URL"
    case "28000": "check the user, and whether the server's pg_hba.conf allows it from this host"
    case "3D000": "create the database, or name another in the URL"
    case "42501": "grant the role CONNECT on the database"
    case "53300": "the server has no connection to spare: raise max_connections, or use fewer workers"
    case "57P03": "the server starts up, shuts down or recovers: wait a moment"
    default: nil
    }
  }

  /// The primary message without the values that it may quote: data exceptions name the text that they could not read.
  ///
  /// 22P04 is left as it is: it quotes columns.
  func withoutValues(_ message: String) -> String {
    guard errorClass == "22", code != "22P04" else { return message }
    guard let start = message.firstIndex(of: "\""), let end = message.lastIndex(of: "\""), start < end else {
      // In other languages other marks stand around a value.
      return message.utf8.allSatisfy { $0 < 0x80 } ? message : "a value does not fit its type (SQLSTATE \(code))"
    }
    // From the first to the last mark: a value may hold marks of its own.
    return message[..<start] + "\"…\"" + message[message.index(after: end)...]
  }
}
