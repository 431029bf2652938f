import JobModel
import Postgres

/// Turns an error of the target's database into one that names the target, the table and the way out.
enum TargetFailure {
  /// - Returns: Errors of this module, of DuckDB and of the hooks as they are; a `PostgresError` translated.
  static func translate(_ error: any Error, target: String, table: String?, role: String = "the loader's role") -> any Error {
    guard let error = error as? PostgresError else { return error }
    let place = "target \(target)" + (table.map { ", table \($0)" } ?? "")
    if let state = error.sqlState, let known = known(state, place: place, table: table, role: role) { return known }
    return StageFailure(
      code: error.isTransient ? "target_unreachable" : "target_refused",
      message: "\(place): \(error.message)",
      hint: error.hint ?? "run \"sluice doctor \(target)\"", isTransient: error.isTransient)
  }

  private static func known(_ state: String, place: String, table: String?, role: String) -> StageFailure? {
    func failure(_ code: String, _ what: String, _ hint: String, transient: Bool = false) -> StageFailure {
      StageFailure(code: code, message: "\(place): \(what)", hint: hint, isTransient: transient)
    }
    let name = table ?? "TABLE"
    switch state {
    case "53100":
      return failure("target_disk_full", "the server's disk is full", "free space there; the load goes on by itself", transient: true)
    case "53200": return failure("target_out_of_memory", "the server is out of memory", "the load is tried again", transient: true)
    case "53300":
      return failure("target_too_many_connections", "the server has no connection left", "raise max_connections, or lower the number of streams", transient: true)
    case "42501":
      return failure(
        "target_permission", "\(role) lacks a right",
        "run \"sluice doctor\" for the least grants, such as: grant select, insert, update, delete on \(name) to \(role)")
    case "25006":
      return failure("target_read_only", "the server accepts no writes; it may be a standby", "point the url at the primary", transient: true)
    case "55P03":
      return failure("target_locked", "another session holds a lock that the load needs", "the load is tried again; see pg_locks", transient: true)
    case "40001", "40P01":
      return failure("target_conflict", "another transaction was in the way", "the load is tried again", transient: true)
    case "25P03", "57014":
      return failure("target_timeout", "the server ended the statement or the session by its time limit", "the load is tried again", transient: true)
    case "57P01", "57P02", "57P03", "58030":
      return failure("target_unreachable", "the server shut down, or ended this session", "the load is tried again", transient: true)
    case "21000":
      return failure("key_repeated", "a key occurs more than once in the snapshot", "make the dataset's SQL return one row a key")
    case "23502":
      return failure("target_not_null", "a NOT NULL column would get null", "make the column required in the dataset, or drop not null in the table")
    case "23505":
      return failure("target_unique", "a unique index would be broken", "compare the table's unique indexes with the dataset's key")
    case "23503", "23514", "23P01", "23001", "23000":
      return failure("target_constraint", "a constraint of the table would be broken", "mend the data in the dataset's SQL, or the constraint")
    case "22001":
      return failure("target_value_too_long", "a text is longer than its column allows", "widen the column: alter table \(name) alter column COLUMN type text")
    case "22003", "22008", "22007":
      return failure("target_value_range", "a value is outside of what its column can hold", "add min and max to the column in the dataset: such rows go to quarantine then")
    case "22021", "22P05":
      return failure("target_text", "a text holds a character that the database cannot store, such as \\u0000", "take it out in the dataset's SQL")
    case "22P02":
      return failure("target_value", "a text is not a value of its column's type", "add one_of to the column in the dataset: such rows go to quarantine then")
    default: return nil
    }
  }
}
