import AutoscalingSimulation
import FleetSimulation

extension SimulatedRun {
  /// What `autoscale simulate --json` answers.
  var fields: [(String, JSONValue)] {
    [
      ("policy", .text(policy.rawValue)), ("jobs", .int(Int64(score.jobs))), ("misses", .int(Int64(score.misses))),
      ("late_hours", .double(rounded(score.lateHours))), ("worker_hours", .double(rounded(score.workerHours))),
      ("oom_kills", .int(Int64(score.memoryKills))), ("running_killed", .int(Int64(score.runningKilled))),
      ("direction_changes", .int(Int64(score.directionChanges))), ("peak_workers", .int(Int64(score.peakWorkers))),
      ("unfinished", .int(Int64(score.unfinished))),
      ("settings", .object(settings.list(for: policy).map { ($0.key.rawValue, .text($0.value)) })),
    ]
  }

  var text: String {
    TextTable(["", ""], fields.map { [$0.0, $0.1.text] }).text
  }

  func cells(cost: Double?) -> [String] {
    [
      policy.rawValue, fixed(score.missRatio * 100), fixed(score.lateHours), fixed(score.workerHours),
      cost.map { fixed($0) } ?? "", "\(score.memoryKills)", "\(score.runningKilled)", "\(score.directionChanges)",
      "\(score.peakWorkers)",
    ]
  }

  private func rounded(_ value: Double) -> Double { (value * 10_000).rounded() / 10_000 }

  /// Two digits behind the point, also where they are zero.
  private func fixed(_ value: Double) -> String {
    let hundredths = Int((value * 100).rounded())
    let rest = hundredths % 100
    return "\(hundredths / 100).\(rest < 10 ? "0" : "")\(rest)"
  }
}

extension Comparison {
  var json: JSONValue {
    .object([
      ("trace", .text(trace)), ("shortfalls", .list(shortfalls.map { .text($0) })),
      (
        "runs",
        .list(runs.map { run in .object(run.fields + [("cost", .optional(cost(of: run)))]) })
      ),
    ])
  }

  static func table(_ comparisons: [Comparison]) -> String {
    let rows = comparisons.flatMap { comparison in
      comparison.runs.map { [comparison.trace] + $0.cells(cost: comparison.cost(of: $0)) }
    }
    let table = TextTable(
      ["trace", "policy", "misses %", "late h", "worker h", "cost", "oom", "killed", "turns", "peak"], rows
    ).text
    let short = comparisons.filter { !$0.shortfalls.isEmpty }.map {
      "\($0.trace): sluice falls short in \($0.shortfalls.joined(separator: ", "))"
    }
    return ([table] + short).joined(separator: "\n")
  }
}
