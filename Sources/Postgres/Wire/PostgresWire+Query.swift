import CLibPQ

extension PostgresWire {
  func query(_ statement: SQLStatement, _ values: [PostgresValue], _ watch: OperationWatch) throws -> PostgresResult {
    let parameters = try ParameterList(values, of: statement)
    try requireReady(watch, statement.text)
    return try run(watch) {
      let name = try prepare(statement, watch)
      try send(statement, named: name, parameters, watch)
      let results = try collect(watch)
      guard let last = results.last else { throw unexpected(watch) }
      return PostgresResult(last)
    }
  }

  func execute(_ script: String, _ watch: OperationWatch) throws {
    try requireReady(watch, script)
    try run(watch) {
      guard PQsendQuery(pointer, script) == 1 else { throw lost(watch) }
      _ = try collect(watch)
    }
  }

  /// Throws unless a statement can be sent now.
  func requireReady(_ watch: OperationWatch, _ sql: String) throws {
    guard isOpen else { throw lost(watch, because: "before this statement") }
    if let reason = watch.stopReason { throw watch.error(reason) }
    guard !sql.utf8.contains(0) else {
      throw PostgresError(.usage, operation: watch.name, message: "the statement holds a NUL, which SQL cannot")
    }
  }

  /// Runs one exchange with the server, after which no cancel request is on its way any more.
  func run<T>(_ watch: OperationWatch, _ body: () throws -> T) throws -> T {
    do {
      let result = try body()
      _ = finishStopping()
      return result
    } catch let error as PostgresError {
      let reason = finishStopping() ?? watch.stopReason
      guard let reason, error.sqlState == SQLState.queryCanceled else { throw error }
      throw watch.error(reason, sqlState: error.sqlState)
    }
  }

  /// Sends a statement by the name that it was prepared under, or as it stands.
  func send(
    _ statement: SQLStatement, named name: String?, _ parameters: ParameterList, _ watch: OperationWatch
  ) throws {
    let sent = parameters.withPointers { count, types, values, lengths, formats in
      if let name { return PQsendQueryPrepared(pointer, name, count, values, lengths, formats, 0) }
      return PQsendQueryParams(pointer, statement.text, count, types, values, lengths, formats, 0)
    }
    guard sent == 1 else { throw lost(watch) }
  }

  /// The name under which the session knows the statement, which is prepared now if it was not; nil for one without.
  private func prepare(_ statement: SQLStatement, _ watch: OperationWatch) throws -> String? {
    guard let name = prepared.name(of: statement) else { return nil }
    guard name.isNew else { return name.text }
    guard PQsendPrepare(pointer, name.text, statement.text, 0, nil) == 1 else { throw lost(watch) }
    _ = try collect(watch)
    prepared.keep(name.text, for: statement)
    return name.text
  }

  /// Reads results up to the end of the statements, and throws the first error among them.
  func collect(_ watch: OperationWatch) throws -> [ResultStorage] {
    var results: [ResultStorage] = []
    var failure: PostgresError?
    while true {
      try awaitReply(watch)
      guard let pointer = PQgetResult(pointer) else { break }
      let result = ResultStorage(pointer, operation: watch.name)
      switch PQresultStatus(pointer) {
      case PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_EMPTY_QUERY: results.append(result)
      case PGRES_COPY_IN, PGRES_COPY_OUT:
        failure = failure ?? misplacedCopy(watch)
        isCopyOver = false
        try abandonCopy(isIn: PQresultStatus(pointer) == PGRES_COPY_IN, watch)
      default: failure = failure ?? error(result, watch)
      }
    }
    if let failure { throw failure }
    return results
  }

  func misplacedCopy(_ watch: OperationWatch) -> PostgresError {
    PostgresError(.usage, operation: watch.name, message: "COPY runs through copyIn and copyOut only")
  }

  func unexpected(_ watch: OperationWatch) -> PostgresError { lost(watch, because: "the server answered out of turn") }

  /// The server's refusal of a statement.
  func error(_ result: ResultStorage, _ watch: OperationWatch) -> PostgresError {
    func field(_ code: UInt8) -> String? {
      PQresultErrorField(result.pointer, Int32(code)).map { String(cString: $0) }
    }
    guard let code = field(ErrorField.sqlState) else { return lost(watch) }
    let state = SQLState(code)
    let primary = field(ErrorField.primary) ?? "no message"
    let isEnd = ["FATAL", "PANIC"].contains(field(ErrorField.severity))
    if isEnd || PQstatus(pointer) != CONNECTION_OK {
      markBroken()
      return PostgresError(
        .connectionLost, operation: watch.name, message: "the server ended the session: \(primary)",
        sqlState: PoolerComplaint.serversCode(of: code, primary, farewell: farewell))
    }
    if state.needsNewSession { markBroken() }
    let isTimeout = primary.contains("timeout")
    let kind: PostgresError.Kind = code != SQLState.queryCanceled ? .statement : isTimeout ? .timeout : .cancelled
    let detail = [primary, field(ErrorField.detail), field(ErrorField.context)].compactMap { $0 }
    return PostgresError(
      kind, operation: watch.name, message: state.withoutValues(primary), sqlState: code,
      hint: field(ErrorField.hint), detail: detail.joined(separator: "\n"))
  }

  /// The C header has these as character literals, which are not imported.
  enum ErrorField {
    /// In English whatever the server's language.
    static let severity = UInt8(ascii: "V")
    static let sqlState = UInt8(ascii: "C")
    static let primary = UInt8(ascii: "M")
    static let detail = UInt8(ascii: "D")
    static let hint = UInt8(ascii: "H")
    static let context = UInt8(ascii: "W")
    /// The server's function that said it.
    static let routine = UInt8(ascii: "R")
  }
}
