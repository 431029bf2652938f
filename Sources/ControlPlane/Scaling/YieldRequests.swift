import JobModel
import JobStore

/// Attempts that were asked to give their jobs back, for as long as workers are to hear of it. Pure.
struct YieldRequests: Sendable {
  /// An attempt that reaches no checkpoint in this time is asked no longer: by then another may have been.
  static let seconds = 120.0

  private var asked: [(holder: LeaseHolder, at: Double)] = []

  /// - Parameters:
  ///   - jobs: That are to yield from now on.
  ///   - running: The attempts that run.
  mutating func ask(
    _ jobs: [Int64], running: [JobStore.RunningAttempt], at now: Double
  ) -> [LeaseHolder] {
    let living = Set(running.map { LeaseHolder(jobID: JobID($0.job), epoch: $0.epoch) })
    asked.removeAll { !living.contains($0.holder) || abs(now - $0.at) > Self.seconds }
    for holder in living where jobs.contains(holder.jobID.rawValue) && !asked.contains(where: { $0.holder == holder }) {
      asked.append((holder, now))
    }
    return asked.map(\.holder).sorted { $0.jobID < $1.jobID }
  }
}
