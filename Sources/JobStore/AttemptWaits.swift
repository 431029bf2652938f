import JobModel

/// How long an attempt has waited, by cause. Pure: the caller tells what happened and when.
///
/// Waits of one cause that overlap, as those of several streams of a load, count once; those of different causes count each.
package struct AttemptWaits<Instant: InstantProtocol>: Sendable where Instant: Sendable, Instant.Duration == Duration {
  private var open: [(cause: WaitCause, count: Int, since: Instant)] = []
  private var ended: [WaitCause: Duration] = [:]

  package init() {}

  package mutating func begin(_ cause: WaitCause, at now: Instant) {
    if let index = open.firstIndex(where: { $0.cause == cause }) {
      open[index].count += 1
    } else {
      open.append((cause, 1, now))
    }
  }

  package mutating func end(_ cause: WaitCause, at now: Instant) {
    guard let index = open.firstIndex(where: { $0.cause == cause }) else {
      preconditionFailure("a wait ends that has not begun")
    }
    open[index].count -= 1
    guard open[index].count == 0 else { return }
    ended[cause, default: .zero] += open.remove(at: index).since.duration(to: now)
  }

  /// What it waits for now: of several the one that began first.
  package var current: WaitCause? { open.first?.cause }

  /// How long each cause has taken until now, or, where no time is given, what has ended.
  package func waited(until now: Instant? = nil) -> [WaitCause: Duration] {
    var sums = ended
    for (cause, _, since) in open {
      if let now { sums[cause, default: .zero] += since.duration(to: now) }
    }
    return sums
  }

  /// `{"source":12.3}` in seconds, in the order of the causes; nil where all are shorter than a tenth of a second.
  package static func json(_ waited: [WaitCause: Duration]) -> String? {
    let fields = WaitCause.allCases.compactMap { cause -> String? in
      guard let time = waited[cause], time >= .milliseconds(100) else { return nil }
      let tenths = time.components.seconds * 10 + time.components.attoseconds / 100_000_000_000_000_000
      return "\"\(cause.rawValue)\":\(tenths / 10).\(tenths % 10)"
    }
    return fields.isEmpty ? nil : "{" + fields.joined(separator: ",") + "}"
  }
}
