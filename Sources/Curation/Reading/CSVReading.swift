import DuckDB
import JobModel
import PipelineDefinition

/// Files of one CSV stream that have the same fields, and the SQL that reads them.
struct CSVReading {
  let format: CSVFormat
  let paths: [String]
  /// The names of the file's columns, in order.
  let columns: [String]
  /// Whether a row may end early; its missing fields are null then. A row that is too long is malformed either way.
  let padsShortRows: Bool

  /// Rejected rows of the statement that runs; emptied after each.
  static let rejects = "csv_rejects"
  static let rejectScans = "csv_reject_scans"

  /// A line may be this long, in bytes; a longer one is malformed.
  static let maximumLineBytes = 8_000_000
  /// DuckDB keeps a few buffers of this size a thread; one must hold two lines.
  static let bufferBytes = 16_000_000

  /// Reads every row as text. Order within a file is the file's; files come in the order of `paths`.
  ///
  /// A quoted text may hold line breaks, and then short rows can only be padded by one thread.
  var scan: String {
    let list = columns.indices.map { "'k\($0)': 'VARCHAR'" }.joined(separator: ", ")
    var options = [
      quoteList(paths), "columns = {\(list)}", "auto_detect = false", "header = \(format.header)",
      "delim = \(quoteLiteral(format.delimiter))", "quote = \(quoteLiteral(format.quote))",
      "escape = \(quoteLiteral(format.escape ?? format.quote))",
      "nullstr = \(quoteLiteral(nullIsReplaced ? Self.noText : format.null))",
      "encoding = \(quoteLiteral(format.encoding))", "skip = \(format.skip)", "filename = '_path'",
      "max_line_size = \(Self.maximumLineBytes)", "buffer_size = \(Self.bufferBytes)", "strict_mode = true",
      "store_rejects = true",
      "rejects_table = '\(Self.rejects)'", "rejects_scan = '\(Self.rejectScans)'", "ignore_errors = true",
      "compression = 'none'",
    ]
    if padsShortRows { options += ["null_padding = true", "parallel = false"] }
    return "read_csv(\(options.joined(separator: ", ")))"
  }

  /// DuckDB takes no null text that has the escape character in it, such as `\N`; it is recognised afterwards then.
  private var nullIsReplaced: Bool {
    let marks = Set(format.quote + (format.escape ?? format.quote) + format.delimiter)
    return format.null.contains(where: marks.contains)
  }
  private static let noText = "\u{1}"

  /// Puts the rows into the stream's table, numbered across the statement's files.
  ///
  /// The file's columns go by their number here: their names are data.
  func insert(into table: String, fields: [RecordTable.Field]) -> String {
    let read = columns.enumerated().compactMap { index, name in
      fields.first { SQLName($0.name) == SQLName(name) }.map { (from: "s.k\(index)", to: $0.column) }
    }
    let list = read.map { ", \($0.to)" }.joined()
    let values = read.map { nullIsReplaced ? ", nullif(\($0.from), \(quoteLiteral(format.null)))" : ", \($0.from)" }
      .joined()
    return """
      insert into \(table) (_object, _n, _state\(list))
      select o.id, s._n, 0\(values)
      from (select row_number() over () as _n, * from \(scan)) s join raw.objects o on o.path = s._path
      """
  }

  /// Moves what the last scan rejected to the stream's rejects: one row a record, whatever else was wrong with it.
  static func takeRejects(stream: Int) -> String {
    """
    insert into raw.rejects
    select \(stream), o.id, null, min(e.line), min(e.line_byte_position) - 1,
      ['record:' || case min(e.error_type)
        when 'MISSING COLUMNS' then 'too_few_fields' when 'TOO MANY COLUMNS' then 'too_many_fields'
        when 'UNQUOTED VALUE' then 'quote' when 'INVALID ENCODING' then 'encoding'
        when 'LINE SIZE OVER MAXIMUM' then 'too_long' else lower(replace(min(e.error_type), ' ', '_')) end],
      ltrim(any_value(e.csv_line), chr(10) || chr(13)), null, max(e.column_idx)
    from \(rejects) e join \(rejectScans) s using (scan_id, file_id) join raw.objects o on o.path = s.file_path
    group by o.id, e.line_byte_position
    """
  }

  /// Reads files line by line, whatever the lines hold; a byte that is no text of the encoding rejects its line.
  static func lineScan(
    _ paths: [String], skip: Int = 0, encoding: String = "utf-8", maximumBytes: Int = maximumLineBytes
  ) -> String {
    """
    read_csv(\(quoteList(paths)), columns = {'line': 'VARCHAR'}, auto_detect = false, header = false, delim = '\\x01',
      quote = '', escape = '', skip = \(skip), encoding = \(quoteLiteral(encoding)), filename = '_path',
      max_line_size = \(maximumBytes), buffer_size = \(maximumBytes * 2), strict_mode = false, store_rejects = true, rejects_table = '\(rejects)',
      rejects_scan = '\(rejectScans)', ignore_errors = true, compression = 'none')
    """
  }
}

extension CSVFormat {
  /// Takes a header apart; nil where a quote is left open.
  ///
  /// By scalars, as DuckDB reads it: a quote that a combining mark follows is a quote.
  func names(inHeader line: String) -> [String]? {
    let delimiter = Array(delimiter.unicodeScalars)
    let quote = self.quote.unicodeScalars.first
    let escape = (self.escape ?? self.quote).unicodeScalars.first
    var scalars = Array(line.unicodeScalars)
    if scalars.first == "\u{FEFF}" { scalars.removeFirst() }
    var names = [String.UnicodeScalarView()]
    var isQuoted = false
    var index = 0
    while index < scalars.count {
      let scalar = scalars[index]
      let next = index + 1 < scalars.count ? scalars[index + 1] : nil
      if isQuoted, scalar == escape, let next, next == quote {
        names[names.count - 1].append(next)
        index += 2
      } else if scalar == quote, isQuoted || names[names.count - 1].isEmpty {
        isQuoted.toggle()
        index += 1
      } else if !isQuoted, !delimiter.isEmpty, scalars[index...].starts(with: delimiter) {
        names.append(String.UnicodeScalarView())
        index += delimiter.count
      } else {
        names[names.count - 1].append(scalar)
        index += 1
      }
    }
    return isQuoted ? nil : names.map(String.init)
  }

  /// Names that can stand beside each other in one table: none empty, none twice, none of Sluice's own.
  static func columnNames(_ header: [String]) -> [String] {
    var taken: Set<SQLName> = []
    return header.enumerated().map { index, raw in
      var name = raw.trimmingWhitespace()
      if !FieldName.isUsable(name) || SystemColumn.isReserved(name) { name = "c\(index + 1)" }
      var candidate = name
      var count = 2
      while !taken.insert(SQLName(candidate)).inserted {
        candidate = "\(name)_\(count)"
        count += 1
      }
      return candidate
    }
  }
}

extension StringProtocol {
  /// Without white space at both ends, scalar by scalar: a combining mark after a space stays.
  func trimmingWhitespace() -> String {
    let scalars = unicodeScalars
    func isText(_ scalar: Unicode.Scalar) -> Bool { !scalar.properties.isWhitespace }
    guard let start = scalars.firstIndex(where: isText), let end = scalars.lastIndex(where: isText) else { return "" }
    return String(String.UnicodeScalarView(scalars[start...end]))
  }
}
