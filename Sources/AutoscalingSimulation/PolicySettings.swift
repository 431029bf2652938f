/// What a policy can be given: `--set max=28`. A peer uses what its formula knows, and leaves the rest.
package struct PolicySettings: Sendable, Equatable {
  /// What a metric counts.
  package enum Metric: String, Sendable, CaseIterable {
    /// The share of time in which workers run jobs.
    case utilisation
    /// Waiting jobs.
    case queued
    /// Waiting and running jobs.
    case jobs
  }

  package enum Strategy: String, Sendable, CaseIterable {
    case standard = "default"
    case accurate, eager
  }

  package var min = 0
  package var max = Int.max
  /// Utilisation, or jobs for each worker.
  package var target = 1.0
  package var metric = Metric.jobs
  /// Down only to the most that was wanted within so many seconds.
  package var stabilization = 300.0
  /// From the last job until the last worker ends.
  package var cooldown = 300.0
  /// Between two looks at the queue.
  package var polling = 15.0
  package var strategy = Strategy.standard
  /// How long a job may wait.
  package var latency = 60.0
  /// By how much more than the arrivals the rate of workers is to be.
  package var headroom = 1.0

  package init() {}
}

extension PolicySettings {
  package enum Key: String, Sendable, CaseIterable {
    case min, max, target, metric, stabilization, cooldown, polling, strategy, latency, headroom
  }

  /// What a policy's formula uses.
  package static func keys(of policy: PolicyName) -> [Key] {
    switch policy {
    case .sluice: [.min, .max, .polling]
    case .hpa: [.min, .max, .target, .metric, .stabilization]
    case .keda: [.min, .max, .target, .metric, .stabilization, .cooldown]
    case .scaledjob: [.min, .max, .target, .strategy, .polling]
    case .latency: [.min, .max, .latency, .metric, .stabilization]
    case .ds2: [.min, .max, .headroom, .polling]
    }
  }

  /// Where every search for a peer's best begins: the defaults of its documentation, where it has some.
  package static func defaults(of policy: PolicyName) -> PolicySettings {
    var settings = PolicySettings()
    switch policy {
    case .sluice: settings.polling = 5
    case .hpa:
      settings.min = 1
      settings.target = 0.8
      settings.metric = .utilisation
    case .keda: break
    case .scaledjob: settings.polling = 30
    case .latency: settings.stabilization = 900
    case .ds2: settings.polling = 60
    }
    return settings
  }

  /// Sets `key=value`.
  ///
  /// - Returns: What is wrong with it; nil: it is set.
  package mutating func set(_ text: String, for policy: PolicyName) -> String? {
    let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    let known = Self.keys(of: policy)
    guard parts.count == 2, let key = Key(rawValue: parts[0]), known.contains(key) else {
      let list = known.map { "\($0.rawValue)=…" }.joined(separator: ", ")
      return "\(policy.rawValue) has no setting \"\(text)\"; use \(list)"
    }
    guard set(key, parts[1]) else { return "\(parts[0])=\(parts[1]): \(Self.expectation(of: key))" }
    return min <= max ? nil : "min=\(min) is above max=\(max)"
  }

  /// - Returns: Whether the value is one of the key.
  package mutating func set(_ key: Key, _ value: String) -> Bool {
    switch key {
    case .min, .max:
      guard let number = Int(value), Self.workers.contains(number) else { return false }
      if key == .min { min = number } else { max = number }
    case .metric:
      guard let metric = Metric(rawValue: value) else { return false }
      self.metric = metric
    case .strategy:
      guard let strategy = Strategy(rawValue: value) else { return false }
      self.strategy = strategy
    case .target, .stabilization, .cooldown, .polling, .latency, .headroom:
      guard let number = Double(value), Self.range(of: key).contains(number) else { return false }
      switch key {
      case .target: target = number
      case .stabilization: stabilization = number
      case .cooldown: cooldown = number
      case .polling: polling = number
      case .latency: latency = number
      default: headroom = number
      }
    }
    return true
  }

  private static let workers = 0...10_000

  private static func range(of key: Key) -> ClosedRange<Double> {
    switch key {
    case .target: 0.01...1_000_000
    case .polling: 1...86_400
    case .latency: 1...31_536_000
    case .headroom: 0.1...100
    default: 0...31_536_000
    }
  }

  private static func expectation(of key: Key) -> String {
    switch key {
    case .min, .max: "a number of workers, \(workers.lowerBound) to \(workers.upperBound)"
    case .metric: "one of \(Metric.allCases.map(\.rawValue).joined(separator: ", "))"
    case .strategy: "one of \(Strategy.allCases.map(\.rawValue).joined(separator: ", "))"
    default: "a number from \(range(of: key).lowerBound) to \(range(of: key).upperBound)"
    }
  }

  /// The settings that the policy uses, as `--set` takes them.
  package func list(for policy: PolicyName) -> [(key: Key, value: String)] {
    Self.keys(of: policy).compactMap { key in
      switch key {
      case .min: (key, "\(min)")
      case .max: max == .max ? nil : (key, "\(max)")
      case .target: (key, "\(target)")
      case .metric: (key, metric.rawValue)
      case .stabilization: (key, "\(stabilization)")
      case .cooldown: (key, "\(cooldown)")
      case .polling: (key, "\(polling)")
      case .strategy: (key, strategy.rawValue)
      case .latency: (key, "\(latency)")
      case .headroom: (key, "\(headroom)")
      }
    }
  }
}
