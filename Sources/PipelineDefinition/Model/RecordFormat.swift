/// How bytes become records.
package enum RecordFormat: Sendable, Equatable {
  case csv(CSVFormat)
  /// A document; the records are the values at `path`, such as `$.data[*]`; `$` is the document itself, `$[*]` its elements.
  case json(path: String)
  case ndjson
  /// Not read as records: kept raw only.
  case bytes

  package static let defaultMaximumRecordBytes = 16_000_000
  /// The engine keeps some buffers that hold a record.
  package static let largestMaximumRecordBytes = 64_000_000

  package var name: String {
    switch self {
    case .csv: "csv"
    case .json: "json"
    case .ndjson: "ndjson"
    case .bytes: "bytes"
    }
  }

  /// Line formats quarantine the bad row; whole documents fail the run at once.
  package var isLineFormat: Bool {
    switch self {
    case .csv, .ndjson: true
    case .json, .bytes: false
    }
  }
}

package struct CSVFormat: Sendable, Equatable {
  package var header: Bool
  package var delimiter: String
  package var quote: String
  /// nil: a quote inside a quoted field is written twice.
  package var escape: String?
  package var null: String
  /// `utf-8`, `utf-16` by its byte-order mark, `utf-16le`, `utf-16be`, `latin-1` or `windows-1252`.
  package var encoding: String
  /// Lines before the header or the first record.
  package var skip: Int

  package init(
    header: Bool = true, delimiter: String = ",", quote: String = "\"", escape: String? = nil, null: String = "",
    encoding: String = "utf-8", skip: Int = 0
  ) {
    self.header = header
    self.delimiter = delimiter
    self.quote = quote
    self.escape = escape
    self.null = null
    self.encoding = encoding
    self.skip = skip
  }
}
