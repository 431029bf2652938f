/// What `sluice scale` prints. Times and sizes are rounded: the exact values are in the decision.
extension ScalingReason: CustomStringConvertible {
  package var description: String {
    switch self {
    case .deadlines(let workers, let left):
      "deadlines need \(Text.workers(workers)); the tightest is in \(Text.duration(left))"
    case .backlog(let workers): "work without deadlines needs \(Text.workers(workers)) to be done in time"
    case .arrivals(let workers): "arrivals without deadlines need \(Text.workers(workers))"
    case .minimum(let count): "the minimum is \(Text.workers(count))"
    case .pinned(let release): "release \(release) has pinned work and keeps 1 worker"
    case .runnable(let slots): "\(slots) \(slots == 1 ? "job" : "jobs") can run now; more slots would be idle"
    case .recentlyNeeded(0): "nothing to do"
    case .recentlyNeeded(let workers):
      "\(Text.workers(workers)) \(workers == 1 ? "was" : "were") needed a short time ago"
    case .stale(let age): "the measurements are \(Text.duration(age)) old; the count stays"
    case .override(let workers, let reason, let expires):
      "set by hand to \(Text.workers(workers)) for \(Text.duration(expires)) more: \(reason)"
    case .frozen(let cause): "the last scale-up brought too little\(Text.cause(cause)); the count stays"
    case .limited(let limit): limit.description
    case .idle: "nothing to do"
    }
  }
}

extension ScalingLimit: CustomStringConvertible {
  package var description: String {
    switch self {
    case .maximum(let count): "limited by max: \(count); raise scaling.max"
    case .memory(let bytes, let workers):
      "limited by memory: \(Text.bytes(bytes)) have room for \(Text.workers(workers)); raise scaling.memory"
    case .connections(let workers):
      "limited by database connections: they allow \(Text.workers(workers)); raise max_connections"
    case .budget(let hours, let workers, let renews):
      "limited by the budget of \(Text.number(hours)) h to \(Text.workers(workers)); it begins again in \(Text.duration(renews)), or raise scaling.budget"
    case .claimable(let workers):
      "limited by what may be claimed: workers are idle next to ready jobs; memory or a concurrency limit allows \(Text.workers(workers))"
    case .jobTooLarge(let kind, let bytes):
      "a job of kind \(kind) needs \(Text.bytes(bytes)), more than the memory limit; raise scaling.memory or split its input"
    case .frozen(let cause, let workers):
      "limited to \(Text.workers(workers)): the last scale-up brought too little\(Text.cause(cause))"
    case .pinnedReleases(let needed, let maximum):
      "\(needed) releases have pinned work and max is \(maximum); raise scaling.max or let a release finish"
    }
  }
}

extension DeadlineWarning: CustomStringConvertible {
  /// `load/copy: 40 jobs will be late by 12 min; needs 11 more slots or 18.0 GB`.
  package var description: String {
    let late = "\(stage)/\(kind): \(jobs) \(jobs == 1 ? "job" : "jobs") will be late by \(Text.duration(lateSeconds))"
    switch (moreSlots, moreBytes) {
    case (let slots?, let bytes?):
      let memory = Text.notable(bytes).map { " and \($0) more memory" } ?? ""
      return "\(late); needs \(slots) more \(slots == 1 ? "slot" : "slots")\(memory)"
    case (let slots?, nil): return "\(late); needs \(slots) more \(slots == 1 ? "slot" : "slots")"
    case (nil, let bytes?): return "\(late); needs \(Text.bytes(bytes)) more memory"
    case (nil, nil):
      return switch obstacle {
      case .passed: "\(late); the time for them has passed"
      case .start: "\(late); a worker that starts now comes too late to help"
      case .limit, .chain, nil: "\(late); a single job takes longer than is left, and more workers do not help"
      }
    }
  }
}

enum Text {
  static func workers(_ count: Int) -> String { count == 1 ? "1 worker" : "\(count) workers" }

  static func cause(_ cause: WaitCause?) -> String {
    cause.map { ": jobs wait for the same \($0.rawValue)" } ?? ""
  }

  static func number(_ value: Double) -> String {
    let rounded = (Number.within(value, -1e15...1e15, otherwise: 0) * 10).rounded() / 10
    return rounded == rounded.rounded() ? "\(Int(rounded))" : "\(rounded)"
  }

  static func bytes(_ value: Double) -> String {
    let value = Number.within(value, 0...Number.mostBytes, otherwise: 0)
    return value < 1e9 ? "\(number((value / 1e6).rounded())) MB" : "\(number(value / 1e9)) GB"
  }

  /// Nil: too few bytes to be worth a word.
  static func notable(_ bytes: Double) -> String? { bytes < 0.5e6 ? nil : Self.bytes(bytes) }

  static func duration(_ seconds: Double) -> String {
    let seconds = Number.within(seconds, 0...Number.longestSeconds, otherwise: 0)
    if seconds < 120 { return "\(Int(seconds.rounded())) s" }
    if seconds < 7200 { return "\(Int((seconds / 60).rounded())) min" }
    return "\(number(seconds / 3600)) h"
  }
}
