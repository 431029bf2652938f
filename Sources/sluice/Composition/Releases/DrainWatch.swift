import FoundationEssentials
import JobModel
import JobStore
import Releases

extension Installation {
  /// For how many seconds a release still has work, by how long jobs of each kind took in the last day; nil where that is not
  /// known of one of them.
  func drainEstimate(of release: Int64) async throws -> Double? {
    let slots = try await store.work(of: [release])[release]?.slots ?? 0
    var total = 0.0
    for (_, jobs, seconds) in try await store.pace(of: release) {
      guard let seconds else { return nil }
      total += Double(jobs) * seconds
    }
    return total / Double(max(1, slots))
  }
}

/// Waits for releases to end, and says how far they are.
struct DrainWatch {
  let installation: Installation
  let isJSON: Bool
  var deadline: ContinuousClock.Instant?

  /// Until no release drains.
  func untilNothingDrains() async throws {
    _ = try await until { try await installation.store.releases(in: .draining) }
  }

  /// Until this one does not drain.
  ///
  /// - Returns: False where the deadline came first.
  func untilDrained(_ release: Int64) async throws -> Bool {
    try await until {
      guard let record = try await installation.store.release(release) else { return [] }
      if record.state == .draining { return [record] }
      let isPinned = try await installation.store.needs(of: [release])[release]?.isPinned == true
      return record.state == .rejected && isPinned ? [record] : []
    }
  }

  private func until(_ draining: () async throws -> [JobStore.ReleaseRecord]) async throws -> Bool {
    let clock = ContinuousClock()
    var said = ""
    while true {
      try await installation.desk.retire()
      let left = try await draining()
      guard !left.isEmpty else { return true }
      if let deadline, clock.now >= deadline { return false }
      let work = try await installation.store.work(of: left.map(\.id))
      let text = left.map { "\($0.name): \(Self.text(work[$0.id]))" }.joined(separator: "; ")
      if text != said, !isJSON { Console.note(text) }
      said = text
      try await clock.sleep(for: .milliseconds(200))
    }
  }

  static func text(_ work: JobStore.ReleaseWork?) -> String {
    guard let work, work.jobs > 0 else { return "nothing left" }
    return "\(work.jobs) job(s), \(work.running) running, \(work.blocked) waiting for them"
  }

  static func text(seconds: Double) -> String {
    switch seconds {
    case ..<90: "\(Int(seconds.rounded(.up))) s"
    case ..<5400: "\(Int((seconds / 60).rounded(.up))) min"
    default: "\((seconds / 360).rounded() / 10) h"
    }
  }
}
