/// How far an attempt is. Counts only grow within an attempt.
public struct JobProgress: Sendable, Equatable {
  public var bytes: Int64
  public var rows: Int64
  /// Objects, pages, files or chunks that are finished.
  public var units: Int
  public var totalUnits: Int?
  public var totalBytes: Int64?
  /// What it is doing or waiting for, in a few words.
  public var note: String?

  public init(
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
