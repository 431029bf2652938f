import Postgres
import TestSupport

/// Lets each job write one checkpoint and keeps its second waiting, so that a test acts in the midst of the job's work
/// however long the machine takes for it.
struct HeldCheckpoints {
  private let database: TestDatabase.Handle
  private let holder: PostgresConnection

  /// - Parameter database: One that has the engine's schema.
  init(_ database: TestDatabase.Handle) async throws {
    self.database = database
    holder = try await PostgresConnection.connect(database.settings)
    try await holder.execute("select pg_advisory_lock(7)")
    try await holder.execute(
      """
      create function public.hold() returns trigger language plpgsql as
        'begin perform pg_advisory_xact_lock_shared(7); return new; end';
      create trigger hold before update on sluice.mark for each row execute function public.hold()
      """)
  }

  /// Waits until so many jobs have a checkpoint.
  func waitForFirst(of jobs: Int = 1) async throws {
    try await eventually(within: .seconds(90), "a checkpoint is written") {
      try await database.pool.query("select from sluice.mark").count == jobs
    }
  }

  func release() async { await holder.close() }
}
