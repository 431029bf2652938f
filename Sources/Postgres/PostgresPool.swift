import Synchronization

/// A bounded number of connections, lent in the order of asking.
///
/// Broken connections are discarded, transactions that were left open are rolled back, and a connection that lay idle for
/// a while proves that it lives before it is lent. Settings and advisory locks of a session stay with it: who needs them
/// opens a connection of his own. Who holds a connection and asks for a second one may wait for himself.
public final class PostgresPool: PostgresSession {
  /// Idle connections older than this are asked before they are lent: a server that was replaced, or a network that
  /// forgot them, is found out here and not by a statement.
  static let idleBeforeTest = Duration.seconds(30)
  /// Idle connections older than this are closed: the load that needed them is over.
  static let idleBeforeClose = Duration.seconds(300)
  /// How long a connection under test may take to answer.
  static let testLimit = Duration.seconds(2)

  private struct Idle {
    let connection: PostgresConnection
    let since: ContinuousClock.Instant
  }

  package let settings: PostgresSettings
  private let turnstile: Turnstile
  private let idle = Mutex<[Idle]>([])
  private let now: @Sendable () -> ContinuousClock.Instant

  /// - Parameters:
  ///   - maximum: Connections at once; callers beyond it wait their turn.
  ///   - now: By which idle connections age.
  public init(
    _ settings: PostgresSettings, maximum: Int = 8,
    now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }
  ) {
    precondition(maximum > 0, "a pool has at least one connection")
    self.settings = settings
    self.now = now
    turnstile = Turnstile(
      places: maximum,
      closedError: PostgresError(.usage, operation: "borrow a connection", message: "the pool is closed"))
  }

  /// Lends a connection; it must not be used after `body`.
  package func withConnection<T: Sendable>(
    isolation: isolated (any Actor)? = #isolation, _ body: (PostgresConnection) async throws -> T
  ) async throws -> T {
    let connection = try await borrow()
    do {
      let result = try await body(connection)
      await giveBack(connection)
      return result
    } catch {
      await giveBack(connection)
      throw error
    }
  }

  /// As ``PostgresConnection/transaction(isolation:_:)``, on a connection of the pool.
  public func transaction<T: Sendable>(
    isolation: isolated (any Actor)? = #isolation, _ body: (PostgresTransaction) async throws -> T
  ) async throws -> T {
    try await withConnection { try await $0.transaction(body) }
  }

  @discardableResult
  public func query(_ statement: SQLStatement, _ values: [PostgresValue]) async throws -> PostgresResult {
    try await withConnection { try await $0.query(statement, values) }
  }

  public func execute(_ script: String) async throws { try await withConnection { try await $0.execute(script) } }

  public func pipeline(_ steps: [(SQLStatement, [PostgresValue])]) async throws -> [PostgresResult] {
    try await withConnection { try await $0.pipeline(steps) }
  }

  public func copyIn<Chunks: AsyncSequence & Sendable>(_ sql: String, from chunks: Chunks) async throws -> Int
  where Chunks.Element == [UInt8] {
    try await withConnection { try await $0.copyIn(sql, from: chunks) }
  }

  public func copyOut(_ sql: String, _ consume: @Sendable ([UInt8]) async throws -> Void) async throws -> Int {
    try await withConnection { try await $0.copyOut(sql, consume) }
  }

  /// Turns away who waits, and returns when what is lent has come back and every session is closed.
  public func close() async {
    await turnstile.close()
    for entry in idle.withLock({ $0.removingAll() }) { await entry.connection.close() }
  }

  private func borrow() async throws -> PostgresConnection {
    try await turnstile.enter()
    // From here on a place is ours, until `giveBack` or this function gives it up.
    do {
      // The one used last, so that those beyond the load's need grow old.
      while let entry = idle.withLock({ $0.popLast() }) {
        if await isAlive(entry) { return entry.connection }
        await entry.connection.close()
      }
      return try await PostgresConnection.connect(settings)
    } catch {
      turnstile.leave()
      throw error
    }
  }

  private func isAlive(_ entry: Idle) async -> Bool {
    guard await entry.connection.isIdle else { return false }
    guard now() - entry.since > Self.idleBeforeTest else { return true }
    do {
      try await entry.connection.query(SQLStatement(name: "pool_test", text: "").within(Self.testLimit), [])
      return true
    } catch { return false }
  }

  private func giveBack(_ connection: PostgresConnection) async {
    if await connection.reset() {
      idle.withLock { $0.append(Idle(connection: connection, since: now())) }
    } else {
      await connection.close()
    }
    for entry in expired() { await entry.connection.close() }
    turnstile.leave()
  }

  private func expired() -> [Idle] {
    let oldest = now() - Self.idleBeforeClose
    return idle.withLock { idle in
      let count = idle.prefix { $0.since < oldest }.count
      defer { idle.removeFirst(count) }
      return Array(idle.prefix(count))
    }
  }

  /// How many wait for a connection; for tests.
  var waiting: Int { turnstile.waiting }
}

extension Array {
  /// The elements, which are gone from the array afterwards.
  fileprivate mutating func removingAll() -> [Element] {
    defer { self = [] }
    return self
  }
}
