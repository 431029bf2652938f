/// Something that runs statements: a connection, a transaction, or a pool that lends a connection for each call.
///
/// Results are held in memory whole; what may be large goes through ``copyOut(_:_:)``. A cancelled task makes the server
/// cancel what it runs, and the call throws `CancellationError`. Everything else that goes wrong is a ``PostgresError``
/// with the statement's name.
public protocol PostgresSession: Sendable {
  /// Runs one statement; its parameters are `$1`, `$2`, ….
  @discardableResult
  func query(_ statement: SQLStatement, _ values: [PostgresValue]) async throws -> PostgresResult

  /// Several statements without parameters, separated by semicolons; one transaction unless they say otherwise.
  func execute(_ script: String) async throws

  /// Sends all steps in one flush and reads their results: one round trip.
  ///
  /// When one fails, none after it runs, the error names it, and the session stays usable. Steps that say neither BEGIN
  /// nor COMMIT are one transaction; a transaction that a failed pipeline began is rolled back.
  ///
  /// - Returns: One result a step.
  func pipeline(_ steps: [(SQLStatement, [PostgresValue])]) async throws -> [PostgresResult]

  /// Feeds `COPY … FROM STDIN`; the next chunk is asked for when the server has taken the one before.
  ///
  /// When `chunks` throws, nothing is copied and its error is rethrown.
  ///
  /// - Returns: The rows.
  func copyIn<Chunks: AsyncSequence & Sendable>(_ sql: String, from chunks: Chunks) async throws -> Int
  where Chunks.Element == [UInt8]

  /// Reads `COPY … TO STDOUT` in chunks of whole rows, about 64 KiB each; the server waits while a chunk is consumed.
  ///
  /// - Returns: The rows.
  func copyOut(_ sql: String, _ consume: @Sendable ([UInt8]) async throws -> Void) async throws -> Int
}

extension PostgresSession {
  /// Runs one statement without parameters.
  @discardableResult
  public func query(_ statement: SQLStatement) async throws -> PostgresResult { try await query(statement, []) }
}
