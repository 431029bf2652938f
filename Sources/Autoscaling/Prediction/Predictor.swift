/// Learns from finished jobs what the next ones will need.
package struct Predictor: Sendable, Equatable, Codable {
  package init() {}

  /// Remembers a finished attempt.
  package mutating func learn(_ job: FinishedJob) {}

  /// What a job is expected to need. `stated` is what somebody else predicted for it: it is corrected by how such
  /// predictions turned out.
  package func predict(
    kind: String, release: String, inputBytes: Double? = nil, stated: StatedPrediction? = nil, outOfMemoryKills: Int = 0
  ) -> Prediction {
    Prediction(seconds: Estimate(exactly: 60), memoryBytes: Estimate(exactly: 0), basis: .coldStart)
  }
}

package struct Prediction: Sendable, Equatable {
  package enum Basis: String, Sendable, Codable {
    /// Similar finished jobs: of the kind, release and size; of the kind and size; of the kind.
    case releaseAndSize, size, kind
    /// A stated prediction, corrected by how earlier ones turned out, or as it is.
    case corrected, stated
    case coldStart
  }
  package var seconds: Estimate
  package var memoryBytes: Estimate
  package var basis: Basis
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

package struct FinishedJob: Sendable, Equatable {
  package enum End: String, Sendable, Codable { case done, outOfMemory, failed }
  package var kind: String
  package var release: String
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
