import DuckDB
import JobModel
import Postgres

/// Turns an error of the target's database into one that names the target, the table and the way out.
enum TargetFailure {
  /// - Returns: Errors of this module, of DuckDB and of the hooks as they are; a `PostgresError` translated.
  static func translate(_ error: any Error, target: String, table: String?) -> any Error {
    guard let error = error as? PostgresError else { return error }
    let place = "target \(target)" + (table.map { ", table \($0)" } ?? "")
    if let state = error.sqlState, let known = known[state] {
      // PostgreSQL's own words name the column, the constraint or the schema, and no value.
      return StageFailure(
        code: known.code, message: "\(place): \(known.what) (\(error.message))",
        hint: known.hint.replacing("TABLE", with: table ?? "TABLE"), isTransient: known.isTransient)
    }
    return StageFailure(
      code: error.isTransient ? "target_unreachable" : "target_refused", message: "\(place): \(error.message)",
      hint: error.hint ?? "run \"sluice doctor \(target)\"", isTransient: error.isTransient)
  }

  /// The same of an error that ended the load of one snapshot: it blocks the ones after it, so the way past it is named too.
  static func translate(_ error: any Error, snapshot: String, of ledger: TargetLedger) -> any Error {
    var failure: StageFailure
    switch translate(error, target: ledger.target, table: ledger.table) {
    case let error as StageFailure: failure = error
    case let error as DuckDBError where error.kind == .sql:
      failure = StageFailure(
        code: error.code, message: "snapshot \(snapshot) for \(ledger.table): \(error.message)", hint: error.hint,
        isTransient: error.isTransient)
    case let other: return other
    }
    guard !failure.isTransient, !concernsEverySnapshot.contains(failure.code) else { return failure }
    let without = "load the others without this snapshot: \(ledger.reload("--without \(snapshot)"))"
    failure.hint = failure.hint.map { "\($0); or \(without)" } ?? without
    return failure
  }

  /// Codes of failures that the next snapshot would have too.
  private static let concernsEverySnapshot: Set = [
    "target_permission", "target_not_a_table", "target_changed", "target_url", "key_index_missing",
    "replace_needs_full", "target_column_missing", "target_rule",
    "target_rows_hidden", "target_rows_kept", "target_inherited",
  ]

  private struct Known: Sendable {
    var code: String
    var what: String
    /// `TABLE` stands for the table.
    var hint: String
    var isTransient: Bool

    static func again(_ code: String, _ what: String, _ hint: String = "the load is tried again") -> Known {
      Known(code: code, what: what, hint: hint, isTransient: true)
    }

    static func never(_ code: String, _ what: String, _ hint: String) -> Known {
      Known(code: code, what: what, hint: hint, isTransient: false)
    }
  }

  private static let constraint = Known.never(
    "target_constraint", "a constraint of the table would be broken",
    "correct the data in the dataset's SQL, or the constraint")
  private static let range = Known.never(
    "target_value_range", "a value is outside of what its column can hold",
    "add min and max to the column in the dataset: such rows go to quarantine then")
  private static let text = Known.never(
    "target_text", "a text holds a character that the database cannot store, such as \\u0000",
    "take it out in the dataset's SQL")
  private static let ended = Known.again("target_unreachable", "the server shut down, or ended this session")
  private static let timeout = Known.again(
    "target_timeout", "the server ended the statement or the session by a time limit")
  private static let conflict = Known.again("target_conflict", "another transaction was in the way")

  /// By SQLSTATE.
  private static let known: [String: Known] = [
    "53100": .again("target_disk_full", "the server's disk is full", "free space there; the load continues by itself"),
    "53200": .again("target_out_of_memory", "the server is out of memory"),
    "53300": .again("target_too_many_connections", "the server has no connection left", "raise its max_connections"),
    "42501": .never(
      "target_permission", "the target's role lacks a right",
      "run \"sluice doctor\" for the least grants, such as: grant select, insert, update, delete on TABLE to ROLE; "
        + "where row-level security refuses a row, have a policy let the role through"),
    "25006": .again(
      "target_read_only", "the server accepts no writes; it may be a standby", "point the url at the primary"),
    "55P03": .again(
      "target_locked", "another session holds a lock that the load needs", "the load is tried again; see pg_locks"),
    "40001": conflict, "40P01": conflict, "25P03": timeout, "57014": timeout,
    "57P01": ended, "57P02": ended, "57P03": ended, "58030": ended,
    "21000": .never(
      "key_repeated", "a key occurs more than once in the snapshot", "make the dataset's SQL return one row a key"),
    "23502": .never(
      "target_not_null", "a NOT NULL column would get null",
      "make the column required in the dataset, or drop NOT NULL in the table"),
    "23505": .never(
      "target_unique", "a unique index would be broken", "compare the table's unique indexes with the dataset's key"),
    "23000": constraint, "23001": constraint, "23503": constraint, "23514": constraint, "23P01": constraint,
    "22001": .never(
      "target_value_too_long", "a text is longer than its column allows",
      "widen the column: alter table TABLE alter column COLUMN type text"),
    "22003": range, "22007": range, "22008": range, "22021": text, "22P05": text,
    "22P02": .never(
      "target_value", "a text is not a value of its column's type",
      "add one_of to the column in the dataset: such rows go to quarantine then"),
  ]
}
