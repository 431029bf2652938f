/// How bytes become records.
package enum RecordFormat: Sendable, Equatable {
  case csv(CSVFormat)
  /// A document; the records are the values at `path`, such as `$.data[*]`; `$` is the document itself, `$[*]` its elements.
  case json(path: String)
  case ndjson
  /// Not read as records: kept raw only.
  case bytes

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
  /// `utf-8`, `latin-1` or `utf-16`.
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
