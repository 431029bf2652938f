import DuckDB
import JobModel
import PipelineDefinition

/// Where one COPY of all rows puts a row.
enum RowFolder: String, CaseIterable, Sendable {
  /// The row is good and of a partition that is known.
  case good
  /// The row is good and of another partition.
  case other
  case bad

  static let column = "_sluice_folder"
  var name: String { "\(Self.column)=\(rawValue)" }
}

/// One COPY that sets rows aside: bad ones, and those of partitions that are not known. So it keeps no more partitions in memory than
/// it was told, and each record is parsed once.
extension ParquetLayout {
  /// The name of a row's partition. None of the values has a slash, and none is a question mark.
  private var partitionName: String {
    "concat_ws('/', \(partitions.map { "coalesce(\(expression($0)), '?')" }.joined(separator: ", ")))"
  }

  /// SQL for the names of the partitions that occur, at most one more than may be written at once.
  func listNames(of source: String) -> String {
    "select distinct \(partitionName) as name from \(source) limit \(Self.maximumOpenFiles + 1)"
  }

  /// Writes all rows with a verdict into the folders of ``RowFolder``, the good ones each partition into a folder of its own.
  ///
  /// - Parameter known: Names of partitions; of no meaning where there are no partitions.
  func copyApart(to directory: String, known: [String]) -> String {
    let isBad = "_reasons is not null"
    let names = partitions.indices.map { "_sluice_p\($0)" }
    let values = zip(partitions, names).map { ", case when not (\(isBad)) then \(expression($0)) end as \($1)" }
    let key = "concat_ws('/', \(names.map { "coalesce(\($0), '?')" }.joined(separator: ", ")))"
    let isKnown =
      partitions.isEmpty
      ? "true" : known.isEmpty ? "false" : "\(key) in (\(known.map(textExpression).joined(separator: ", ")))"
    let good = quoteLiteral(RowFolder.good.rawValue)
    let folder = """
      case when \(isBad) then \(quoteLiteral(RowFolder.bad.rawValue)) when \(isKnown) then \(good)
        else \(quoteLiteral(RowFolder.other.rawValue)) end as \(RowFolder.column)
      """
    let places = names.map { ", case when \(RowFolder.column) = \(good) then \($0) end as \($0)" }
    return """
      copy (
        select \(written), \(RowFolder.column)\(places.joined())
        from (select *, \(folder) from (select *\(values.joined()) from \(ContractPlan.table)))
      ) to \(quoteLiteral(directory)) (\(options), partition_by (\(([RowFolder.column] + names).joined(separator: ", "))))
      """
  }

  /// The rows of data files as something to read from.
  static func rows(of paths: [String]) -> String {
    "read_parquet(\(quoteList(paths)), hive_partitioning = false)"
  }

  /// Writes the places of rows in data files for ``Records/RowFile``.
  static func copyPlaces(of paths: [String], to path: String) -> String {
    """
    copy (select \(SystemColumn.object)::BIGINT, \(SystemColumn.position)::BIGINT from \(rows(of: paths)) order by all)
    to \(quoteLiteral(path)) (format csv, header false)
    """
  }

  /// The bad rows among those that were gathered.
  static let findBad = "create view \(ContractPlan.bad) as from \(gathered) where _reasons is not null"
}
