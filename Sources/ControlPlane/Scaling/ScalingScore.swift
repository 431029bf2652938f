import Autoscaling
import JobStore

/// How good the predictions and decisions of late were. Pure.
package struct ScalingScore: Sendable, Equatable {
  package enum Subject: String, Sendable {
    case seconds, memory, workers
    /// Seconds until a run ends, and whether it misses its deadline.
    case finish, deadlines
  }

  /// One line: what was predicted of one kind of job, or of the workers.
  package struct Line: Sendable, Equatable {
    /// Of jobs, or a pipeline of runs; nil: of all.
    package var kind: String?
    package var subject: Subject
    package var score: PredictionScore
    /// What the widths of the next predictions are multiplied by.
    package var width = 1.0
  }

  /// Between two decisions of which the second shows what the first one's count was used for.
  private static let longestGap = 150.0

  package var lines: [Line] = []

  /// - Parameters:
  ///   - settled: The oldest first, by kind.
  ///   - decisions: In a row, the oldest first.
  package init(
    settled: [JobStore.SettledPrediction], decisions: [JobStore.ScalingDecisionRecord],
    runs: [JobStore.EndedRun] = []
  ) {
    var kinds: [String: (seconds: PredictionScore, memory: PredictionScore)] = [:]
    var widths = PredictionWidths()
    for each in settled {
      var known = kinds[each.kind] ?? (PredictionScore(), PredictionScore())
      Self.add(each.seconds, .seconds, of: each, to: &known.seconds, &widths)
      Self.add(each.bytes, .memory, of: each, to: &known.memory, &widths)
      kinds[each.kind] = known
    }
    for (kind, scores) in kinds.sorted(by: { $0.key < $1.key }) {
      if scores.seconds.count > 0 {
        lines.append(
          Line(kind: kind, subject: .seconds, score: scores.seconds, width: widths.factor(.seconds, of: kind)))
      }
      if scores.memory.count > 0 {
        lines.append(Line(kind: kind, subject: .memory, score: scores.memory, width: widths.factor(.memory, of: kind)))
      }
    }
    lines += Self.finishes(runs)
    let deadlines = Self.deadlines(runs)
    if deadlines.count > 0 { lines.append(Line(kind: nil, subject: .deadlines, score: deadlines)) }
    let workers = Self.workers(decisions)
    if workers.count > 0 { lines.append(Line(kind: nil, subject: .workers, score: workers)) }
  }

  private static func add(
    _ amount: JobStore.PredictedAmount, _ subject: PredictionWidths.Amount, of each: JobStore.SettledPrediction,
    to score: inout PredictionScore, _ widths: inout PredictionWidths
  ) {
    guard let actual = amount.actual else { return }
    let predicted = Estimate(mean: amount.mean, deviation: amount.deviation, high: amount.high)
    score.add(predicted: predicted, actual: actual, weight: each.standsFor)
    if each.basis != Prediction.Basis.coldStart.rawValue {
      widths.add(subject, of: each.kind, predicted: predicted, width: amount.width, actual: actual)
    }
  }

  /// When runs were expected to end. Their range is from the early to the late end, of which one in ten each is missed.
  private static func finishes(_ runs: [JobStore.EndedRun]) -> [Line] {
    var pipelines: [String: PredictionScore] = [:]
    for run in runs {
      guard let early = run.early, let mean = run.mean, let late = run.late, let actual = run.actual else { continue }
      let predicted = Estimate(mean: mean, deviation: max(late - mean, mean - early) / 2, high: late)
      pipelines[run.pipeline, default: PredictionScore()].add(predicted: predicted, actual: actual)
    }
    return pipelines.sorted { $0.key < $1.key }.map { Line(kind: $0.key, subject: .finish, score: $0.value) }
  }

  /// Deadlines that were said to be missed, next to those that were: 1 of each.
  private static func deadlines(_ runs: [JobStore.EndedRun]) -> PredictionScore {
    runs.reduce(into: PredictionScore()) { score, run in
      score.add(predicted: Estimate(exactly: run.announced ? 1 : 0), actual: run.missed ? 1 : 0)
    }
  }

  /// The count of each decision, next to what the following one shows to have been needed: the workers that were busy, and what the work asked
  /// for where all were busy and jobs waited. One worker more or less is within the range.
  private static func workers(_ decisions: [JobStore.ScalingDecisionRecord]) -> PredictionScore {
    var score = PredictionScore()
    for (first, second) in zip(decisions, decisions.dropFirst()) {
      guard (0...longestGap).contains(first.ageSeconds - second.ageSeconds),
        let report = try? ScalingReport(json: second.inputs)
      else { continue }
      let slots = max(1, report.slotsPerWorker)
      let busy = report.releases.reduce(0) { $0 + ($1.busySlots + slots - 1) / slots }
      let isShort =
        report.stages.contains { $0.queued > 0 }
        && report.releases.allSatisfy { $0.busySlots >= $0.workers * slots }
      let needed = isShort ? max(busy, second.demanded) : busy
      score.add(
        predicted: Estimate(mean: Double(first.total), deviation: 0.5, high: Double(first.total)),
        actual: Double(needed))
    }
    return score
  }
}
