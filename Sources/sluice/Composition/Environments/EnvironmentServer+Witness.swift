import JobModel
import Postgres

/// The second witness of an environment's database: its token, in the comment of the schema `sluice` inside it.
///
/// It outlives the mark, which any comment on the database replaces, and proves together with the file in the project folder that
/// `env up` made the database.
extension EnvironmentServer {
  private static func testimony(_ token: String) -> String { "made by sluice env up: \(token)" }

  func testify(_ database: String, _ token: String) async throws {
    try await inside(database) { session in
      try await session.execute("comment on schema sluice is \(quoteLiteral(Self.testimony(token)))")
    }
  }

  /// False also for a database without the schema.
  func isWitness(_ database: String, of token: String) async throws -> Bool {
    try await inside(database) { session in
      let row = try await session.query(
        "select obj_description(oid, 'pg_namespace') as said from pg_namespace where nspname = 'sluice'", []
      ).first
      return try !token.isEmpty && row?.optionalString("said") == Self.testimony(token)
    }
  }

  private func inside<T: Sendable>(
    _ database: String, _ body: (PostgresConnection) async throws -> T
  ) async throws -> T {
    let session = try await PostgresConnection.connect(
      try PostgresSettings(try url(database), applicationName: "sluice-env"))
    do {
      let result = try await body(session)
      await session.close()
      return result
    } catch {
      await session.close()
      throw error
    }
  }
}
