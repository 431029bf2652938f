import Autoscaling
import FleetSimulation

/// What is expected of each waiting job, kept until much more is known.
struct LearnedPredictions {
  private struct Known {
    var kills: Int
    var done: Double
    var learned: Int
    var prediction: Prediction
  }

  private var predictor = Predictor()
  private var learned = 0
  private var known: [Int: Known] = [:]
  private var reservations: [Int: Prediction] = [:]

  /// Of the rest of a job: what its checkpoint keeps is not done again.
  mutating func of(_ job: FleetJob) -> Prediction {
    if let before = known[job.number], before.kills == job.memoryKills, before.done == job.doneSeconds,
      learned < before.learned + max(20, before.learned / 10)
    {
      return before.prediction
    }
    if let before = known[job.number], before.kills < job.memoryKills { learnKill(of: job) }
    var prediction = predictor.predict(
      kind: job.kind, release: ShippedPolicy.release, stated: Self.stated(job.predictedSeconds, job.predictedMemoryGB),
      outOfMemoryKills: job.memoryKills)
    if job.doneSeconds > 0 {
      prediction.seconds.mean = max(1, prediction.seconds.mean - job.doneSeconds)
      prediction.seconds.high = max(prediction.seconds.mean, prediction.seconds.high - job.doneSeconds)
    }
    known[job.number] = Known(
      kills: job.memoryKills, done: job.doneSeconds, learned: learned, prediction: prediction)
    return prediction
  }

  /// The job begins: what is predicted now is reserved for it.
  mutating func reserve(_ job: FleetJob) { reservations[job.number] = of(job) }

  mutating func reserved(_ job: FleetJob) -> Prediction { reservations[job.number] ?? of(job) }

  /// - Returns: The predicted seconds of the job.
  mutating func learn(_ job: FleetResult) -> Double {
    let reserved = reservations.removeValue(forKey: job.number)
    var finished = FinishedJob(kind: job.kind, release: ShippedPolicy.release, seconds: job.seconds)
    finished.peakBytes = job.memoryGB * ShippedPolicy.bytesPerGB
    finished.reservedBytes = reserved?.memoryBytes.mean
    finished.stated = Self.stated(job.predictedSeconds, job.predictedMemoryGB)
    predictor.learn(finished)
    learned += 1
    let prediction = known.removeValue(forKey: job.number)?.prediction ?? reserved
    return prediction?.seconds.mean ?? job.seconds
  }

  private mutating func learnKill(of job: FleetJob) {
    var killed = FinishedJob(kind: job.kind, release: ShippedPolicy.release, seconds: 0)
    killed.end = .outOfMemory
    killed.reservedBytes = reservations.removeValue(forKey: job.number)?.memoryBytes.mean
    killed.stated = Self.stated(job.predictedSeconds, job.predictedMemoryGB)
    predictor.learn(killed)
    learned += 1
  }

  private static func stated(_ seconds: Double?, _ memoryGB: Double?) -> StatedPrediction? {
    guard seconds != nil || memoryGB != nil else { return nil }
    return StatedPrediction(seconds: seconds, memoryBytes: memoryGB.map { $0 * ShippedPolicy.bytesPerGB })
  }
}
