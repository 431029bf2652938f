import JobModel
import JobStore

/// Compares the checkpoints that live in the queue with what an engine reads.
package struct CheckpointGate: Sendable {
  package struct Row: Sendable, Equatable {
    package var live: JobStore.LiveCheckpoints
    package var reading: EngineFormats.Reading
  }

  package var formats: EngineFormats

  package init(_ formats: EngineFormats) { self.formats = formats }

  package func examine(_ live: [JobStore.LiveCheckpoints]) -> [Row] {
    live.map { Row(live: $0, reading: formats.reading($0.format)) }
  }

  /// Checkpoints that the release would have to go on from at once, and cannot: those of runs that began without a release
  /// have no other engine.
  package func obstacles(among live: [JobStore.LiveCheckpoints]) -> [JobStore.LiveCheckpoints] {
    live.filter { $0.engine == 0 && formats.reading($0.format) == .cannot }
  }
}
