/// What one decision remembers for the next. Its size is bounded.
package struct ScalingHistory: Sendable, Equatable, Codable {
  /// The largest need of each release within a short time.
  struct Moment: Sendable, Equatable, Codable {
    var from: Double
    var seconds: Double
    var needed: [String: Int]
  }

  /// The work that was done until a time, and how many slots were busy then.
  struct WorkSample: Sendable, Equatable, Codable {
    var seconds: Double
    var workSeconds: Double
    var busySlots: Double
  }

  /// How finely the time of a hold is cut. A moment is held longer by at most this part.
  static let momentsPerHold = 60.0
  static let maxSamples = 128

  /// Busy workers while others found nothing that they might claim, though jobs were ready.
  struct Fill: Sendable, Equatable, Codable {
    var from: Double
    var seconds: Double
    var busy: [String: Int]
  }

  var moments: [Moment] = []
  var fills: [Fill] = []
  var samples: [WorkSample] = []
  /// What was wanted last, per release.
  package internal(set) var wanted: [String: Int] = [:]
  package internal(set) var promise: ScaleUpPromise?
  package internal(set) var freeze: ScalingFreeze?
  /// Memory pressure stopped heavy claims in the decision before; it ends below a lower bound than it begins.
  var claims = ClaimRule()
  var yieldedAt: Double?
  /// Workers that the decision let go; nil: none, or an engine made it that did not say.
  var leaving: [Int64]?
  /// When the decision was made; nil: there was none.
  package internal(set) var seconds: Double?

  package init() {}

  /// Brings times that are ahead of `now` back to it: a clock was set back, and what it dated ends as it would have.
  mutating func align(to now: Double) {
    guard let last = seconds, last > now else { return }
    let shift = last - now
    for index in moments.indices {
      moments[index].from -= shift
      moments[index].seconds -= shift
    }
    for index in fills.indices {
      fills[index].from -= shift
      fills[index].seconds -= shift
    }
    // A rate over a jump of the clock is none.
    samples = []
    promise = nil
    freeze?.since -= shift
    freeze?.until -= shift
    yieldedAt = yieldedAt.map { $0 - shift }
    seconds = now
  }

  /// Remembers a need, and forgets what is older than `hold` seconds.
  mutating func remember(_ needed: [String: Int], at now: Double, hold: Double) {
    moments.removeAll { $0.seconds < now - hold }
    let needed = needed.filter { $0.value > 0 }
    if let last = moments.last, now - last.from < hold / Self.momentsPerHold {
      moments[moments.count - 1].needed.merge(needed) { max($0, $1) }
      moments[moments.count - 1].seconds = now
    } else {
      moments.append(Moment(from: now, seconds: now, needed: needed))
    }
  }

  /// Remembers that `busy` workers were all that found a job to claim.
  mutating func fill(_ busy: [String: Int], at now: Double, window: Double) {
    fills.removeAll { $0.seconds < now - window }
    guard !busy.isEmpty else { return }
    if let last = fills.last, now - last.from < window / Self.momentsPerHold {
      fills[fills.count - 1].busy.merge(busy) { max($0, $1) }
      fills[fills.count - 1].seconds = now
    } else {
      fills.append(Fill(from: now, seconds: now, busy: busy))
    }
  }

  /// How many workers of a release the jobs that may be claimed have kept busy at most, where that was less than there were.
  func filled(_ release: String) -> Int? { fills.compactMap { $0.busy[release] }.max() }

  /// The largest remembered need of a release.
  func highest(_ release: String) -> Int { moments.reduce(0) { max($0, $1.needed[release] ?? 0) } }
}

/// A scale-up that is still to be judged.
package struct ScaleUpPromise: Sendable, Equatable, Codable {
  var madeAt: Double
  /// When the new workers will have worked long enough.
  var judgedAt: Double
  /// Busy slots and work done per second before.
  var slotsBefore: Double
  var rateBefore: Double
}

/// No further scale-up: the last one brought too little.
package struct ScalingFreeze: Sendable, Equatable, Codable {
  package internal(set) var since: Double
  /// When a few more workers are tried again: the way out.
  package internal(set) var until: Double
  package internal(set) var cause: WaitCause?
  /// The count that it holds.
  package internal(set) var workers: Int
}
