import DuckDB
import JobModel
import PipelineDefinition

/// The SQL that follows every row: which version of a key wins, and where the others went.
struct Accounting: Sendable {
  /// The key that the SELECT's rows still have; empty: nothing is deduplicated.
  let key: [String]
  let cursorIsCarried: Bool
  /// Columns of the key that name a row's parent.
  var replaces: [String] = []
  var carriesPositions = true

  static let losers = "work.losers"
  /// The rows of the new data files.
  static let kept = "work.kept"

  var findsLosers: Bool { !key.isEmpty && carriesPositions }

  /// SQL that finds the older versions, in parts of the keys, so that a part of the rows is in memory at a time.
  ///
  /// Keys that occur once, the most, cost a hash entry each; only the others are sorted. A row
  /// without a whole key is no version of another one.
  ///
  /// - Parameter parts: At least 1.
  func findLosers(parts: Int) -> [String] {
    let table = "create table \(Self.losers) as select _row from \(ContractPlan.table) where false"
    guard findsLosers else { return [table] }
    return [table]
      + (0..<parts).flatMap { part in
        [olderVersions(part, of: parts)] + (replaces.isEmpty ? [] : [olderParents(part, of: parts)])
      }
  }

  private func olderVersions(_ part: Int, of parts: Int) -> String {
    let names = key.map(quoteIdentifier)
    let match = names.map { "c.\($0) = d.\($0)" }.joined(separator: " and ")
    let isWhole = names.map { "\($0) is not null" }.joined(separator: " and ")
    return """
      insert into \(Self.losers)
      with doubled as (
        select \(names.joined(separator: ", ")) from \(ContractPlan.table) c
        where _reasons is null and \(isWhole)\(condition(key, part, of: parts))
        group by all having count(*) > 1
      )
      select c._row from \(ContractPlan.table) c join doubled d on \(match)
      left join raw.objects o on o.id = c._object
      where c._reasons is null\(condition(key, part, of: parts))
      qualify row_number() over (partition by \(names.map { "c.\($0)" }.joined(separator: ", "))
        order by \(newestFirst), c._row desc) > 1
      """
  }

  /// Rows of a parent that are not of its newest record.
  private func olderParents(_ part: Int, of parts: Int) -> String {
    """
    insert into \(Self.losers)
    select c._row from \(ContractPlan.table) c left join raw.objects o on o.id = c._object
    where c._reasons is null\(condition(replaces, part, of: parts))
    qualify dense_rank() over (partition by \(replaces.map { "c.\(quoteIdentifier($0))" }.joined(separator: ", "))
      order by \(newestFirst)) > 1
    """
  }

  private var newestFirst: String {
    (cursorIsCarried ? "c.\(SystemColumn.cursor) desc nulls last, " : "") + "o.ordinal desc, c._position desc"
  }

  /// Equal values are in one part.
  private func condition(_ columns: [String], _ part: Int, of parts: Int) -> String {
    guard parts > 1 else { return "" }
    return " and hash(\(columns.map { "c.\(quoteIdentifier($0))" }.joined(separator: ", "))) % \(parts) = \(part)"
  }

  /// True for a row of the dataset; false for the mark of a parent whose newest record gave no row: its key has the parent alone.
  var isRow: String { Self.isRow(key: key, replaces: replaces) }

  /// The mark's other columns of the key are null, which no row's are.
  static func isRow(key: [String], replaces: [String]) -> String {
    guard !replaces.isEmpty, let other = key.first(where: { !replaces.contains($0) }) else { return "true" }
    return "\(quoteIdentifier(other)) is not null"
  }

  var countLosers: String {
    guard !replaces.isEmpty else { return "select count(*) as n from \(Self.losers)" }
    return
      "select count(*) as n from \(ContractPlan.table) where _row in (select _row from \(Self.losers)) and \(isRow)"
  }

  var keep: String {
    let isWinner = findsLosers ? "and c._row not in (select _row from \(Self.losers))" : ""
    return "create view \(Self.kept) as select * from \(ContractPlan.table) c where c._reasons is null \(isWinner)"
  }

  /// Good records of the stream that no row of the SELECT's result comes from.
  static func filtered(_ stream: RecordTable) -> String {
    let table = ContractPlan.table
    return """
      select count(*) as n from (\(stream.goodRecords)) r
      anti join \(table) c on r._object = c._object and r._position = c._position
      """
  }

  /// Rows of the result that come from the same record as another, or from none: the equation ends at the input then.
  static let multiplied = """
    select count(*) - count(distinct (_object, _position)) + count(*) filter (_object is null) as n
    from \(ContractPlan.table)
    """
}
