import Autoscaling
import JobStore

/// Predictions of the attempts that run, until it is known what came of them. Pure.
///
/// A prediction is made when an attempt is first seen to run. Attempts that end between two looks have none.
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
    let made = predictor.predict(kind: attempt.kind, release: "\(attempt.engine)")
    open[key] = made
    return made
  }

  /// What was predicted of an attempt that has ended; nil: it was never seen to run.
  func prediction(of attempt: JobStore.FinishedAttempt) -> Prediction? {
    open[Attempt(job: attempt.job, epoch: attempt.epoch)]
  }

  /// Of attempts that ended, those whose prediction is known, with what came. They are forgotten here, and so are attempts that do not
  /// run any more.
  mutating func settle(
    _ finished: [JobStore.FinishedAttempt], running: [JobStore.RunningAttempt]
  ) -> [JobStore.SettledPrediction] {
    let settled = finished.compactMap { attempt -> JobStore.SettledPrediction? in
      guard attempt.status == "done", let prediction = prediction(of: attempt) else { return nil }
      return JobStore.SettledPrediction(
        job: attempt.job, kind: attempt.kind, release: attempt.release, basis: prediction.basis.rawValue,
        seconds: Self.amount(prediction.seconds, attempt.seconds),
        bytes: Self.amount(prediction.memoryBytes, attempt.memory))
    }
    for attempt in finished { open[Attempt(job: attempt.job, epoch: attempt.epoch)] = nil }
    // History is read a second late: an attempt that has just ended is in neither for one look.
    let living = Set(running.map { Attempt(job: $0.job, epoch: $0.epoch) })
    lingering = lingering.filter { open[$0.key] != nil && !living.contains($0.key) }
    for key in open.keys where !living.contains(key) { lingering[key, default: 0] += 1 }
    for (key, looks) in lingering where looks > Self.maxLooks {
      open[key] = nil
      lingering[key] = nil
    }
    return settled
  }

  /// For how many looks an attempt that does not run is expected in the history.
  private static let maxLooks = 10
  private var lingering: [Attempt: Int] = [:]

  private static func amount(_ estimate: Estimate, _ actual: Double?) -> JobStore.PredictedAmount {
    JobStore.PredictedAmount(mean: estimate.mean, deviation: estimate.deviation, high: estimate.high, actual: actual)
  }
}
