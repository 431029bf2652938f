import Autoscaling
import FoundationEssentials
import JobStore

/// A decision and what it was made from, as it is stored and shown. Its size is bounded.
package struct ScalingReport: Sendable, Equatable, Codable {
  /// The jobs of one release, stage and kind, of all pipelines and classes.
  package struct Stage: Sendable, Equatable, Codable {
    package var release: String
    package var stage: String
    package var kind: String
    package var queued: Int
    package var running: Int
    /// Jobs that arrived.
    package var arrived5Minutes: Double
    package var arrived30Minutes: Double
    /// Of one job.
    package var predictedSeconds: Double
    package var predictedSecondsHigh: Double
    package var predictedBytes: Double
    package var predictedBytesHigh: Double
    /// What the prediction is based on.
    package var basis: String
  }

  package struct Release: Sendable, Equatable, Codable {
    package var release: String
    package var workers: Int
    package var starting: Int
    package var draining: Int
    package var busySlots: Int
    package var wanted: Int
  }

  /// Stages that are stored: those with most to do.
  static let maxStages = 100
  /// In place of a release's number: what is wrong with the launcher itself.
  static let launcher: Int64 = -1

  package var stages: [Stage]
  /// Stages that are left out.
  package var moreStages: Int
  package var releases: [Release]
  package var warnings: [String]
  /// Why workers could not be started or listed.
  package var troubles: [String]
  /// Of the decision, in bytes; nil: no limit.
  package var memoryLimit: Double?
  package var memoryPressure: Double?
  /// Of the machine, or of the cgroup that leaves the least; nil: not measured.
  package var memoryUsed: Double?
  /// Of the running jobs, by their predictions, and of the workers themselves.
  package var memoryExpected: Double?
  package var startSeconds: Double
  /// How old the measurements were.
  package var ageSeconds: Double
  package var minWorkers: Int
  package var maxWorkers: Int
  package var slotsPerWorker: Int
  package var budgetHours: Double?
  package var usedHours: Double
  /// A count that a person set.
  package var override: Int?

  package init(json: String) throws {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    self = try decoder.decode(ScalingReport.self, from: Data(json.utf8))
  }

  package var json: String {
    get throws {
      let encoder = JSONEncoder()
      encoder.keyEncodingStrategy = .convertToSnakeCase
      encoder.outputFormatting = [.sortedKeys]
      return String(decoding: try encoder.encode(self), as: UTF8.self)
    }
  }

  init(
    _ inputs: ScalingInputs, decision: ScalingDecision, bases: [String: Prediction.Basis], troubles: [Int64: String]
  ) {
    let stages = Self.stages(inputs, bases: bases)
    self.stages = Array(stages.prefix(Self.maxStages))
    moreStages = max(0, stages.count - Self.maxStages)
    releases = Self.releases(inputs, decision)
    warnings = decision.warnings.map(\.description)
    self.troubles = troubles.sorted { $0.key < $1.key }.map {
      switch $0.key {
      case Self.launcher: $0.value
      case 0: "no worker could be started: \($0.value)"
      default: "no worker of release \($0.key) could be started: \($0.value)"
      }
    }
    memoryLimit = inputs.limits.memoryBytes
    memoryPressure = inputs.memory.pressure
    startSeconds = inputs.startSeconds
    ageSeconds = inputs.ageSeconds.isFinite ? inputs.ageSeconds : 0
    minWorkers = inputs.limits.minWorkers
    maxWorkers = inputs.limits.maxWorkers
    slotsPerWorker = inputs.limits.slotsPerWorker
    memoryExpected =
      inputs.running.reduce(Double(inputs.workers.count) * inputs.limits.workerBytes) { $0 + $1.memoryBytes.mean }
    budgetHours = inputs.limits.budgetHours
    usedHours = inputs.limits.usedHours
    override = inputs.override?.workers
  }

  private static func stages(_ inputs: ScalingInputs, bases: [String: Prediction.Basis]) -> [Stage] {
    struct Key: Hashable {
      var release: String
      var stage: String
      var kind: String
    }
    var found: [Key: Stage] = [:]
    // Where no job waits, the running ones say what one is expected to need.
    var unpredicted: Set<Key> = []
    func stage(_ key: Key, _ seconds: Estimate, _ bytes: Estimate) -> Stage {
      found[key]
        ?? Stage(
          release: key.release, stage: key.stage, kind: key.kind, queued: 0, running: 0, arrived5Minutes: 0,
          arrived30Minutes: 0, predictedSeconds: seconds.mean, predictedSecondsHigh: seconds.high,
          predictedBytes: bytes.mean, predictedBytesHigh: bytes.high,
          basis: bases[key.release + "/" + key.kind]?.rawValue ?? "")
    }
    for lane in inputs.lanes {
      let key = Key(release: lane.release, stage: lane.stage, kind: lane.kind)
      let mean = Estimate(exactly: lane.arrivals.meanSeconds)
      let job = lane.queued.first ?? lane.waiting.first
      if found[key] == nil, job == nil { unpredicted.insert(key) }
      var each = stage(key, job?.seconds ?? mean, job?.memoryBytes ?? Estimate(exactly: 0))
      if let job, unpredicted.remove(key) != nil { each.expect(job.seconds, job.memoryBytes) }
      each.queued += lane.queued.reduce(0) { $0 + $1.jobs }
      each.arrived5Minutes += lane.arrivals.jobs5Minutes
      each.arrived30Minutes += lane.arrivals.jobs30Minutes
      found[key] = each
    }
    for job in inputs.running {
      // A running job knows its kind; a stage of pipelines is called like it.
      let key =
        found.keys.first { $0.release == job.release && $0.kind == job.kind }
        ?? Key(release: job.release, stage: job.kind, kind: job.kind)
      var each = stage(key, job.seconds, job.memoryBytes)
      if unpredicted.remove(key) != nil { each.expect(job.seconds, job.memoryBytes) }
      each.running += 1
      found[key] = each
    }
    return found.values.sorted {
      ($1.queued + $1.running, $0.release, $0.stage, $0.kind) < ($0.queued + $0.running, $1.release, $1.stage, $1.kind)
    }
  }

  private static func releases(_ inputs: ScalingInputs, _ decision: ScalingDecision) -> [Release] {
    let wanted = Dictionary(decision.wanted.map { ($0.release, $0.workers) }) { first, _ in first }
    let names = Set(inputs.workers.map(\.release)).union(wanted.keys).sorted()
    return names.map { name in
      let own = inputs.workers.filter { $0.release == name }
      return Release(
        release: name, workers: own.count { $0.state == .ready }, starting: own.count { $0.state == .starting },
        draining: own.count { $0.state == .draining }, busySlots: own.reduce(0) { $0 + $1.busySlots },
        wanted: wanted[name] ?? 0)
    }
  }
}

extension ScalingReport.Stage {
  fileprivate mutating func expect(_ seconds: Estimate, _ bytes: Estimate) {
    (predictedSeconds, predictedSecondsHigh) = (seconds.mean, seconds.high)
    (predictedBytes, predictedBytesHigh) = (bytes.mean, bytes.high)
  }
}
