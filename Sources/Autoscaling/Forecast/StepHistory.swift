/// What the finished jobs of one pipeline took, by kind and label: the next run of a pipeline is like its last ones, and unlike those of others.
package struct StepHistory: Sendable, Equatable {
  private struct Step: Sendable, Hashable {
    var kind: String
    /// Nil: of all labels.
    var label: String?
  }

  private struct Samples: Sendable, Equatable {
    var seconds = SampleWindow()
    var peakBytes = SampleWindow()
  }

  /// Steps that are kept. A pipeline with more of them is predicted by kind.
  private static let maxSteps = 2_000
  /// The width that a few values cannot show, as a share of their mean.
  private static let priorWidth = 0.5

  private var steps: [Step: Samples] = [:]

  package init() {}

  /// Takes a job that is done.
  ///
  /// - Parameter bytes: Its most memory; nil: not measured.
  package mutating func add(kind: String, label: String, seconds: Double, bytes: Double?) {
    for step in [Step(kind: kind), Step(kind: kind, label: label)] {
      guard steps[step] != nil || steps.count < Self.maxSteps else { continue }
      steps[step, default: Samples()].seconds.add(seconds, atMost: Number.longestSeconds)
      if let bytes { steps[step, default: Samples()].peakBytes.add(bytes, atMost: Number.mostBytes) }
    }
  }

  /// What a job is expected to take. Nil: no job of this kind has been done.
  package func seconds(kind: String, label: String) -> Estimate? {
    samples(kind, label)?.seconds.estimate(priorWidth: Self.priorWidth).sane(atMost: Number.longestSeconds)
  }

  /// The memory that a job is expected to need. Nil: that of none was measured.
  package func bytes(kind: String, label: String) -> Double? {
    guard let peaks = samples(kind, label)?.peakBytes, peaks.count > 0 else { return nil }
    return peaks.mean
  }

  private func samples(_ kind: String, _ label: String) -> Samples? {
    if let known = steps[Step(kind: kind, label: label)], known.seconds.count > 0 { return known }
    return steps[Step(kind: kind)].flatMap { $0.seconds.count > 0 ? $0 : nil }
  }
}
