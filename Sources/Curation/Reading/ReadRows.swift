import DuckDB
import FoundationEssentials
import JobModel
import Records

/// The files that one reader has written, and what is in them.
struct ReadFiles: Sendable {
  let records: ReadRecords
  /// Where the reader ended in the last object.
  let end: ReadEnd
  /// The rows that are shown: all of them, or some.
  var rows: RowFile
  /// Good records and lines of the object before the range that was read.
  var recordsBefore = 0
  var linesBefore = 0

  init(records: ReadRecords, end: ReadEnd) {
    self.records = records
    self.end = end
    rows = records.rows
  }

  func remove() throws {
    let paths = records.rows.paths + records.rejects.paths + (records.sample?.paths ?? [])
    for path in paths { try FileManager.default.removeItem(atPath: path) }
  }
}

/// The SQL that takes a reader's rows in.
enum ReadRows {
  private static func scan(_ file: RowFile) -> String {
    "read_parquet(\(quoteList(file.paths)), hive_partitioning = false)"
  }

  /// Columns of the stream's table, beyond the record's place.
  private static func texts(_ table: RecordTable) -> [String] { record(table) + table.fields.map(\.column) }
  private static func record(_ table: RecordTable) -> [String] { table.keepsRecords ? ["\(SystemColumn.record)"] : [] }

  /// Creates the stream's table, without rows.
  static func createTable(_ table: RecordTable) -> String {
    let columns = ["_object BIGINT", "_position BIGINT"] + texts(table).map { "\($0) VARCHAR" }
    return "create table \(table.name) (\(columns.joined(separator: ", ")))"
  }

  /// Statements that put the good records into the stream's table, in their order.
  static func inserts(_ table: RecordTable, _ read: [ReadFiles], _ names: StreamFields) -> [String] {
    selects(table, read, names).map { "insert into \(table.name) \($0)" }
  }

  /// Creates a view of the files that has the rows of the stream's table.
  static func createView(_ table: RecordTable, _ read: [ReadFiles], _ names: StreamFields) -> String {
    let selects = selects(table, read, names)
    let empty = """
      select null::BIGINT as _object, null::BIGINT as _position\(texts(table).map { ", null::VARCHAR as \($0)" }.joined())
      where false
      """
    return
      "create or replace view \(table.name) as \(selects.isEmpty ? empty : selects.joined(separator: " union all "))"
  }

  private static func selects(_ table: RecordTable, _ read: [ReadFiles], _ names: StreamFields) -> [String] {
    read.filter { $0.rows.count > 0 }.map { select(table, $0, names, record(table)) }
  }

  /// Each value depends on two columns. The engine moves a filter of one column into its scan, which then counts the rows behind the filter
  /// only; those that it read must be those that were written.
  private static func select(
    _ table: RecordTable, _ files: ReadFiles, _ names: StreamFields, _ record: [String]
  ) -> String {
    let (object, position) = (RowFile.column(0), RowFile.column(1))
    let first = RowFile.numbersOfRows + record.count
    func value(_ column: String) -> String { "case when \(object) is not null then \(column) end" }
    var list = ["coalesce(\(object), \(position)) as _object"]
    list.append("\(value(files.recordsBefore == 0 ? position : "\(position) + \(files.recordsBefore)")) as _position")
    list += record.map { "\(value(RowFile.column(RowFile.numbersOfRows))) as \($0)" }
    let fields = files.records.fields
    for field in table.fields {
      // Two spellings of one column's name in the headers of two files.
      let spellings = fields.indices.filter { names.column(of: fields[$0]) == field.column }
        .map { RowFile.column(first + $0) }
      let text = spellings.count > 1 ? "coalesce(\(spellings.joined(separator: ", ")))" : spellings.first
      list.append("\(text.map(value) ?? "null::VARCHAR") as \(field.column)")
    }
    return "select \(list.joined(separator: ", ")) from \(scan(files.rows))"
  }

  /// Takes the records that are none to the stream's rejects.
  static func takeRejects(_ read: [ReadFiles], stream: Int) -> String {
    let statements = read.filter { $0.records.rejects.count > 0 }.map { files in
      let columns = ["object", "line", "byte", "reason", "record"].enumerated().map {
        "\(RowFile.column($0.offset)) as \($0.element)"
      }
      return """
        insert into raw.rejects
        select \(stream), r.object, null, r.line + \(files.linesBefore), case when o.has_bytes then r.byte end, [r.reason],
          r.record, null
        from (select \(columns.joined(separator: ", ")) from \(scan(files.records.rejects))) r
        join raw.objects o on o.id = r.object
        """
    }
    return statements.isEmpty ? "select 1 as n" : statements.joined(separator: ";\n")
  }
}
