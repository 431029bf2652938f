import Synchronization

/// A transaction in progress; valid inside the body that it was given to.
public struct PostgresTransaction: PostgresSession {
  let connection: PostgresConnection
  let number: UInt64
  let aftermath = Aftermath()

  /// Does this once the transaction has committed; never when it is rolled back, or when its end is not known.
  public func afterCommit(_ action: @escaping @Sendable () -> Void) { aftermath.add(action) }

  @discardableResult
  public func query(_ statement: SQLStatement, _ values: [PostgresValue]) async throws -> PostgresResult {
    try await connection.query(statement, values, in: number)
  }

  public func execute(_ script: String) async throws { try await connection.execute(script, in: number) }

  public func pipeline(_ steps: [(SQLStatement, [PostgresValue])]) async throws -> [PostgresResult] {
    try await connection.pipeline(steps, in: number)
  }

  public func copyIn<Chunks: AsyncSequence & Sendable>(_ sql: String, from chunks: Chunks) async throws -> Int
  where Chunks.Element == [UInt8] {
    try await connection.copyIn(sql, from: chunks, in: number)
  }

  public func copyOut(_ sql: String, _ consume: @Sendable ([UInt8]) async throws -> Void) async throws -> Int {
    try await connection.copyOut(sql, consume, in: number)
  }
}

/// What waits for the end of a transaction.
final class Aftermath: Sendable {
  private let actions = Mutex<[@Sendable () -> Void]>([])

  func add(_ action: @escaping @Sendable () -> Void) { actions.withLock { $0.append(action) } }

  func happen() {
    for action in actions.withLock({ $0 }) { action() }
  }
}
