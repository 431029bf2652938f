import ArgumentParser
import ControlPlane
import FoundationEssentials
import JobModel
import JobStore
import PipelineDefinition

struct ScaleCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "scale", abstract: "How many workers there are to be, and why; set the number for a time.",
    discussion: """
      Without a number: what is decided now, for each release and stage. --why adds what it was decided from; with --at TIME, of an \
      earlier decision. sluice scale 5 --for 2h --reason "a large backfill" sets the number, within the limits of scaling: in \
      sluice.yaml, until the time is over; sluice scale auto ends that.
      """)

  @OptionGroup var options: ProjectOptions
  @Argument(help: "A number of workers, or auto.") var count: String?
  @Option(name: .customLong("for"), help: "For how long the number holds, such as 30m, 1h30m or 2d; 30d at most.")
  var duration: String?
  @Option(help: "Why; shown as long as the number holds.") var reason: String?
  @Flag(help: "What the decision was made from.") var why = false
  @Flag(help: "How good earlier predictions and counts were.") var score = false
  @Option(
    help: "Draw jobs, workers, memory and missed deadlines over time into this file, as SVG; - for standard output.")
  var chart: String?
  @Option(help: "With --chart, from this time on, such as 2026-11-30T08:00:00Z (default: 24 hours before the end).")
  var from: String?
  @Option(help: "With --chart, up to this time (default: now).") var to: String?
  @Option(help: "With --why, the decision that held at this time, such as 2026-11-30T08:00:00Z.") var at: String?

  private static let auto = "auto"
  private static let longest = Duration.seconds(30 * 86_400)
  /// What --score reads: enough for a share to a percent, and a few megabytes.
  private static let scoredPredictions = 1_000
  private static let scoredKinds = 50
  private static let scoredDecisions = 1_000
  private static let scoredRuns = 1_000

  func validate() throws {
    try validateChart()
    if score, count != nil || why { throw ValidationError("--score goes without a number, auto and --why") }
    if at != nil, !why { throw ValidationError("--at needs --why") }
    if let at, (try? Date(at, strategy: .iso8601)) == nil {
      throw ValidationError("--at: \(at) is no time; write one such as 2026-11-30T08:00:00Z")
    }
    guard let count else {
      if duration != nil || reason != nil { throw ValidationError("--for and --reason need a number of workers") }
      return
    }
    if why { throw ValidationError("--why goes without a number and without auto") }
    guard count != Self.auto else {
      if duration != nil || reason != nil { throw ValidationError("auto goes without --for and --reason") }
      return
    }
    guard let number = Int(count) else { throw ValidationError("\(count) is neither a number of workers nor auto") }
    try Bounds.check("the number of workers", number, Bounds.workers)
    let missing = [
      duration == nil ? "--for, such as --for 2h" : nil,
      Self.line(reason ?? "").isEmpty ? "--reason, such as --reason \"a large backfill\"" : nil,
    ].compactMap { $0 }
    if !missing.isEmpty { throw ValidationError("a number needs \(missing.joined(separator: ", and "))") }
  }

  /// A reason is shown within a line.
  static func line(_ text: String) -> String {
    let visible = text.unicodeScalars.map { scalar -> Character in
      switch scalar.properties.generalCategory {
      case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned: " "
      default: Character(scalar)
      }
    }
    return String(visible).split(whereSeparator: \.isWhitespace).joined(separator: " ")
  }

  private func validateChart() throws {
    guard let chart else {
      if from != nil || to != nil { throw ValidationError("--from and --to need --chart") }
      return
    }
    if count != nil || why || score { throw ValidationError("--chart goes without a number, auto, --why and --score") }
    if chart.isEmpty { throw ValidationError("--chart needs a file, such as scaling.svg") }
    for (name, text) in [("--from", from), ("--to", to)] {
      if let text, Self.seconds(text) == nil {
        throw ValidationError("\(name): \(text) is no time; write one such as 2026-11-30T08:00:00Z")
      }
    }
    if let from = from.flatMap(Self.seconds), let to = to.flatMap(Self.seconds), from >= to {
      throw ValidationError("--from is not before --to")
    }
  }

  func run() async throws {
    if let chart { return try await draw(chart) }
    if score { return try await showScore() }
    switch count {
    case nil: try await show()
    case Self.auto: try await end()
    case let count?: try await set(Int(count) ?? 0)
    }
  }

  private func show() async throws {
    try await Installation.with(options, access: .reading) { installation in
      let store = installation.store
      if let at, let seconds = Self.seconds(at), try await store.scalingMoment().seconds < seconds {
        throw StageFailure(
          code: "usage", message: "--at: \(at) is in the future", hint: "leave it out for the decision of now")
      }
      let decision = try await store.scalingDecision(at: at)
      var view = ScalingView(
        decision: decision, override: at == nil ? try await store.scalingOverride() : nil,
        names: try await installation.releaseNames(), isNow: at == nil)
      if at == nil {
        view.memoryWaits = try await store.memoryWaits()
        let late = try await RunOutlook.gather([], store: store).late
        if !late.isEmpty { view.late = late }
        view.standing = try await installation.scalingStanding(decision)
      }
      if options.json {
        Console.data(json: view.json)
      } else {
        Console.data(view.text(why: why))
      }
      if decision == nil, installation.project.settings.scaling == nil {
        Console.note("sluice.yaml has no scaling: there are as many workers as sluice up --workers says")
      }
    }
  }

  private func showScore() async throws {
    try await Installation.with(options, access: .reading) { installation in
      let view = ScalingScoreView(
        score: ScalingScore(
          settled: try await installation.store.settledPredictions(
            perKind: Self.scoredPredictions, maxKinds: Self.scoredKinds),
          decisions: try await installation.store.scalingDecisions(last: Self.scoredDecisions),
          runs: try await installation.store.endedRuns(last: Self.scoredRuns)))
      options.json ? Console.data(json: view.json) : Console.data(view.text)
    }
  }

  private func set(_ workers: Int) async throws {
    let time = try DeployCommand.duration(duration ?? "", option: "--for")
    guard time <= Self.longest else {
      throw StageFailure(
        code: "usage", message: "--for: \(duration ?? "") is longer than 30 days",
        hint: "change scaling: in sluice.yaml where the number is to stay")
    }
    let project = try options.project()
    guard project.settings.scaling != nil else {
      throw StageFailure(
        code: "no_scaling", message: "sluice.yaml has no scaling: nothing follows the number",
        hint:
          "write scaling: {max: \(max(workers, 1))} into sluice.yaml and call sluice up again, or use sluice up --workers"
      )
    }
    try await Installation.with(project, logger: Logs.quiet, access: .steering) { installation in
      let standing = try await installation.scalingStanding(try await installation.store.scalingDecision())
      if let refusal = standing.refusal {
        throw StageFailure(
          code: "not_scaled", message: "nothing follows the number: \(refusal)", hint: ScalingStanding.refusalHint)
      }
      let set = try await installation.store.overrideScaling(
        workers: workers, for: time, reason: Self.line(reason ?? ""), author: Installation.actor)
      if let most = standing.maxWorkers, workers > most { Console.note("scaling.max allows \(most)") }
      if let least = standing.minWorkers, workers < least {
        Console.note("scaling.min is \(least), and does not hold until then")
      }
      for note in standing.notes { Console.note(note) }
      if options.json { return Console.data(json: ScalingView.json(set)) }
      Console.data("\(ScalingView.workers(workers)) until \(set.expiresAt); end it: sluice scale auto")
    }
  }

  private func end() async throws {
    try await Installation.with(options, access: .steering) { installation in
      let ended = try await installation.store.endScalingOverride(by: Installation.actor)
      if options.json {
        Console.data(json: .object([("auto", .bool(true)), ("ended", ended.map(ScalingView.json) ?? .null)]))
      } else {
        Console.data(
          ended.map { "the number follows the work again; it was set to \($0.workers): \($0.reason)" }
            ?? "the number follows the work; none was set")
      }
    }
  }
}

extension Installation {
  /// What a person calls each release, by its number.
  fileprivate func releaseNames() async throws -> [Int64: String] {
    let releases = try await store.releases(in: [.staged, .canary, .current, .draining, .drained, .rejected, .retired])
    return Dictionary(releases.map { ($0.id, $0.name) }) { first, _ in first }
  }
}
