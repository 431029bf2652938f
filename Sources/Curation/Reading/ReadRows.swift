import DuckDB
import FoundationEssentials
import JobModel
import Records

/// The files that one reader has written, and what is in them.
struct ReadFiles: Sendable {
  var rows: String
  let rejects: String
  let records: ReadRecords
  /// Where the reader ended in the last object.
  let end: ReadEnd
  /// Good records and lines of the object before the range that was read.
  var recordsBefore = 0
  var linesBefore = 0

  func remove() throws {
    for path in [rows, rejects] { try FileManager.default.removeItem(atPath: path) }
  }
}

/// The SQL that takes a reader's rows in.
enum ReadRows {
  /// The engine keeps a few buffers of this size for each thread; one must hold two rows.
  private static let bufferBytes = 16_000_000

  /// Rows of ``RowText``. A row that was written before a field was first seen ends early; the rest is null.
  private static func scan(_ path: String, _ columns: [(name: String, type: String)], longest: Int) -> String {
    let list = columns.map { "'\($0.name)': '\($0.type)'" }.joined(separator: ", ")
    let row = max(longest + 1, 1_000_000)
    return """
      read_csv(\(quoteLiteral(path)), columns = {\(list)}, auto_detect = false, header = false,
        delim = chr(\(RowText.delimiter)), quote = '', escape = '', nullstr = chr(\(RowText.null)), null_padding = true,
        strict_mode = true, max_line_size = \(row), buffer_size = \(max(bufferBytes, 2 * row)), compression = 'none')
      """
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
    read.filter { $0.records.rows > 0 }.map { select(table, $0, names, record(table)) }
  }

  private static func select(
    _ table: RecordTable, _ files: ReadFiles, _ names: StreamFields, _ record: [String]
  ) -> String {
    let fields = files.records.fields
    let all =
      [(name: "_object", type: "BIGINT"), (name: "_position", type: "BIGINT")]
      + record.map { (name: $0, type: "VARCHAR") } + fields.indices.map { (name: "k\($0)", type: "VARCHAR") }
    func decoded(_ column: String, _ hasEscapes: Bool) -> String {
      hasEscapes ? RowText.decoding(column) : column
    }
    let position = files.recordsBefore == 0 ? "_position" : "_position + \(files.recordsBefore) as _position"
    var list = ["_object", position] + record.map { "\(decoded($0, files.records.recordHasEscapes)) as \($0)" }
    for field in table.fields {
      // Two spellings of one column's name in the headers of two files.
      let spellings = fields.indices.filter { names.column(of: fields[$0].name) == field.column }
        .map { decoded("k\($0)", fields[$0].hasEscapes) }
      let value = spellings.count > 1 ? "coalesce(\(spellings.joined(separator: ", ")))" : spellings.first
      list.append("\(value ?? "null::VARCHAR") as \(field.column)")
    }
    return "select \(list.joined(separator: ", ")) from \(scan(files.rows, all, longest: files.records.longestRow))"
  }

  /// Takes the records that are none to the stream's rejects.
  static func takeRejects(_ read: [ReadFiles], stream: Int) -> String {
    let columns = [
      (name: "object", type: "BIGINT"), (name: "line", type: "BIGINT"), (name: "byte", type: "BIGINT"),
      (name: "reason", type: "VARCHAR"), (name: "record", type: "VARCHAR"),
    ]
    let statements = read.filter { $0.records.rejects > 0 }.map { files in
      """
      insert into raw.rejects
      select \(stream), r.object, null, r.line + \(files.linesBefore), case when o.has_bytes then r.byte end, [r.reason],
        \(RowText.decoding("r.record")), null
      from \(scan(files.rejects, columns, longest: files.records.longestRow)) r join raw.objects o on o.id = r.object
      """
    }
    return statements.isEmpty ? "select 1 as n" : statements.joined(separator: ";\n")
  }
}
