import JobModel
import Postgres

/// Which staged rows a merge adds or changes, found by one join.
///
/// `on conflict do update` locks every row of the table that it finds, also one that it leaves as it is: a write to its page and to the log
/// for each. A join only reads, in several processes at once.
extension ApplySQL {
  private var isAddedOrChanged: String { "t.tableoid is null or (\(isChanged { $0.compared }))" }
  private var pairs: String { "\(staging) s left join \(target) t on \(keysAreEqual)" }

  /// How many staged rows ``merge(from:)`` adds or changes.
  var countChanges: SQLStatement {
    SQLStatement(
      name: "apply_count_changes",
      text: "select count(*) as rows from \(pairs) where \(isRow) and (\(isAddedOrChanged))")
  }

  static let changes = "pg_temp.sluice_changes"

  /// Puts these rows into ``changes``, which has the staging table's columns. It is a statement of its own because PostgreSQL reads in
  /// several processes for it, and not for an INSERT.
  var createChanges: SQLStatement {
    SQLStatement(
      name: "apply_create_changes",
      text: """
        create temporary table sluice_changes on commit drop as
        select s.* from \(pairs) where \(isRow) and (\(isAddedOrChanged))
        """)
  }

  /// Whether the role may make ``changes``, and the sizes that decide whether a join is worth it.
  var compareSizes: SQLStatement {
    SQLStatement(
      name: "apply_compare_sizes",
      text: """
        select has_database_privilege(current_database(), 'temporary') as may_create,
          pg_relation_size(\(quoteLiteral(staging))::regclass) as staged,
          (select coalesce(sum(pg_relation_size(part)), 0)::bigint from (
            select \(quoteLiteral(target))::regclass as part
            union select relid from pg_partition_tree(\(quoteLiteral(target))::regclass)) parts) as existing
        """)
  }

  /// Of about 2,000 staged rows, in whole pages: how many there are, and how many change nothing.
  func sampleUnchanged(of rows: Int64) -> SQLStatement {
    let percent = min(100, 200_000 / Double(max(1, rows)))
    return SQLStatement(
      name: "apply_sample_unchanged",
      text: """
        select count(*) as rows, count(*) filter (where (\(isAddedOrChanged)) is not true) as unchanged
        from (select * from \(staging) tablesample system (\(percent)) repeatable (1)) s
        left join \(target) t on \(keysAreEqual) where \(isRow)
        """)
  }
}
