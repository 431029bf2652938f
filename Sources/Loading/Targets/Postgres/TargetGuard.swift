import JobModel
import PipelineDefinition
import Postgres

/// Keeps the loads of environments apart: one that `sluice env up` made loads into its own database only, and no other loads there.
///
/// The database says whose it is in its comment (``EnvironmentMarker``), and the ledger names the environments that loaded it.
struct TargetGuard: Sendable {
  let loader: Loader
  /// For messages.
  let target: String

  /// - Throws: ``StageFailure`` `target_of_copy`, `target_refuses_copy`.
  func confirm(in session: some PostgresSession) async throws {
    let row = try await session.query(Self.ownership, []).first
    let marker = EnvironmentMarker(comment: try row?.optionalString("marker"))
    guard let marker, marker.sluice == .environment else {
      guard loader.isCopy else { return }
      throw refusal("has no mark of the environment \(loader.environment)", code: "target_refuses_copy")
    }
    guard loader.isCopy, marker.name == loader.environment else {
      throw refusal("belongs to the environment \(marker.name), made by env up", code: "target_of_copy")
    }
    guard try row?.bool("has_ledger") == true,
      let other = try await session.query(Self.otherEnvironment, [.text(loader.environment)]).first
    else { return }
    throw refusal(
      "has rows of the environment \(try other.string("environment")), which its ledger names",
      code: "target_refuses_copy")
  }

  private func refusal(_ reason: String, code: String) -> StageFailure {
    StageFailure(
      code: code,
      message: "target \(target): its database \(reason); the environment \(loader.environment) may not load into it",
      hint: loader.isCopy
        ? "make the environment again: sluice env down \(loader.environment), then sluice env up \(loader.environment)"
        : "let the target's url name a database of its own")
  }

  private static let ownership = SQLStatement(
    name: "target_ownership",
    text: """
      select shobj_description(oid, 'pg_database') as marker,
        exists (
          select from pg_class c join pg_namespace n on n.oid = c.relnamespace
          where n.nspname = 'sluice_ledger' and c.relname = 'head') as has_ledger
      from pg_database where datname = current_database()
      """)

  private static let otherEnvironment = SQLStatement(
    name: "target_other_environment",
    text: "select environment from sluice_ledger.head where environment <> $1 limit 1")
}
