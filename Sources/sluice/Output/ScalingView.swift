import ControlPlane
import JobModel
import JobStore

/// A decision about the number of workers, as text and as JSON.
struct ScalingView {
  let decision: JobStore.ScalingDecisionRecord?
  let override: JobStore.ScalingOverrideRecord?
  let names: [Int64: String]
  /// Whether it is what holds now, and not an earlier one.
  let isNow: Bool
  /// What the number of workers follows now; nil: of an earlier decision.
  var standing: ScalingStanding?
  /// Runs that are late now, each with what it takes; nil: those of the decision are told.
  var late: [String]?
  /// Jobs that wait for memory now.
  var memoryWaits: [JobStore.MemoryWait] = []
  /// Nil also where another engine wrote it.
  private let report: ScalingReport?

  init(
    decision: JobStore.ScalingDecisionRecord?, override: JobStore.ScalingOverrideRecord?, names: [Int64: String],
    isNow: Bool
  ) {
    self.decision = decision
    self.override = override
    self.names = names
    self.isNow = isNow
    report = decision.flatMap { try? ScalingReport(json: $0.inputs) }
  }

  func text(why: Bool) -> String {
    let tail = memoryWaits.map(\.text) + (override.map { [Self.text($0)] } ?? []) + (standing?.notes ?? [])
    guard let decision else {
      let none = isNow ? "nothing is decided: no control with scaling has run" : "no decision of that time is kept"
      return ([none] + tail).joined(separator: "\n")
    }
    var lines: [String] = []
    if let report, !report.stages.isEmpty { lines.append(stages(report)) }
    if let report, report.moreStages > 0 { lines.append("and \(report.moreStages) more stages with less to do") }
    if let report, !report.releases.isEmpty { lines.append(releases(report)) }
    // What no process follows is told as what was.
    let isPast = standing?.isDecided == false
    let wanted = Self.workers(decision.total)
    var total = isPast ? "the last decision wanted \(wanted)" : "\(wanted) wanted"
    if decision.demanded != decision.total {
      total += "; the work \(isPast ? "asked" : "asks") for \(decision.demanded)"
    }
    lines.append("\(total) (decided \(decision.decidedAt))")
    lines += decision.reasons.map { "  because: \($0)" }
    if let limit = decision.limitedBy, !decision.reasons.contains(limit) { lines.append("  limit: \(limit)") }
    lines += (late ?? report?.warnings ?? []).map { "late: \($0)" }
    lines += report?.troubles ?? []
    lines += tail
    if why {
      lines += report.map { details(decision, $0) } ?? ["its measurements were written by another engine: see --json"]
    }
    return lines.joined(separator: "\n")
  }

  private func stages(_ report: ScalingReport) -> String {
    TextTable(
      ["release", "stage", "queued", "running", "arrivals/min", "seconds", "memory", "basis"],
      report.stages.map {
        [
          name($0.release), $0.stage == $0.kind ? $0.stage : "\($0.stage)/\($0.kind)", "\($0.queued)", "\($0.running)",
          Self.number($0.arrived5Minutes / 5), Self.number($0.predictedSeconds), Self.bytes($0.predictedBytes),
          $0.basis,
        ]
      }
    ).text
  }

  private func releases(_ report: ScalingReport) -> String {
    TextTable(
      ["release", "workers", "starting", "draining", "busy slots", "wanted"],
      report.releases.map {
        [name($0.release), "\($0.workers)", "\($0.starting)", "\($0.draining)", "\($0.busySlots)", "\($0.wanted)"]
      }
    ).text
  }

  private func details(_ decision: JobStore.ScalingDecisionRecord, _ report: ScalingReport) -> [String] {
    var lines = [
      "decision \(decision.id) of epoch \(decision.epoch)\(isNow ? ", \(Self.number(decision.ageSeconds)) s old" : ""); "
        + "measurements were \(Self.number(report.ageSeconds)) s old",
      "min \(report.minWorkers), max \(report.maxWorkers), \(report.slotsPerWorker) slots a worker; a start takes "
        + "\(Self.number(report.startSeconds)) s",
      "memory: " + (report.memoryLimit.map(Self.bytes) ?? "no limit")
        + (report.memoryPressure.map { ", pressure \(Self.number($0 * 100)) %" } ?? ""),
    ]
    if let budget = report.budgetHours {
      lines.append("budget: \(Self.hours(report.usedHours)) of \(Self.hours(budget)) h used this month")
    }
    lines += report.stages.map {
      "\(name($0.release)) \($0.stage)/\($0.kind): \(Self.number($0.arrived5Minutes)) arrived in 5 min, "
        + "\(Self.number($0.arrived30Minutes)) in 30 min; one job takes \(Self.number($0.predictedSeconds)) s "
        + "(up to \(Self.number($0.predictedSecondsHigh)) s) and \(Self.need($0))"
    }
    if !decision.stops.isEmpty { lines.append("idle workers that may stop: \(Self.list(decision.stops))") }
    if !decision.drains.isEmpty { lines.append("workers that finish and end: \(Self.list(decision.drains))") }
    return lines
  }

  /// The memory of the worker itself is not a job's.
  private static func need(_ stage: ScalingReport.Stage) -> String {
    guard stage.predictedBytesHigh >= 0.5e6 else { return "no more memory than its worker" }
    return "\(bytes(stage.predictedBytes)) (up to \(bytes(stage.predictedBytesHigh))) next to its worker's"
  }

  var json: JSONValue {
    let others: [(String, JSONValue)] = [
      ("override", override.map(Self.json) ?? .null), ("memory_waits", .list(memoryWaits.map(Self.json))),
      ("decides", standing.map { .bool($0.isDecided) } ?? .null),
      ("notes", .list((standing?.notes ?? []).map { .text($0) })),
    ]
    guard let decision else { return .object([("decision", .null)] + others) }
    return .object(
      [
        (
          "decision",
          .object([
            ("id", .int(decision.id)), ("epoch", .int(decision.epoch)), ("decided_at", .text(decision.decidedAt)),
            ("workers", .int(Int64(decision.total))), ("demanded", .int(Int64(decision.demanded))),
            (
              "counts",
              .object(decision.counts.sorted { $0.key < $1.key }.map { ("\($0.key)", .int(Int64($0.value))) })
            ),
            ("stops", .list(decision.stops.map { .int($0) })), ("drains", .list(decision.drains.map { .int($0) })),
            ("reasons", .list(decision.reasons.map { .text($0) })), ("limited_by", .optional(decision.limitedBy)),
            ("inputs", .raw(decision.inputs)),
          ])
        )
      ] + others)
  }

  private static func json(_ wait: JobStore.MemoryWait) -> JSONValue {
    .object([
      ("host", .text(wait.host)), ("job", .int(wait.job.rawValue)), ("pipeline", .text(wait.pipeline)),
      ("stage", .text(wait.stage)), ("label", .text(wait.label)), ("seconds", .double(wait.seconds)),
    ])
  }

  static func json(_ override: JobStore.ScalingOverrideRecord) -> JSONValue {
    .object([
      ("workers", .int(Int64(override.workers))), ("reason", .text(override.reason)),
      ("author", .text(override.author)),
      ("created_at", .text(override.createdAt)), ("expires_at", .text(override.expiresAt)),
    ])
  }

  static func text(_ override: JobStore.ScalingOverrideRecord) -> String {
    "set by \(override.author) to \(workers(override.workers)) until \(override.expiresAt): \(override.reason); "
      + "end it: sluice scale auto"
  }

  static func workers(_ count: Int) -> String { count == 1 ? "1 worker" : "\(count) workers" }

  private func name(_ release: String) -> String {
    release == "0" ? "none" : Int64(release).flatMap { names[$0] } ?? release
  }

  private static func list(_ numbers: [Int64]) -> String { numbers.map { "\($0)" }.joined(separator: ", ") }

  /// A small budget is used up by parts of a tenth.
  private static func hours(_ value: Double) -> String {
    guard value.isFinite, abs(value) < 10 else { return number(value) }
    let rounded = (value * 1000).rounded() / 1000
    return rounded == rounded.rounded() ? "\(Int(rounded))" : "\(rounded)"
  }

  private static func number(_ value: Double) -> String {
    guard value.isFinite, abs(value) < 1e15 else { return "?" }
    let rounded = (value * 10).rounded() / 10
    return rounded == rounded.rounded() ? "\(Int(rounded))" : "\(rounded)"
  }

  private static func bytes(_ value: Double) -> String {
    value < 1e9 ? "\(number((value / 1e6).rounded())) MB" : "\(number(value / 1e9)) GB"
  }
}
