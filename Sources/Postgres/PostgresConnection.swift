import Synchronization

/// One session of a database, with a thread of its own on which the calls block.
///
/// Callers take turns: a transaction or a COPY has the session to itself until it ends, and others wait in the order of
/// asking.
package actor PostgresConnection: PostgresSession {
  private nonisolated let thread: ConnectionThread
  package nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

  private var wire: PostgresWire?
  private nonisolated let signal: WakeSignal
  private nonisolated let running = Mutex<OperationWatch?>(nil)
  private nonisolated let turnstile = Turnstile(
    places: 1, closedError: PostgresError(.usage, operation: "wait for the connection", message: "it is closed"))
  private let statementTimeout: Duration?
  private let commitTimeout: Duration
  /// The transaction that has the session, by a number that is never used again.
  private var transaction: UInt64?
  private var lastTransaction: UInt64 = 0
  private var isCopying = false

  /// The server's process, as `pg_stat_activity` and `pg_terminate_backend` know it.
  package nonisolated let backendPID: Int32

  /// The transaction in whose body a task runs, to tell a call that would wait for itself.
  @TaskLocal private static var surrounding: ObjectIdentifier?

  private init(thread: ConnectionThread, wire: sending PostgresWire, signal: WakeSignal, settings: PostgresSettings) {
    self.thread = thread
    self.signal = signal
    backendPID = wire.backendPID
    statementTimeout = settings.statementTimeout
    commitTimeout = settings.commitTimeout
    self.wire = wire
  }

  /// Opens a session.
  ///
  /// - Throws: ``PostgresError`` `.unreachable` when no server answers in time or it refuses; `CancellationError`.
  package static func connect(_ settings: PostgresSettings) async throws -> PostgresConnection {
    let opener = Opener()
    let watch = OperationWatch("connect")
    return try await withTaskCancellationHandler {
      try await opener.open(settings, watch)
    } onCancel: {
      watch.stop(.taskCancelled)
      opener.signal.wake()
    }
  }

  /// Whether no server answers within the settings' time for connecting. One that refuses the session answers.
  package static func isUnanswered(_ settings: PostgresSettings) async throws -> Bool {
    try await onThread { !PostgresWire.isAnswered(settings) }
  }

  /// Opens the session on the thread that it will live on.
  private actor Opener {
    nonisolated let thread = ConnectionThread()
    nonisolated let signal = WakeSignal()
    nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    func open(_ settings: PostgresSettings, _ watch: OperationWatch) throws -> PostgresConnection {
      let wire = try PostgresWire(settings, signal: signal, watch: watch)
      return PostgresConnection(thread: thread, wire: wire, signal: signal, settings: settings)
    }
  }

  /// Whether the session can be used: open, and in no transaction.
  package var isIdle: Bool { wire?.isReusable ?? false }

  /// Makes the session ready for someone else: an open transaction is rolled back. False when it cannot be used again.
  func reset() -> Bool {
    wire?.rollBack()
    return isIdle
  }

  /// Nil once closed.
  var currentWire: PostgresWire? { wire }

  /// Ends the session, after the statement that runs.
  package func close() { wire = nil }

  /// Asks the server to cancel what the session runs; the statement throws ``PostgresError`` `.cancelled`.
  package nonisolated func cancel() {
    running.withLock { $0?.stop(.cancelRequested) }
    signal.wake()
  }

  // MARK: Statements

  @discardableResult
  package func query(_ statement: SQLStatement, _ values: [PostgresValue]) async throws -> PostgresResult {
    try await query(statement, values, in: nil)
  }

  package func execute(_ script: String) async throws { try await execute(script, in: nil) }

  package func pipeline(_ steps: [(SQLStatement, [PostgresValue])]) async throws -> [PostgresResult] {
    try await pipeline(steps, in: nil)
  }

  func query(
    _ statement: SQLStatement, _ values: [PostgresValue], in transaction: UInt64?
  ) async throws -> PostgresResult {
    try await perform(OperationWatch(statement.name, limit: statement.deadline ?? statementTimeout), in: transaction) {
      try $0.query(statement, values, $1)
    }
  }

  func execute(_ script: String, in transaction: UInt64?) async throws {
    try await perform(OperationWatch(SQLStatement(text: script).name, limit: statementTimeout), in: transaction) {
      try $0.execute(script, $1)
    }
  }

  func pipeline(
    _ steps: [(SQLStatement, [PostgresValue])], in transaction: UInt64?
  ) async throws -> [PostgresResult] {
    let limit = steps.compactMap(\.0.deadline).max() ?? statementTimeout
    return try await perform(OperationWatch(steps.first?.0.name ?? "pipeline", limit: limit), in: transaction) {
      try $0.pipeline(steps, $1)
    }
  }

  /// Runs one blocking call, in its turn.
  private func perform<T: Sendable>(
    _ watch: OperationWatch, in transaction: UInt64?, _ body: (PostgresWire, OperationWatch) throws -> T
  ) async throws -> T {
    try await inTurn(watch, transaction) {
      try await watched(watch) { try body(try openWire(watch), watch) }
    }
  }

  // MARK: Turns

  func inTurn<T: Sendable>(
    _ watch: OperationWatch, _ transaction: UInt64?, _ body: () async throws -> T
  ) async throws -> T {
    if let transaction {
      try requireCurrent(transaction, watch)
      return try await body()
    }
    try await takeTurn(watch)
    defer { turnstile.leave() }
    return try await body()
  }

  private func takeTurn(_ watch: OperationWatch) async throws {
    guard Self.surrounding != ObjectIdentifier(self) else {
      throw PostgresError(
        .usage, operation: watch.name, message: "inside a transaction's body, its connection would wait for itself",
        hint: "use the transaction that the body was given")
    }
    try await turnstile.enter()
  }

  private func requireCurrent(_ transaction: UInt64, _ watch: OperationWatch) throws {
    guard self.transaction == transaction else {
      throw PostgresError(.usage, operation: watch.name, message: "the transaction has ended")
    }
    guard !isCopying else {
      throw PostgresError(.usage, operation: watch.name, message: "the transaction is in the middle of a COPY")
    }
  }

  /// Makes the cancellation of the task, and ``cancel()``, reach the running statement.
  func watched<T: Sendable>(_ watch: OperationWatch, _ body: () async throws -> T) async throws -> T {
    running.withLock { $0 = watch }
    defer { running.withLock { $0 = nil } }
    return try await withTaskCancellationHandler {
      try await body()
    } onCancel: {
      watch.stop(.taskCancelled)
      signal.wake()
    }
  }

  func openWire(_ watch: OperationWatch) throws -> PostgresWire {
    guard let wire else {
      throw PostgresError(.connectionLost, operation: watch.name, message: "the connection is closed")
    }
    return wire
  }

  /// Marks the session as streaming: in a transaction nothing else may come between the chunks.
  func streaming<T: Sendable>(_ body: () async throws -> T) async throws -> T {
    isCopying = true
    defer { isCopying = false }
    return try await body()
  }

  // MARK: Transactions

  /// Runs `body` in a transaction: committed when it returns, rolled back when it throws.
  ///
  /// - Parameter limit: The longest that the COMMIT may take; nil: that of the settings.
  /// - Throws: What `body` throws; ``PostgresError`` `.commitUnknown` when the connection was lost before the answer to
  ///   COMMIT: it may or may not have happened.
  package func transaction<T: Sendable>(
    commitWithin limit: Duration? = nil, isolation: isolated (any Actor)? = #isolation,
    _ body: (PostgresTransaction) async throws -> T
  ) async throws -> T {
    let number = try await begin()
    let transaction = PostgresTransaction(connection: self, number: number)
    let result: T
    do {
      result = try await Self.$surrounding.withValue(ObjectIdentifier(self)) { try await body(transaction) }
    } catch {
      await rollBack(number)
      throw error
    }
    try await commit(number, within: limit ?? commitTimeout)
    transaction.aftermath.happen()
    return result
  }

  private func begin() async throws -> UInt64 {
    let watch = OperationWatch("begin", limit: commitTimeout)
    try await takeTurn(watch)
    do {
      try await watched(watch) { try openWire(watch).execute("begin", watch) }
    } catch {
      wire?.rollBack()
      turnstile.leave()
      throw error
    }
    lastTransaction += 1
    transaction = lastTransaction
    return lastTransaction
  }

  /// Not cancelled with the task: the body has done its work. It has a deadline all the same: a server that hangs must not hold the
  /// caller for ever.
  private func commit(_ number: UInt64, within limit: Duration) throws {
    defer { end(number) }
    let watch = OperationWatch("commit", limit: limit)
    do {
      // PostgreSQL answers the COMMIT of a transaction in which a statement failed with ROLLBACK, and no error.
      let tag = try openWire(watch).query(SQLStatement(name: "commit", text: "commit"), [], watch).commandTag
      guard tag == "COMMIT" else {
        throw PostgresError(
          .statement, operation: "commit", message: "rolled back, because a statement in the transaction had failed",
          sqlState: "25P02", hint: "let the statement's error end the transaction's body")
      }
    } catch let error as PostgresError
      // A deadline that the server has not answered with an error says nothing of the transaction.
      where error.kind == .connectionLost || error.kind == .timeout && error.sqlState == nil
    {
      wire?.markBroken()
      throw PostgresError(
        .commitUnknown, operation: "commit", message: "the connection was lost before the answer to COMMIT came",
        sqlState: error.sqlState, hint: "look whether the work is there before doing it again", detail: error.message)
    }
  }

  private func rollBack(_ number: UInt64) {
    wire?.rollBack()
    end(number)
  }

  private func end(_ number: UInt64) {
    precondition(transaction == number, "a transaction ended twice")
    transaction = nil
    turnstile.leave()
  }
}
