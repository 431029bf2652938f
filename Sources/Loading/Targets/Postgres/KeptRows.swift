import JobModel
import Postgres

/// Row-level security and triggers that return null leave rows out of a DELETE or an UPDATE without an error.
extension TargetLedger {
  /// Refuses where a statement had to change rows and left some that the role can read as they were.
  ///
  /// - Parameters:
  ///   - rows: How many are left, as `rows`. Asked only where the table can keep rows.
  ///   - change: What the statement did.
  /// - Throws: ``StageFailure`` `target_rows_hidden`, with the policy to create; `target_rows_kept`, with the trigger.
  func requireNoneLeft(
    _ rows: SQLStatement, _ values: [PostgresValue] = [], of table: TargetTable, after change: RowAccess,
    in transaction: PostgresTransaction
  ) async throws {
    let trigger = change == .update ? table.guards.updateTrigger : table.guards.deleteTrigger
    guard table.guards.hasRowSecurity || trigger != nil,
      let left = try await transaction.query(rows, values).first?.int("rows"), left > 0
    else { return }
    if table.guards.hasRowSecurity { try await requireAllRows(table.name, to: change, in: transaction) }
    // Without one, another session put these rows in since. With one, that may be so too, and the next attempt takes them.
    guard let trigger else { return }
    throw StageFailure(
      code: "target_rows_kept",
      message:
        "target \(target): \(left) rows of table \(table.name) have to go and are still there: a trigger keeps them, such as "
        + trigger,
      hint: "have the trigger return the row for the role of the load, or: alter table \(table.name.sql) "
        + "disable trigger \(quoteIdentifier(trigger)); then run again", isTransient: true)
  }
}
