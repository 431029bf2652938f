import Autoscaling
import FleetSimulation

/// Arrivals of the last 30 minutes by kind, in sums that cost the same whatever their number.
struct RecentArrivals {
  static let shortSeconds = 300.0
  static let longSeconds = 1800.0
  /// Of the slacks that are kept for their 10th percentile.
  static let slacks = 200

  private struct Arrival {
    var at: Double
    var seconds: Double
  }

  private struct Kind {
    var arrivals: [Arrival] = []
    /// The first of the last 30 and of the last 5 minutes.
    var long = 0
    var short = 0
    var seconds = 0.0
    var slacks: [Double] = []
    var slackIndex = 0
    var slackP10: Double?

    mutating func remember(slack: Double) {
      if slacks.count < RecentArrivals.slacks {
        slacks.append(slack)
      } else {
        slacks[slackIndex % slacks.count] = slack
      }
      slackIndex += 1
      // Sorting at each arrival would cost more than the decision.
      guard slackP10 == nil || slackIndex < 20 || slackIndex % 20 == 0 else { return }
      slackP10 = slacks.sorted()[slacks.count / 10]
    }
  }

  private var kinds: [String: Kind] = [:]

  mutating func add(_ job: FleetJob, seconds: Double) {
    var kind = kinds.removeValue(forKey: job.kind) ?? Kind()
    kind.arrivals.append(Arrival(at: job.at, seconds: seconds))
    kind.seconds += seconds
    if let deadline = job.deadline { kind.remember(slack: deadline - job.at) }
    kinds[job.kind] = kind
  }

  mutating func forget(before now: Double) {
    for name in Array(kinds.keys) {
      guard var kind = kinds.removeValue(forKey: name) else { continue }
      while kind.long < kind.arrivals.count, kind.arrivals[kind.long].at < now - Self.longSeconds {
        kind.seconds -= kind.arrivals[kind.long].seconds
        kind.long += 1
      }
      kind.short = max(kind.short, kind.long)
      while kind.short < kind.arrivals.count, kind.arrivals[kind.short].at < now - Self.shortSeconds {
        kind.short += 1
      }
      if kind.long > 1000, kind.long > kind.arrivals.count / 2 {
        kind.arrivals.removeFirst(kind.long)
        kind.short -= kind.long
        kind.long = 0
      }
      kinds[name] = kind
    }
  }

  /// In order of the kinds' names, so that the same trace gives the same decisions.
  func byKind(at now: Double) -> [(kind: String, arrivals: Arrivals)] {
    kinds.sorted { $0.key < $1.key }.map { name, kind in
      let long = kind.arrivals.count - kind.long
      return (
        name,
        Arrivals(
          jobs5Minutes: Double(kind.arrivals.count - kind.short), jobs30Minutes: Double(long),
          meanSeconds: long > 0 ? max(0, kind.seconds) / Double(long) : 0, slackSecondsP10: kind.slackP10)
      )
    }
  }
}
