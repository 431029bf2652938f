/// How one seed went.
package struct SimulationReport: Sendable {
  package var seed: UInt64
  package var counts: Simulation.Counts
  /// Of the whole trace.
  package var digest: UInt64
  package var failure: InvariantBroken?
  package var lastLines: [String]

  /// One line; of a failure also the invariant and the last events.
  package var text: String {
    let line =
      "seed \(seed): steps=\(counts.steps) crashes=\(counts.crashes) pauses=\(counts.pauses) "
      + "lost_requests=\(counts.lostRequests) lost_replies=\(counts.lostReplies) late=\(counts.lateMessages) "
      + "restarts=\(counts.restarts) clock_jumps=\(counts.clockJumps) revocations=\(counts.revocations) "
      + "jobs=\(counts.jobs) trace=\(String(digest, radix: 16)) "
    guard let failure else { return line + "ok" }
    return ([line + "FAILED", "  \(failure)"] + lastLines.map { "  " + $0 }).joined(separator: "\n")
  }
}
