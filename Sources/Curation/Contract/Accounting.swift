import DuckDB
import JobModel
import PipelineDefinition

/// The SQL that follows every row: which version of a key wins, and where the others went.
struct Accounting: Sendable {
  /// The key that the SELECT's rows still have; empty: nothing is deduplicated.
  let key: [String]
  let cursorIsCarried: Bool

  static let losers = "work.losers"
  /// The rows of the new data files.
  static let kept = "work.kept"

  /// Keys that occur once, the most, cost a hash entry each; only the others are sorted.
  ///
  /// Rows without a whole key are nobody's older version.
  var findLosers: String {
    guard !key.isEmpty else { return "create table \(Self.losers) as select 0::BIGINT as _row where false" }
    let names = key.map(quoteIdentifier)
    let list = names.joined(separator: ", ")
    let match = names.map { "c.\($0) = d.\($0)" }.joined(separator: " and ")
    let isWhole = names.map { "\($0) is not null" }.joined(separator: " and ")
    let cursor = cursorIsCarried ? "c.\(SystemColumn.cursor) desc nulls last, " : ""
    return """
      create table \(Self.losers) as
      with doubled as (
        select \(list) from \(ContractPlan.table) where _reasons is null and \(isWhole)
        group by all having count(*) > 1
      )
      select c._row from \(ContractPlan.table) c join doubled d on \(match)
      left join raw.objects o on o.id = c._object
      where c._reasons is null
      qualify row_number() over (partition by \(names.map { "c.\($0)" }.joined(separator: ", "))
        order by \(cursor)o.ordinal desc, c._position desc, c._row desc) > 1
      """
  }

  static let keep = """
    create view \(kept) as
    select * from \(ContractPlan.table) c
    where c._reasons is null and c._row not in (select _row from \(losers))
    """

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

  /// Everything that a stream's files hold, each record once: the good, the malformed, and those of a wrong type.
  static func records(_ stream: RecordTable, index: Int) -> String {
    """
    select (select count(*) from \(stream.name) where _state = \(RecordTable.State.good.rawValue))
      + (select count(*) from raw.rejects where stream = \(index) and position is null) as n
    """
  }

  static func recordsByObject(_ stream: RecordTable, index: Int) -> String {
    """
    select id, sum(n)::BIGINT as n from (
      select _object as id, count(*) as n from \(stream.name) where _state = 0 group by all
      union all select object, count(*) from raw.rejects where stream = \(index) and position is null group by all
    ) group by all
    """
  }
}
