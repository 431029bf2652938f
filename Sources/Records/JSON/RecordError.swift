import JobModel

/// Bytes that are not the records they were said to be. Positions, never contents.
package struct RecordError: Failure, Equatable {
  package enum Code: String, Sendable {
    case invalidJSON = "invalid_json"
    case recordTooLong = "record_too_long"
    case recordPath = "record_path"
    case recordsMissing = "records_missing"
    case unreadable = "records_unreadable"
    case header = "csv_header"
    case notWritten = "disk_full"
  }

  package let kind: Code
  package let message: String
  package let hint: String?
  /// Bytes from the document's begin; nil where no place is to blame.
  package let position: Int64?

  package init(_ kind: Code, _ message: String, hint: String? = nil, position: Int64? = nil) {
    self.kind = kind
    self.message = message
    self.hint = hint
    self.position = position
  }

  package var code: String { kind.rawValue }
  /// Room can be made on a disk.
  package var isTransient: Bool { kind == .notWritten }
}
