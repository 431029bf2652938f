/// What an attempt waits for while it does nothing itself: what limits it. More workers help only against ``limit``.
public enum WaitCause: String, Sendable, CaseIterable, Codable {
  /// An answer of the source, or the time that it asked for.
  case source
  /// The target: its connection, a lock, its own work.
  case target
  /// The control database, and the disk below it.
  case database
  /// Room in memory.
  case memory
  /// A limit that a definition or a setting has: a rate, a number of slots.
  case limit
}
