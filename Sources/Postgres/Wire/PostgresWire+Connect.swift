import CLibPQ
import Glibc

extension PostgresWire {
  /// Opens a session at the first address that takes it.
  ///
  /// Name resolution blocks without a limit of ours; everything after it ends in time.
  convenience init(_ settings: PostgresSettings, signal: WakeSignal, watch: OperationWatch) throws {
    var refusal: PostgresError?
    for address in settings.addresses {
      do {
        self.init(try Self.open(address, settings, signal, watch), signal: signal, isPooled: settings.isPooled)
        // What a pooler keeps for each client, whichever session it lends.
        if settings.isPooled { try execute("set TimeZone = 'UTC'; set DateStyle = 'ISO'", watch) }
        return
      } catch let error as PostgresError {
        refusal = error
        if let state = error.sqlState, !SQLState(state).concernsOneServer { break }
      }
    }
    throw refusal ?? PostgresError(.unreachable, operation: watch.name, message: "\(settings) has no address")
  }

  private static func open(
    _ parameters: [String: String], _ settings: PostgresSettings, _ signal: WakeSignal, _ watch: OperationWatch
  ) throws -> OpaquePointer {
    guard let pointer = start(parameters) else {
      throw PostgresError(.unreachable, operation: watch.name, message: "out of memory")
    }
    do {
      try complete(pointer, settings, signal, watch)
      return pointer
    } catch {
      PQfinish(pointer)
      throw error
    }
  }

  private static func start(_ parameters: [String: String]) -> OpaquePointer? {
    withWords(of: parameters) { PQconnectStartParams($0, $1, 0) }
  }

  /// Whether a server answers at one of the addresses, also one that refuses the session. Blocks.
  static func isAnswered(_ settings: PostgresSettings) -> Bool {
    let seconds = max(2, settings.connectTimeout.components.seconds)
    return settings.addresses.contains { address in
      let parameters = address.merging(["connect_timeout": "\(seconds)"]) { _, new in new }
      return withWords(of: parameters) { PQpingParams($0, $1, 0) } != PQPING_NO_RESPONSE
    }
  }

  private static func withWords<T>(
    of parameters: [String: String],
    _ body: (UnsafePointer<UnsafePointer<CChar>?>, UnsafePointer<UnsafePointer<CChar>?>) -> T
  ) -> T {
    let pairs = parameters.sorted { $0.key < $1.key }
    let keywords = pairs.map { strdup($0.key) }
    let values = pairs.map { strdup($0.value) }
    defer { for text in keywords + values { free(text) } }
    return body(keywords.map { UnsafePointer($0) } + [nil], values.map { UnsafePointer($0) } + [nil])
  }

  private static func complete(
    _ pointer: OpaquePointer, _ settings: PostgresSettings, _ signal: WakeSignal, _ watch: OperationWatch
  ) throws {
    // Verbose, because only then is the server's code in the message of a refused connection.
    PQsetErrorVerbosity(pointer, PQERRORS_VERBOSE)
    defer { PQsetErrorVerbosity(pointer, PQERRORS_DEFAULT) }
    let deadline = ContinuousClock.now + settings.connectTimeout
    var state = PQstatus(pointer) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING
    while state != PGRES_POLLING_OK {
      guard state != PGRES_POLLING_FAILED else { throw refused(pointer, settings, watch) }
      if let reason = watch.stopReason { throw watch.error(reason) }
      guard deadline > .now else {
        throw PostgresError(
          .unreachable, operation: watch.name, message: "\(settings) gave no answer within \(settings.connectTimeout)",
          hint: "check the address, the firewall, and that the server is not overloaded")
      }
      let events = state == PGRES_POLLING_READING ? Int16(POLLIN) : Int16(POLLOUT)
      if poll(PQsocket(pointer), events, signal, until: deadline) != 0 { state = PQconnectPoll(pointer) }
    }
  }

  private static func refused(
    _ pointer: OpaquePointer, _ settings: PostgresSettings, _ watch: OperationWatch
  ) -> PostgresError {
    let complaint = ConnectComplaint(String(cString: PQerrorMessage(pointer)))
    return PostgresError(
      .unreachable, operation: watch.name, message: "\(settings): \(complaint.text)", sqlState: complaint.sqlState,
      hint: complaint.isFromPooler
        ? "a pooler in transaction mode, such as PgBouncer, takes no session settings: set SLUICE_POLL_ONLY=1 (in Swift: "
          + "pollOnly: true), or name PostgreSQL itself"
        : complaint.sqlState.map { SQLState($0).connectionHint }
          ?? "check that the server runs and that the address is right")
  }
}
