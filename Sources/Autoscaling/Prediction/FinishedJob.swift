/// What a job is expected to need, and what that is based on.
package struct Prediction: Sendable, Equatable {
  package enum Basis: String, Sendable, Codable {
    /// Finished jobs of the same kind, and of the same release and size where the name says so.
    case releaseAndSize, release, size, kind
    /// Finished jobs of the same kind and pipeline.
    case pipeline
    /// What an earlier process had learned.
    case earlier
    /// A stated prediction, corrected by how earlier ones turned out; or as it is.
    case corrected, stated
    case coldStart
  }
  package var seconds: Estimate
  package var memoryBytes: Estimate
  /// Of ``seconds``.
  package var basis: Basis
  /// What the widths were multiplied by (``PredictionWidths``).
  package var secondsWidth = 1.0
  package var memoryWidth = 1.0
}

/// A prediction that came with the job.
package struct StatedPrediction: Sendable, Equatable {
  package var seconds: Double?
  package var memoryBytes: Double?
  package init(seconds: Double? = nil, memoryBytes: Double? = nil) {
    self.seconds = seconds
    self.memoryBytes = memoryBytes
  }
}

/// An attempt that ended.
package struct FinishedJob: Sendable, Equatable {
  package enum End: String, Sendable, Codable { case done, outOfMemory, failed }
  package var kind: String
  package var release: String
  package var pipeline: String?
  package var inputBytes: Double?
  package var seconds: Double
  package var peakBytes: Double?
  /// What had been reserved for it; the bound that an out-of-memory kill proved too small.
  package var reservedBytes: Double?
  package var end: End = .done
  package var stated: StatedPrediction?
  package init(kind: String, release: String, seconds: Double) {
    self.kind = kind
    self.release = release
    self.seconds = seconds
  }
}
