import ArgumentParser
import ControlPlane
import FoundationEssentials

struct StatusCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "status", abstract: "One screen: runs, stages, workers.")

  @OptionGroup var options: ProjectOptions

  func run() async throws {
    try await Installation.with(options, access: .reading) { installation in
      let control = ControlFile.read(installation.stateDirectory)
      let report = try await installation.statusReport(controlURL: control?.url)
      if options.json {
        Console.data(json: try StatusReport.encoder.encode(report))
        return
      }
      Console.data("environment \(report.environment)" + (report.controlUrl.map { ", control at \($0)" } ?? ", not up"))
      if !report.releases.isEmpty {
        Console.data(
          TextTable(
            ["release", "state", "engine", "jobs", "workers", "reason"],
            report.releases.map {
              [
                $0.label ?? String($0.hash.prefix(12)), $0.state, $0.engine, "\($0.jobs)", "\($0.workers)",
                $0.reason ?? "",
              ]
            }
          ).text)
      }
      Console.data(
        TextTable(
          ["run", "pipeline", "kind", "target", "state", "created", "due", "ends"],
          report.runs.map {
            let ends = $0.expected?.range ?? $0.unexpected.map { "not known: \($0)" } ?? ""
            return [
              "\($0.run)", $0.pipeline, $0.kind, $0.target ?? "", $0.state, $0.createdAt, $0.deadline ?? "", ends,
            ]
          }
        ).text)
      for line in report.late { Console.data("late: \(line)") }
      Console.data(
        TextTable(
          ["pipeline", "stage", "state", "jobs"],
          report.stages.map { [$0.pipeline, $0.stage, $0.state, "\($0.jobs)"] }
        ).text)
      Console.data(
        TextTable(
          ["worker", "pid", "host", "slots", "busy"],
          report.workers.map { ["\($0.id)", "\($0.pid)", $0.host, "\($0.slots)", "\($0.busy)"] }
        ).text)
      tell(report.scaling)
      if !report.schedules.isEmpty {
        Console.data(
          TextTable(
            ["pipeline", "schedule", "next run", "last time", "outcome"],
            report.schedules.map { each in
              let next = each.pausedSince.map { "paused since \($0)" } ?? each.nextAt ?? ""
              let schedule = [each.cron, each.timezone].compactMap { $0 }.joined(separator: " ")
              let outcome = [each.lastOutcome, each.lastReason].compactMap { $0 }.joined(separator: ": ")
              return [each.pipeline, schedule, next, each.lastAt ?? "", outcome]
            }
          ).text)
      }
      for release in report.releases {
        guard let trouble = release.trouble else { continue }
        Console.data(trouble + (release.remedy.map { "\n  \($0)" } ?? ""))
      }
      for queue in report.waiting {
        Console.data(
          "waiting: \(queue.jobs) job(s) of \(queue.pipeline) for \(queue.permit) "
            + "(\(queue.taken) of \(queue.slots) taken), since \(queue.since)")
      }
      for wait in report.attemptWaits {
        Console.data("running: \(wait.attempts) attempt(s) of \(wait.pipeline), \(wait.stage), wait for: \(wait.cause)")
      }
      for job in report.unreadable {
        Console.data(
          "not done: \(job.jobs) job(s) of \(job.pipeline), \(job.stage): no engine that has them reads \(job.format) "
            + "(oldest \(job.oldest)); deploy one that does")
      }
      for raw in report.rawDue {
        Console.data("raw due: \(raw.stream) of \(raw.pipeline), \(raw.runs) failed run(s), oldest \(raw.oldest)")
      }
    }
  }

  private func tell(_ scaling: StatusReport.Scaling?) {
    guard let scaling else { return }
    if let workers = scaling.workers {
      let why = [scaling.reasons.first, scaling.limitedBy].compactMap { $0 }
      let told = why.count == 2 && why[0] == why[1] ? Array(why.prefix(1)) : why
      Console.data("scaling: \(ScalingView.workers(workers)) wanted: " + told.joined(separator: "; "))
    }
    for problem in scaling.problems { Console.data("scaling: \(problem)") }
    if let override = scaling.override {
      Console.data(
        "scaling: set by \(override.author) to \(ScalingView.workers(override.workers)) until \(override.expiresAt): "
          + "\(override.reason)\n  end it: sluice scale auto")
    }
  }
}
