/// A job's number: given by the database, never used again.
public struct JobID: RawRepresentable, Sendable, Hashable, Comparable, Codable, CustomStringConvertible {
  public var rawValue: Int64
  public init(rawValue: Int64) { self.rawValue = rawValue }
  public init(_ value: Int64) { rawValue = value }
  public var description: String { String(rawValue) }
  public static func < (left: JobID, right: JobID) -> Bool { left.rawValue < right.rawValue }
}

/// A run's number: one execution of a pipeline over one batch.
public struct RunID: RawRepresentable, Sendable, Hashable, Comparable, Codable, CustomStringConvertible {
  public var rawValue: Int64
  public init(rawValue: Int64) { self.rawValue = rawValue }
  public init(_ value: Int64) { rawValue = value }
  public var description: String { String(rawValue) }
  public static func < (left: RunID, right: RunID) -> Bool { left.rawValue < right.rawValue }
}
