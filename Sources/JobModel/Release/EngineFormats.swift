/// What an engine can do with checkpoints.
package struct EngineFormats: Sendable, Equatable {
  /// Those that it goes on from as they are.
  package var reads: Set<CheckpointFormat>
  /// Older ones, that it turns into what it writes.
  package var migrates: Set<CheckpointFormat>
  package var writes: Set<CheckpointFormat>

  package init(
    reads: Set<CheckpointFormat> = [], migrates: Set<CheckpointFormat> = [], writes: Set<CheckpointFormat> = []
  ) {
    self.reads = reads
    self.migrates = migrates
    self.writes = writes
  }

  /// The formats of several kinds of jobs together.
  package func union(_ other: EngineFormats) -> EngineFormats {
    EngineFormats(
      reads: reads.union(other.reads), migrates: migrates.union(other.migrates), writes: writes.union(other.writes))
  }

  /// How an engine takes a checkpoint.
  package enum Reading: String, Sendable, Codable {
    case asIs = "reads as is"
    case migrated = "after migration"
    case cannot = "cannot"
  }

  package func reading(_ format: CheckpointFormat) -> Reading {
    if reads.contains(format) { return .asIs }
    return migrates.contains(format) ? .migrated : .cannot
  }
}
