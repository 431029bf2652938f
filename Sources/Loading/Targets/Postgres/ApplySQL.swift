import JobModel
import PipelineDefinition
import Postgres

/// The statements that move a staged snapshot into its table. Pure text, so that it can be read and tested.
struct ApplySQL: Sendable {
  let table: TargetTable
  let staging: String
  let columns: [ColumnMapping]
  let key: [String]
  /// Of an incremental snapshot: a row whose value here is newer than the snapshot's stays.
  let cursorField: String?
  /// How the values of the cursor's column are compared where it is text; nil where they have a type of their own.
  let textCursor: TextCursor?
  let deletes: LoadTable.Deletes.Kind?
  /// Columns that name a row's parent, whose earlier rows go.
  var replaces: [String] = []
  /// A column that is null in the mark of a parent without rows, and in no row.
  var markedBy: String?

  var target: String { table.name.sql }
  var names: String { columns.map(\.sql).joined(separator: ", ") }
  var values: String { columns.map(\.value).joined(separator: ", ") }
  private var keyList: String { key.map(quoteIdentifier).joined(separator: ", ") }
  private var keyColumns: [ColumnMapping] { key.compactMap { name in columns.first { $0.name.isExactly(name) } } }
  private var batch: String { quoteIdentifier(TargetTable.batch) }
  private var deletedAt: String { quoteIdentifier(TargetTable.deletedAt) }

  var isRow: String { markedBy.map { "s.\(quoteIdentifier($0)) is not null" } ?? "true" }

  /// Staged rows, and those of them whose key is null.
  var countStaged: SQLStatement {
    let isNull = keyColumns.isEmpty ? "false" : keyColumns.map { "s.\($0.sql) is null" }.joined(separator: " or ")
    return SQLStatement(
      name: "apply_count_staged",
      text: "select count(*) as rows, count(*) filter (where (\(isNull)) and \(isRow)) as nulls from \(staging) s")
  }

  /// One row when a key is staged more than once.
  var repeatedKey: SQLStatement {
    SQLStatement(
      name: "apply_repeated_key",
      text:
        "select from \(staging) s where \(isRow) group by \(keyColumns.map { "s.\($0.sql)" }.joined(separator: ", ")) "
        + "having count(*) > 1 limit 1")
  }

  /// Inserts new keys, updates rows that differ, leaves the others untouched (no dead rows, no triggers).
  ///
  /// `xmax` is zero in a row that was inserted; a partitioned table does not tell, see ``matchingKeys``.
  ///
  /// - Parameter source: Of the staged rows, a table without those that change nothing; nil: all.
  func merge(from source: String? = nil) -> SQLStatement {
    var assignments = updates.map { "\($0.sql) = excluded.\($0.sql)" }
    if deletes == .soft { assignments.append("\(deletedAt) = null") }
    let insert = """
      insert into \(target) as t (\(names))
      select \(values) from \(source ?? staging) s where \(isRow)
      on conflict (\(keyList)) do
      """
    let action =
      assignments.isEmpty
      ? "nothing"
      : """
      update set \(assignments.joined(separator: ", "))
        where \(isChanged { "excluded.\($0.sql)" })
      """
    let text =
      table.isPartitioned
      ? "\(insert) \(action)"
      : """
      with merged as (
        \(insert) \(action)
        returning t.xmax = 0 as is_new
      )
      select count(*) filter (where is_new) as inserted, count(*) filter (where not is_new) as updated from merged
      """
    return SQLStatement(name: "apply_merge", text: text)
  }

  var updates: [ColumnMapping] { columns.filter { column in !key.contains { $0.isExactly(column.name) } } }

  /// Whether a row of the table differs from the new one, and is not newer.
  func isChanged(by new: (ColumnMapping) -> String) -> String {
    var differs = updates.map { $0.isDistinct("t.\($0.sql)", new($0)) }
    if deletes == .soft { differs.append("t.\(deletedAt) is not null") }
    return differs.isEmpty ? "false" : "(\(differs.joined(separator: " or ")))\(isNotOlder(than: new))"
  }

  /// Null is older than any value.
  private func isNotOlder(than new: (ColumnMapping) -> String) -> String {
    guard let cursorField, let cursor = columns.first(where: { $0.name.isExactly(cursorField) }),
      !key.contains(where: { $0.isExactly(cursorField) })
    else { return "" }
    func value(_ column: String) -> String { textCursor?.value(column) ?? column }
    let old = value("t.\(cursor.sql)")
    return "\n    and (\(old) is null or \(value(new(cursor))) >= \(old))"
  }

  /// Staged keys that are both in the table and in one that inherits from it.
  var countInherited: SQLStatement {
    let areEqual = key.map { "c.\(quoteIdentifier($0)) = t.\(quoteIdentifier($0))" }.joined(separator: " and ")
    return SQLStatement(
      name: "apply_count_inherited",
      text: """
        select count(*) as rows from only \(target) t
        where exists (select from \(staging) s where \(isRow) and \(keysAreEqual))
          and exists (select from \(target) c where \(areEqual) and c.tableoid <> t.tableoid)
        """)
  }

  /// How many staged keys the table has already: what a merge into a partitioned table cannot tell itself.
  var matchingKeys: SQLStatement {
    SQLStatement(
      name: "apply_matching_keys",
      text: "select count(*) as rows from \(staging) s where \(isRow) "
        + "and exists (select from \(target) t where \(keysAreEqual))")
  }

  /// Staged rows without the marks.
  var countRows: SQLStatement {
    SQLStatement(name: "apply_count_rows", text: "select count(*) as rows from \(staging) s where \(isRow)")
  }

  private var parentsAreEqual: String {
    replaces.compactMap { name in columns.first { $0.name.isExactly(name) } }.map { "t.\($0.sql) = \($0.compared)" }
      .joined(separator: " and ")
  }

  /// Takes staged rows out whose parent is newer in the table; nil where nothing orders them.
  var dropOlderParents: SQLStatement? {
    guard let cursorField, let cursor = columns.first(where: { $0.name.isExactly(cursorField) }) else { return nil }
    func value(_ column: String) -> String { textCursor?.value(column) ?? column }
    let (old, new) = (value("t.\(cursor.sql)"), value(cursor.value))
    return SQLStatement(
      name: "apply_drop_older_parents",
      text: """
        delete from \(staging) s
        where exists (select from \(target) t where \(parentsAreEqual) and (\(old) > \(new) or (\(old) is not null and \(new) is null)))
        """)
  }

  /// Takes out the rows of the staged parents that are not staged.
  var deleteReplaced: SQLStatement {
    SQLStatement(
      name: "apply_delete_replaced",
      text: deletes == .soft
        ? "update \(target) t set \(deletedAt) = now() where \(isLive) and \(isReplaced)"
        : "delete from \(target) t where \(isReplaced)")
  }

  private var isReplaced: String {
    """
    exists (select from \(staging) s where \(parentsAreEqual))
    and not exists (select from \(staging) s where \(keysAreEqual) and \(isRow))
    """
  }

  var keysAreEqual: String {
    keyColumns.map { "t.\($0.sql) = \($0.compared)" }.joined(separator: " and ")
  }

  /// Adds all rows, with the batch's name where the table keeps it ($1).
  func append(batch isKept: Bool) -> SQLStatement {
    SQLStatement(
      name: "apply_append",
      text: isKept
        ? "insert into \(target) (\(names), \(batch)) select \(values), $1::uuid from \(staging) s where \(isRow)"
        : "insert into \(target) (\(names)) select \(values) from \(staging) s where \(isRow)")
  }

  /// Takes out what the batches $1 put in.
  var deleteBatches: SQLStatement {
    SQLStatement(name: "apply_delete_batches", text: "delete from \(target) where \(batch) = any($1::uuid[])")
  }

  /// A replacement is delete and insert in one transaction, not truncate: truncate would make readers wait for its
  /// exclusive lock, and show an empty table to those with an older snapshot. So they see the old rows until the commit
  /// and the new ones after it. The price is one dead row for each old one, until vacuum.
  var deleteAll: SQLStatement { SQLStatement(name: "apply_delete_all", text: "delete from \(target)") }

  /// Live rows, and those of them that the full snapshot no longer has and `kept`, a table of keys, does not explain.
  func countGone(kept: String?) -> SQLStatement {
    SQLStatement(
      name: "apply_count_gone",
      text: "select count(*) as live, count(*) filter (where \(isGone(kept))) as gone from \(target) t where \(isLive)")
  }

  func deleteGone(kept: String?) -> SQLStatement {
    SQLStatement(
      name: "apply_delete_gone",
      text: deletes == .soft
        ? "update \(target) t set \(deletedAt) = now() where \(isLive) and \(isGone(kept))"
        : "delete from \(target) t where \(isGone(kept))")
  }

  /// What each of the statements that take rows out has left of them, which is nothing unless the table keeps rows.
  var countReplaced: SQLStatement { count("\(isLive) and \(isReplaced)") }
  func countLeft(kept: String?) -> SQLStatement { count("\(isLive) and \(isGone(kept))") }
  var countBatches: SQLStatement { count("t.\(batch) = any($1::uuid[])") }
  var countAll: SQLStatement { count("true") }

  private func count(_ condition: String) -> SQLStatement {
    SQLStatement(name: "apply_count_left", text: "select count(*) as rows from \(target) t where \(condition)")
  }

  private var isLive: String { deletes == .soft ? "t.\(deletedAt) is null" : "true" }

  private func isGone(_ kept: String?) -> String {
    let gone = "not exists (select from \(staging) s where \(keysAreEqual))"
    guard let kept else { return gone }
    return gone + " and not exists (select from \(kept) s where \(keysAreEqual))"
  }

  /// The keys in quarantine, for the length of this session; columns like the staging table's.
  func createKept(_ name: String) -> String {
    let layout = keyColumns.map { "\($0.sql) \($0.dataset.stagingType)" }.joined(separator: ", ")
    return "create temporary table \(name) (\(layout))"
  }
}
