import Autoscaling
import JobStore

/// What is expected of the jobs of each lane: by the jobs of its own pipeline where enough have finished, by those of its kind otherwise. Pure.
///
/// Of thousands of pipelines with a history of their own only those are predicted again whose jobs have finished since.
struct LanePredictions: Sendable {
  /// When there are more, all are made again.
  private static let maxKept = 20_000
  /// Widths come from jobs of other pipelines too: a prediction is made again after this time.
  private static let renewSeconds = 60.0

  private struct Own: Hashable {
    var kind: String
    var pipeline: String
  }

  private struct Kind: Hashable {
    var kind: String
    var engine: Int64
  }

  private var own: [Own: (revision: Int, prediction: Prediction)] = [:]
  private var ofKinds: [Kind: Prediction] = [:]
  private var renewedAt = 0.0

  /// A look begins.
  mutating func begin(at now: Double) {
    ofKinds = [:]
    guard abs(now - renewedAt) >= Self.renewSeconds || own.count > Self.maxKept else { return }
    (own, renewedAt) = ([:], now)
  }

  mutating func of(_ lane: JobStore.LaneKind, _ predictor: Predictor) -> Prediction {
    guard let revision = predictor.revision(kind: lane.kind, pipeline: lane.pipeline) else {
      let kind = Kind(kind: lane.kind, engine: lane.engine)
      if let known = ofKinds[kind] { return known }
      let made = predictor.predict(kind: lane.kind, release: "\(lane.engine)")
      ofKinds[kind] = made
      return made
    }
    let key = Own(kind: lane.kind, pipeline: lane.pipeline)
    if let known = own[key], known.revision == revision { return known.prediction }
    let made = predictor.predict(kind: lane.kind, release: "\(lane.engine)", pipeline: lane.pipeline)
    own[key] = (revision, made)
    return made
  }

  /// Jobs of several lanes.
  struct Sum: Sendable {
    private var seconds = EstimateSum()
    private var memoryBytes = EstimateSum()
    private var bases: [Prediction.Basis: Int] = [:]

    mutating func add(_ prediction: Prediction, jobs: Int) {
      guard jobs > 0 else { return }
      seconds.add(prediction.seconds, jobs: Double(jobs))
      memoryBytes.add(prediction.memoryBytes, jobs: Double(jobs))
      bases[prediction.basis, default: 0] += jobs
    }

    /// Takes the bases alone.
    mutating func add(_ other: Sum) { bases.merge(other.bases, uniquingKeysWith: +) }

    /// Of one of them.
    var needs: (seconds: Estimate, memoryBytes: Estimate) {
      (seconds.estimate ?? Estimate(exactly: 0), memoryBytes.estimate ?? Estimate(exactly: 0))
    }

    /// That of most of them.
    var basis: Prediction.Basis? { bases.max { ($0.value, $0.key.rawValue) < ($1.value, $1.key.rawValue) }?.key }
  }
}
