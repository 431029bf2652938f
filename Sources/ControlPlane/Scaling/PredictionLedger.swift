import Autoscaling
import JobStore

/// Predictions of attempts, until it is known what came of them. Pure.
///
/// A prediction is made when an attempt is first seen to run. For one that began and ended between two looks it is made when it has ended, by
/// what was known before: so short attempts count as much as long ones. Of those that end in one look only some are kept, whatever they took.
struct PredictionLedger: Sendable {
  private struct Attempt: Sendable, Hashable {
    var job: Int64
    var epoch: Int64
  }

  private var open: [Attempt: Prediction] = [:]

  /// The prediction of an attempt, made now where it is new.
  mutating func prediction(
    of attempt: JobStore.RunningAttempt, by predictor: Predictor
  ) -> Prediction {
    let key = Attempt(job: attempt.job, epoch: attempt.epoch)
    if let known = open[key] { return known }
    let made = predictor.predict(kind: attempt.kind, release: "\(attempt.engine)", pipeline: attempt.pipeline)
    open[key] = made
    return made
  }

  /// What was predicted of an attempt that has ended; nil: it was never seen to run.
  func prediction(of attempt: JobStore.FinishedAttempt) -> Prediction? {
    open[Attempt(job: attempt.job, epoch: attempt.epoch)]
  }

  /// Predictions that are kept of one look: one of each kind, and of no more kinds. With a look each second these are 170,000 rows a day at most.
  static let maxSettled = 2

  /// Of attempts that ended, some with what was predicted and what came. They stand for the others.
  ///
  /// - Parameters:
  ///   - predictor: It has not learned from these attempts. Nil: nothing was known before they ended.
  ///   - workerBytes: Memory of the worker, which is in what was measured and not in what was predicted.
  func settle(
    _ finished: [JobStore.FinishedAttempt], by predictor: Predictor?, workerBytes: Double = 0
  ) -> [JobStore.SettledPrediction] {
    let known = finished.compactMap { attempt -> (attempt: JobStore.FinishedAttempt, prediction: Prediction)? in
      guard attempt.status == "done", !attempt.kind.isEmpty else { return nil }
      let prediction =
        prediction(of: attempt)
        ?? predictor?.predict(kind: attempt.kind, release: "\(attempt.release)", pipeline: attempt.pipeline)
      return prediction.map { (attempt, $0) }
    }
    let kinds = Dictionary(grouping: known) { $0.attempt.kind }.values.compactMap { group in
      group.min { Self.place($0.attempt) < Self.place($1.attempt) }.map { ($0, Double(group.count)) }
    }
    let kept = kinds.sorted { Self.place($0.0.attempt) < Self.place($1.0.attempt) }.prefix(Self.maxSettled)
    return kept.map { each, count in
      let (attempt, prediction) = each
      return JobStore.SettledPrediction(
        job: attempt.job, kind: attempt.kind, release: attempt.release, basis: prediction.basis.rawValue,
        seconds: Self.amount(prediction.seconds, attempt.seconds, prediction.secondsWidth),
        bytes: Self.amount(
          prediction.memoryBytes, attempt.memory.map { max(0, $0 - workerBytes) }, prediction.memoryWidth),
        standsFor: count * Double(kinds.count) / Double(kept.count))
    }
  }

  /// A draw that does not depend on what an attempt took.
  private static func place(_ attempt: JobStore.FinishedAttempt) -> UInt64 {
    let mixed = (UInt64(bitPattern: attempt.job) ^ UInt64(bitPattern: attempt.epoch) << 48) &* 0x9E37_79B9_7F4A_7C15
    return mixed ^ mixed >> 32
  }

  /// Forgets attempts that ended, and those that do not run any more.
  mutating func forget(_ finished: [JobStore.FinishedAttempt], running: [JobStore.RunningAttempt]) {
    for attempt in finished { open[Attempt(job: attempt.job, epoch: attempt.epoch)] = nil }
    // History is read a second late: an attempt that has just ended is in neither for one look.
    let living = Set(running.map { Attempt(job: $0.job, epoch: $0.epoch) })
    lingering = lingering.filter { open[$0.key] != nil && !living.contains($0.key) }
    for key in open.keys where !living.contains(key) { lingering[key, default: 0] += 1 }
    for (key, looks) in lingering where looks > Self.maxLooks {
      open[key] = nil
      lingering[key] = nil
    }
  }

  /// For how many looks an attempt that does not run is expected in the history.
  private static let maxLooks = 10
  private var lingering: [Attempt: Int] = [:]

  private static func amount(_ estimate: Estimate, _ actual: Double?, _ width: Double) -> JobStore.PredictedAmount {
    JobStore.PredictedAmount(
      mean: estimate.mean, deviation: estimate.deviation, high: estimate.high, actual: actual, width: width)
  }
}
