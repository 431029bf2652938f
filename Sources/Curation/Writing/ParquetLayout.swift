import DuckDB
import JobModel
import PipelineDefinition

/// How the dataset's rows become Parquet files: by one COPY that divides them, or by one for each partition.
struct ParquetLayout: Sendable {
  let partitions: [Partition]
  let files: FileLayout
  /// The dataset's columns, then Sluice's own, with DuckDB's types.
  let columns: [(name: String, type: String)]
  let texts: TextColumns
  /// Whether rows come as they stand in raw; sorting them by that again would cost time and change nothing.
  let isInRawOrder: Bool
  let carriesPositions: Bool
  /// What the rows are read from.
  var rows = Accounting.kept
  /// Whether there are bad rows among them, which are not written.
  var hasVerdicts = false

  /// More partitions than this in one run are thousands of tiny files: the wrong column or the wrong unit.
  static let maximumPartitions = 4_000

  /// Three bytes each, and the column's name: a folder's name may have 255.
  private static let maximumNameBytes = 40

  /// The rows in the order of their partitions.
  static let gathered = "work.gathered"

  /// Whether one COPY may divide the rows: it has the value in a folder's name, so only values that are short always may be there,
  /// and it does not sort.
  var canBeOneCopy: Bool {
    files.sort.isEmpty
      && partitions.allSatisfy { partition in
        let type = columns.first { SQLName($0.name) == SQLName(partition.column) }?.type ?? ""
        return Self.shortTypes.contains(partition.transform == .value ? type : "TIMESTAMP")
      }
  }

  /// The engine keeps 100 files open and begins new ones for more partitions; the count is about right only.
  static let maximumOpenFiles = 80

  /// What a COPY that divides rows keeps of each partition for each column and thread: a vector of 2,048 values and the writer's.
  private static let bytesPerColumn = 64_000

  /// Whether one COPY has room for so many partitions in a part of the memory.
  func fits(partitions count: Int, _ limits: DuckDBLimits) -> Bool {
    let (bytes, overflows) = (count * Self.bytesPerColumn).multipliedReportingOverflow(
      by: (columns.count + partitions.count) * limits.threads)
    return !overflows && bytes <= limits.memoryBytes / 4 && count <= Self.maximumOpenFiles
  }

  private static let shortTypes: Set<String> = [
    "BOOLEAN", "SMALLINT", "INTEGER", "BIGINT", "DATE", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE", "UUID",
  ]

  private static let hiveNull = "__HIVE_DEFAULT_PARTITION__"

  func expression(_ partition: Partition) -> String {
    switch partition.transform {
    case .value: "\(quoteIdentifier(partition.column))::VARCHAR"
    case .day: time(of: partition.column, "%Y-%m-%d")
    case .month: time(of: partition.column, "%Y-%m")
    case .year: time(of: partition.column, "%Y")
    }
  }

  /// The engine asks a calendar of time zones for the parts of an instant, in UTC too, which takes ten times as long as those of a
  /// local time. An infinite instant has no local time.
  private func time(of column: String, _ format: String) -> String {
    let name = quoteIdentifier(column)
    let text = "strftime(\(name), '\(format)')"
    guard columns.first(where: { SQLName($0.name) == SQLName(column) })?.type == "TIMESTAMP WITH TIME ZONE" else {
      return text
    }
    return "coalesce(strftime(make_timestamp(epoch_us(\(name))), '\(format)'), \(text))"
  }

  private func name(_ partition: Partition) -> String {
    partition.transform == .value ? partition.column : "\(partition.column)_\(partition.transform.rawValue)"
  }

  /// Puts the kept rows into one table in the order of their partitions and of their files, so that each COPY reads its
  /// part only; nil where there is one partition.
  var gather: String? {
    guard !partitions.isEmpty else { return nil }
    let names = partitions.indices.map { "_sluice_p\($0)" }
    let values = partitions.enumerated().map { index, partition in
      let value = expression(partition)
      return "\(hasVerdicts ? "case when _reasons is null then \(value) end" : value) as _sluice_p\(index)"
    }
    return """
      create table \(Self.gathered) as
      select *, \(values.joined(separator: ", ")) from \(rows)
      order by \((names + sortNames).joined(separator: ", "))
      """
  }

  private var source: String { partitions.isEmpty ? rows : Self.gathered }

  /// SQL for the partitions that occur, as columns `p0`, `p1`, …
  var listPartitions: String {
    let list = partitions.indices.map { "_sluice_p\($0) as p\($0)" }.joined(separator: ", ")
    let good = hasVerdicts ? " where _reasons is null" : ""
    return "select distinct \(list) from \(source)\(good) order by all limit \(Self.maximumPartitions + 1)"
  }

  /// The folder of a partition, as Hive writes it: `ordered_at_month=2024-01/country=CH`.
  func folder(of row: DuckDBRow) -> String {
    partitions.enumerated().map { index, partition in
      "\(Self.escaped(name(partition)))=\(Self.escaped(row["p\(index)"]?.text ?? Self.hiveNull))"
    }.joined(separator: "/")
  }

  /// Bytes that a folder's name cannot hold as `%XX`; a long text by its beginning and a hash.
  ///
  /// The name is for people: no reader takes the value from it.
  static func escaped(_ text: String) -> String {
    guard !text.isEmpty else { return hiveNull }
    guard text.utf8.count <= maximumNameBytes else {
      // FNV-1a, which is the same in every process.
      let hash = text.utf8.reduce(0xCBF2_9CE4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
      return escaped(String(decoding: text.utf8.prefix(maximumNameBytes / 2), as: UTF8.self)) + "~"
        + String(hash, radix: 16)
    }
    var result = ""
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
        result.append(Character(Unicode.Scalar(byte)))
      default:
        let digits = String(byte, radix: 16, uppercase: true)
        result += "%" + (digits.count < 2 ? "0" : "") + digits
      }
    }
    return result
  }

  private func condition(_ row: DuckDBRow) -> String {
    let good = hasVerdicts ? ["_reasons is null"] : []
    let tests =
      good
      + partitions.indices.map { index in
        row["p\(index)"]?.text.map { "_sluice_p\(index) = \(textExpression($0))" } ?? "_sluice_p\(index) is null"
      }
    return tests.isEmpty ? "" : " where " + tests.joined(separator: " and ")
  }

  /// What a file's rows are sorted by; empty where they may stay as they are.
  private var sortNames: [String] {
    let place = carriesPositions ? [SystemColumn.object, SystemColumn.position] : []
    if !files.sort.isEmpty { return (files.sort + place).map(quoteIdentifier) }
    return isInRawOrder && partitions.isEmpty ? [] : place
  }

  private var order: String {
    partitions.isEmpty && !sortNames.isEmpty ? " order by " + sortNames.joined(separator: ", ") : ""
  }

  /// Writes one partition into a directory, a new file whenever one has reached the target's size.
  func copy(_ row: DuckDBRow, to directory: String) -> String {
    """
    copy (select \(written) from \(source)\(condition(row))\(order))
    to \(quoteLiteral(directory)) (\(options), file_size_bytes \(files.targetBytes))
    """
  }

  /// The largest is the engine's own. A piece of a load has whole groups of each size.
  private static let rowsPerGroup = [122_880, 61_440, 40_960, 20_480]

  /// How many rows a row group has in files of one COPY that divides rows. What a partition has gathered in the end is written by one
  /// thread where it is less than half a group, so small partitions have small groups.
  func rowGroups(rows: Int, partitions: Int) -> String {
    let wanted = rows / max(1, partitions) / 4
    let count = Self.rowsPerGroup.first { $0 <= wanted } ?? Self.rowsPerGroup[Self.rowsPerGroup.count - 1]
    return count < Self.rowsPerGroup[0] ? ", row_group_size \(count)" : ""
  }

  var written: String { columns.map { texts.written($0.name) }.joined(separator: ", ") }
  /// The first level makes files a fourteenth larger than the usual third, and saves a seventh of the processor time of a COPY. What small
  /// files are compacted into has the third.
  var options: String {
    "format parquet, compression zstd, compression_level 1, file_extension 'parquet'\(texts.metadata)"
  }

  /// Writes one file of ``copyApart(_:to:known:rows:)`` once more as several of the target's size.
  func divide(_ path: String, to directory: String) -> String {
    """
    copy (from read_parquet(\(quoteList([path])), hive_partitioning = false))
    to \(quoteLiteral(directory)) (\(options), file_size_bytes \(files.targetBytes))
    """
  }

  /// SQL for the rows of files. They are named one by one: in a pattern the folder's own name could be one.
  static func fileRows(of paths: [String]) -> String {
    "select file_name as path, num_rows as n from parquet_file_metadata(\(quoteList(paths))) order by path"
  }
}
