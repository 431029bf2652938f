import DuckDB
import JobModel
import PipelineDefinition

/// A partition that one COPY of all rows may write.
struct KnownPartition: Sendable {
  /// The values of a row's partition as one text.
  let name: String
  /// The folder of its files in the dataset.
  let folder: String
}

/// Where one COPY of all rows puts a row: a number, which is cheaper to divide rows by than a text.
enum RowFolder: Hashable, Sendable {
  case bad
  /// The row is good and of a partition that is not known.
  case other
  /// The row is good and of the known partition with this index.
  case known(Int)

  static let column = "_sluice_folder"
  /// Numbers of as many digits sort as their text does.
  private static let firstKnown = 100

  var number: Int {
    switch self {
    case .bad: 0
    case .other: 1
    case .known(let index): Self.firstKnown + index
    }
  }

  /// The folder that the engine makes of the number.
  var name: String { "\(Self.column)=\(number)" }

  static func all(known count: Int) -> [RowFolder] { [.bad, .other] + (0..<max(1, count)).map(RowFolder.known) }
}

/// One COPY that sets rows aside: bad ones, and those of partitions that are not known. So it keeps no more partitions in memory than
/// it was told, and each record is parsed once.
extension ParquetLayout {
  /// The name of a row's partition. None of the values has a slash, and none is a question mark.
  private var partitionName: String {
    let names = partitions.map { "coalesce(\(expression($0)), '?')" }
    return names.count == 1 ? names[0] : "concat_ws('/', \(names.joined(separator: ", ")))"
  }

  /// SQL for the names of the partitions that occur with their values as `p0`, `p1`, …, at most one more than may be written at once.
  func listNames(of source: String) -> String {
    let values = partitions.enumerated().map { ", \(expression($0.element)) as p\($0.offset)" }
    return
      "select distinct \(partitionName) as name\(values.joined()) from \(source) limit \(Self.maximumOpenFiles + 1)"
  }

  /// The partition of a row of ``listNames(of:)``.
  func known(_ row: DuckDBRow) -> KnownPartition {
    KnownPartition(name: row["name"]?.text ?? "", folder: folder(of: row))
  }

  /// Writes rows with a verdict into the folders of ``RowFolder``.
  ///
  /// - Parameters:
  ///   - known: Of no meaning where there are no partitions.
  ///   - rows: About how many there are.
  func copyApart(_ source: String, to directory: String, known: [KnownPartition], rows: Int) -> String {
    let (other, first) = (RowFolder.other.number, RowFolder.known(0).number)
    // The engine finds the code of a name in a hash table.
    let names = known.map { quoteLiteral($0.name) }.joined(separator: ", ")
    let place =
      partitions.isEmpty
      ? "\(first)"
      : known.isEmpty
        ? "\(other)"
        : "coalesce(enum_code(try_cast(\(partitionName) as enum(\(names))))::SMALLINT + \(first), \(other))"
    let folder = "case when _reasons is not null then \(RowFolder.bad.number) else \(place) end::SMALLINT"
    let groups = partitions.isEmpty ? "" : rowGroups(rows: rows, partitions: known.count)
    return """
      copy (select \(written), \(folder) as \(RowFolder.column) from \(source))
      to \(quoteLiteral(directory)) (\(options)\(groups), partition_by (\(RowFolder.column)))
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
