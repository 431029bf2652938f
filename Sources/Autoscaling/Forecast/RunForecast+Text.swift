extension RunForecast {
  /// What it would take to end by the deadline; nil: it is not late, or the deadline has passed.
  package var needs: String? {
    guard lateSeconds > 0 else { return nil }
    if let moreSlots {
      let memory = moreBytes.flatMap(Text.notable).map { ", about \($0) of memory" } ?? ""
      return "needs \(moreSlots) more \(moreSlots == 1 ? "slot" : "slots")\(memory)"
    }
    return switch obstacle {
    case .limit: "its limits.concurrency keeps it late; raise it"
    case .start: "a worker that starts now comes too late to help"
    case .chain: "its jobs, one after another, take longer than is left, and more workers do not help"
    case .passed, nil: nil
    }
  }

  /// A time as people read it: `12 min`.
  package static func duration(_ seconds: Double) -> String { Text.duration(seconds) }
}

extension RunForecast.Unknown {
  /// Why no end is predicted.
  package var reason: String {
    switch self {
    case .noHistory(let kind): "no \(kind) of this pipeline has been done yet"
    case .noWorkers: "no worker of its release is at work"
    }
  }
}
