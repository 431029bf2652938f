/// A job's number: given by the database, never used again.
package struct JobID: RawRepresentable, Sendable, Hashable, Comparable, Codable, CustomStringConvertible {
  package var rawValue: Int64
  package init(rawValue: Int64) { self.rawValue = rawValue }
  package init(_ value: Int64) { rawValue = value }
  package var description: String { String(rawValue) }
  package static func < (left: JobID, right: JobID) -> Bool { left.rawValue < right.rawValue }
}

/// A run's number: one execution of a pipeline over one batch.
package struct RunID: RawRepresentable, Sendable, Hashable, Comparable, Codable, CustomStringConvertible {
  package var rawValue: Int64
  package init(rawValue: Int64) { self.rawValue = rawValue }
  package init(_ value: Int64) { rawValue = value }
  package var description: String { String(rawValue) }
  package static func < (left: RunID, right: RunID) -> Bool { left.rawValue < right.rawValue }
}
