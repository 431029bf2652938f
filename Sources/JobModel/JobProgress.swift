/// How far an attempt is. Counts only grow within an attempt.
package struct JobProgress: Sendable, Equatable {
  package var bytes: Int64
  package var rows: Int64
  /// Objects, pages, files or chunks that are finished.
  package var units: Int
  package var totalUnits: Int?
  package var totalBytes: Int64?
  /// What it is doing or waiting for, in a few words.
  package var note: String?

  package init(
    bytes: Int64 = 0, rows: Int64 = 0, units: Int = 0, totalUnits: Int? = nil, totalBytes: Int64? = nil,
    note: String? = nil
  ) {
    self.bytes = bytes
    self.rows = rows
    self.units = units
    self.totalUnits = totalUnits
    self.totalBytes = totalBytes
    self.note = note
  }
}
