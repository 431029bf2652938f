/// Learns from finished jobs what the next ones will need.
///
/// The most specific group of finished jobs that has enough of them is used: the same kind and pipeline, of the same size of input (within a factor
/// of two) or of any; the same kind, release and size; the same kind and size; the same kind. Without one of its pipeline, what was learned
/// before (``remember(kind:pipeline:seconds:memoryBytes:)``) of the pipeline; without any, what was learned before of the kind, and then the defaults
/// of ``ScalingSettings`` are: 60 ± 60 seconds, 512 ± 256 MiB.
/// A prediction that came with a job (``StatedPrediction``) is used instead, multiplied by what actual / stated was for the kind.
package struct Predictor: Sendable, Equatable, Codable {
  /// Finished jobs that a group needs before it is trusted.
  static let minSamples = 5
  /// Groups that are kept. When there are more, those that were longest without a finished job are forgotten.
  static let maxGroups = 4_000

  private struct Group: Sendable, Hashable, Codable {
    var kind: String
    var release: String?
    var pipeline: String?
    /// The exponent of the input's size in bytes. Nil: all sizes.
    var size: Int?
  }

  private struct Samples: Sendable, Equatable, Codable {
    var seconds = SampleWindow()
    var peakBytes = SampleWindow()
    /// Actual / stated.
    var secondsRatio = SampleWindow()
    var bytesRatio = SampleWindow()
    var last = 0
  }

  private struct Memory: Sendable, Equatable, Codable {
    var seconds: Estimate
    var memoryBytes: Estimate
  }

  private var groups: [Group: Samples] = [:]
  /// What an earlier process had learned.
  private var earlier: [Group: Memory] = [:]
  /// Grows with each job that it learns from.
  package private(set) var learned = 0
  var groupCount: Int { groups.count }
  package var settings: ScalingSettings
  /// What earlier predictions say of the widths of the next ones.
  package var widths = PredictionWidths()

  package init(settings: ScalingSettings = ScalingSettings()) { self.settings = settings }

  /// Remembers an attempt that ended. One that failed says nothing of the next; one that was killed for its memory says that its
  /// reservation was too small: it counts as a peak of 1.5 times of that.
  package mutating func learn(_ job: FinishedJob) {
    guard job.end != .failed else { return }
    learned += 1
    let size = Self.size(job.inputBytes)
    let reserved = Number.within(max(job.reservedBytes ?? 0, job.peakBytes ?? 0), 0...Number.mostBytes, otherwise: 0)
    let peak = job.end == .outOfMemory ? reserved * 1.5 : job.peakBytes
    var known: Set<Group> = [Group(kind: job.kind)]
    if size != nil {
      known.insert(Group(kind: job.kind, size: size))
      known.insert(Group(kind: job.kind, release: job.release, size: size))
    } else {
      known.insert(Group(kind: job.kind, release: job.release))
    }
    if let pipeline = job.pipeline {
      known.insert(Group(kind: job.kind, pipeline: pipeline))
      if size != nil { known.insert(Group(kind: job.kind, pipeline: pipeline, size: size)) }
    }
    for group in known {
      var samples = groups[group] ?? Samples()
      samples.last = learned
      if job.end == .done {
        samples.seconds.add(job.seconds, atMost: Number.longestSeconds)
        if let stated = job.stated?.seconds, stated > 0 {
          samples.secondsRatio.add(job.seconds / stated, atMost: 1e6)
        }
      }
      if let peak {
        samples.peakBytes.add(peak, atMost: Number.mostBytes)
        if let stated = job.stated?.memoryBytes, stated > 0 { samples.bytesRatio.add(peak / stated, atMost: 1e6) }
      }
      groups[group] = samples
    }
    if groups.count > Self.maxGroups { forget() }
  }

  /// What a job is expected to need.
  ///
  /// - Parameter inputBytes: What the job reads. Nil: not known, all sizes count.
  /// - Parameter stated: What somebody else predicted for this job: it is corrected by how such predictions turned out.
  /// - Parameter outOfMemoryKills: How often this job was killed for its memory: the reservation grows by half each time.
  package func predict(
    kind: String, release: String, pipeline: String? = nil, inputBytes: Double? = nil, stated: StatedPrediction? = nil,
    outOfMemoryKills: Int = 0
  ) -> Prediction {
    let candidates = similar(kind: kind, release: release, pipeline: pipeline, size: Self.size(inputBytes))
    let before = remembered(kind: kind, pipeline: pipeline, size: Self.size(inputBytes))
    let seconds = estimate(
      stated?.seconds, candidates, \.seconds, \.secondsRatio, earlier: before.map { ($0.memory.seconds, $0.isOwn) },
      cold: settings.coldStartSeconds, prior: settings.statedSecondsWidth, limit: Number.longestSeconds)
    var memory = estimate(
      stated?.memoryBytes, candidates, \.peakBytes, \.bytesRatio,
      earlier: before.map { ($0.memory.memoryBytes, $0.isOwn) },
      cold: settings.coldStartBytes, prior: settings.statedMemoryWidth, limit: Number.mostBytes)
    for _ in 0..<min(max(outOfMemoryKills, 0), 8) {
      memory.estimate = Estimate(
        mean: memory.estimate.mean * 1.5, deviation: memory.estimate.deviation, high: memory.estimate.high * 1.5)
    }
    return Prediction(
      seconds: widths.widened(seconds.estimate, .seconds, of: kind).sane(atMost: Number.longestSeconds),
      memoryBytes: widths.widened(memory.estimate, .memory, of: kind).sane(atMost: Number.mostBytes),
      basis: seconds.basis, secondsWidth: widths.factor(.seconds, of: kind),
      memoryWidth: widths.factor(.memory, of: kind))
  }

  /// What an earlier process expected of the jobs of a kind, of one pipeline or of all (nil), and of one size (the exponent of 2 of the input's bytes) or
  /// of all: it holds until enough of them have finished.
  package mutating func remember(
    kind: String, pipeline: String?, size: Int? = nil, seconds: Estimate, memoryBytes: Estimate
  ) {
    guard earlier.count < Self.maxGroups else { return }
    earlier[Group(kind: kind, pipeline: pipeline, size: size)] = Memory(
      seconds: seconds.sane(atMost: Number.longestSeconds), memoryBytes: memoryBytes.sane(atMost: Number.mostBytes))
  }

  /// Changes with what is known of the jobs of a kind and pipeline by themselves; nil: too few have finished.
  package func revision(kind: String, pipeline: String) -> Int? {
    let group = Group(kind: kind, pipeline: pipeline)
    if let samples = groups[group], samples.seconds.count >= Self.minSamples { return samples.last }
    return earlier[group] == nil ? nil : 0
  }

  /// - Returns: Also whether it is of the pipeline's own jobs.
  private func remembered(kind: String, pipeline: String?, size: Int?) -> (memory: Memory, isOwn: Bool)? {
    guard !earlier.isEmpty else { return nil }
    return [
      Group(kind: kind, pipeline: pipeline, size: size), Group(kind: kind, pipeline: pipeline),
      Group(kind: kind, size: size), Group(kind: kind),
    ].lazy.compactMap { group in earlier[group].map { ($0, group.pipeline != nil) } }.first
  }

  /// What is expected of the jobs of a kind, of one pipeline or of all (nil), and of one size or of all.
  package struct Expectation: Sendable, Equatable {
    package var kind: String
    package var pipeline: String?
    /// The exponent of 2 of the input's bytes.
    package var size: Int?
    package var seconds: Estimate
    package var memoryBytes: Estimate
  }

  /// Of the kinds and pipelines of jobs that it has learned from since.
  ///
  /// - Parameter since: ``learned`` at that time.
  package func expectations(since: Int) -> [Expectation] {
    groups.compactMap { group, samples in
      guard samples.last > since, group.release == nil, samples.seconds.count >= Self.minSamples else { return nil }
      let expected = predict(
        kind: group.kind, release: "", pipeline: group.pipeline, inputBytes: group.size.map(Self.bytes))
      return Expectation(
        kind: group.kind, pipeline: group.pipeline, size: group.size, seconds: expected.seconds,
        memoryBytes: expected.memoryBytes)
    }
  }

  /// Groups of finished jobs like this one, the most similar first.
  private func similar(
    kind: String, release: String, pipeline: String?, size: Int?
  ) -> [(Samples, Prediction.Basis)] {
    var found: [(Samples, Prediction.Basis)] = []
    if let pipeline {
      if size != nil, let samples = groups[Group(kind: kind, pipeline: pipeline, size: size)] {
        found.append((samples, .pipeline))
      }
      if let samples = groups[Group(kind: kind, pipeline: pipeline)] { found.append((samples, .pipeline)) }
    }
    if let samples = groups[Group(kind: kind, release: release, size: size)] {
      found.append((samples, size == nil ? .release : .releaseAndSize))
    }
    if size != nil, let samples = groups[Group(kind: kind, size: size)] { found.append((samples, .size)) }
    if let samples = groups[Group(kind: kind)] { found.append((samples, .kind)) }
    return found
  }

  private func estimate(
    _ stated: Double?, _ candidates: [(Samples, Prediction.Basis)], _ values: KeyPath<Samples, SampleWindow>,
    _ ratios: KeyPath<Samples, SampleWindow>, earlier: (estimate: Estimate, isOwn: Bool)?, cold: Estimate,
    prior: Double, limit: Double
  ) -> (estimate: Estimate, basis: Prediction.Basis) {
    if let stated, stated > 0, stated.isFinite {
      let stated = min(stated, limit)
      guard let (samples, _) = candidates.first(where: { $0.0[keyPath: ratios].count >= Self.minSamples }) else {
        return (Estimate(mean: stated, deviation: stated * prior), .stated)
      }
      let ratio = samples[keyPath: ratios].estimate(priorWidth: prior)
      return (
        Estimate(mean: stated * ratio.mean, deviation: stated * ratio.deviation, high: stated * ratio.high), .corrected
      )
    }
    guard let (samples, basis) = candidates.first(where: { $0.0[keyPath: values].count >= Self.minSamples }) else {
      return earlier.map { ($0.estimate, .earlier) } ?? (cold, .coldStart)
    }
    // What an earlier process knew of the pipeline says more than what this one knows of others.
    if basis != .pipeline, let earlier, earlier.isOwn { return (earlier.estimate, .earlier) }
    return (samples[keyPath: values].estimate(priorWidth: prior), basis)
  }

  private mutating func forget() {
    // An eighth at once: looking for the oldest costs as much for one as for many.
    let oldest = groups.sorted { $0.value.last < $1.value.last }.prefix(groups.count - Self.maxGroups * 7 / 8)
    for (group, _) in oldest { groups[group] = nil }
  }

  private static func bytes(ofSize size: Int) -> Double { Double(sign: .plus, exponent: size, significand: 1) }

  private static func size(_ bytes: Double?) -> Int? {
    guard let bytes, bytes.isFinite, bytes >= 1 else { return nil }
    return Int(min(bytes, Number.mostBytes).exponent)
  }
}
