import ArgumentParser
import FoundationEssentials
import JobModel
import JobStore
import PipelineDefinition
import Releases

struct DeployCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "deploy",
    abstract: "Make a directory's definition and an engine the current release, beside what runs.",
    discussion: """
      The release is stored, its engine tried, one worker of it started, and the checkpoints that live in the queue compared \
      with what it reads. Then it takes the new runs. What began with an earlier release keeps that definition to its end, on \
      the engine of that release (on_deploy: finish) or, from the next checkpoint, on the new one (handover).

      With --canary it takes a part of the new runs first, and is promoted or rolled back by what became of them. Where history \
      promises too few runs for that, it is rehearsed instead: each changed pipeline's last raw is curated once more, nothing of \
      it kept, and compared with what became of it then.

      Exit codes: 2 the definition does not pass, the label is taken · 3 refused, nothing changed · 5 rolled back by evidence · \
      6 no evidence for or against it in time, or the wait was interrupted: it stays in canary.
      """)

  @OptionGroup var options: ProjectOptions
  @Argument(help: "The directory whose definition is deployed (default: the project).") var directory: String?
  @Option(help: "What people call it.") var label: String?
  @Option(help: "The engine binary (default: this one).") var engine: String?
  @Option(help: "First only this share of the new runs, such as 5%.") var canary: String?
  @Option(help: "How long a canary is looked at before it is held, such as 10m.") var evidence = "10m"
  @Flag(
    inversion: .prefixedNo,
    help: "Rehearse it first, or never (default: instead of a canary for which too few runs are to be expected).")
  var rehearsal: Bool?
  @Option(help: "Why; kept in the audit trail.") var reason: String?
  @Flag(help: "Wait until nothing of earlier releases is left.") var wait = false
  @Flag(help: "Say what would happen, and do nothing.") var plan = false

  func validate() throws {
    guard let label, let problem = ReleaseLabel.problem(of: label) else { return }
    throw ValidationError("--label: \(problem); write one line with a letter in it, such as v1")
  }

  func run() async throws {
    let started = ContinuousClock.now
    let project = try options.project()
    let ramp = try canary.map(Self.ramp)
    let evidence = try Self.duration(evidence, option: "--evidence")
    let source = try directory.map {
      try Project.load(directory: try absolute($0), environment: project.environment, copy: project.copy)
    }
    let enginePath = try engine.map(absolute) ?? Engine.path()
    try await Installation.with(project, logger: Logs.quiet) { installation in
      var deployment = Deployment(
        installation: installation, source: source ?? project, enginePath: enginePath, label: label,
        author: JobStore.Author(Installation.actor, reason: reason))
      let examination = try await deployment.examine()
      var report = DeployReport(examination: examination, started: started, isJSON: options.json)
      let evidencePlan = try await deployment.evidencePlan(
        examination, ramp: ramp, within: evidence, rehearsal: rehearsal)
      if plan { return try await report.tellPlan(installation, evidence: evidencePlan) }
      if let current = examination.known, current.state == .current {
        report.repaired = try await deployment.repair(current)
        return report.tell(.alreadyCurrent, current)
      }
      report.tellGate()
      let staged = try await deployment.stage(examination)
      var steps = evidencePlan.steps
      if steps.first == .rehearsal {
        steps.removeFirst()
        let isGood = try await deployment.rejectingIfRefused(staged) {
          try await rehearse(staged, evidencePlan.changed, &deployment, &report)
        }
        if !isGood, ramp != nil { steps = [.canary] }
      }
      if let ramp, steps.first == .canary {
        let record = try await deployment.rejectingIfRefused(staged) {
          try await installation.desk.beginCanary(staged.id, ramp: ramp, evidence: evidence, by: deployment.author)
        }
        return try await follow(record, installation, report)
      }
      let promotion = try await deployment.promote(
        staged, replacing: report.rehearsal == nil ? nil : evidencePlan.compared)
      report.tell(.promoted, promotion.release, promotion)
      if wait { try await awaitDrained(installation) }
    }
  }

  /// Returns false where the rehearsal says nothing and a canary is to say it.
  ///
  /// - Throws: ``ExitStatus`` `rolledBack`; ``ReleaseRefusal``.
  private func rehearse(
    _ staged: JobStore.ReleaseRecord, _ pipelines: [String], _ deployment: inout Deployment,
    _ report: inout DeployReport
  ) async throws -> Bool {
    let installation = deployment.installation
    switch try await deployment.rehearse(staged, pipelines, report: &report) {
    case .good:
      deployment.author.reason = [deployment.author.reason, report.rehearsal?.summary(of: pipelines)]
        .compactMap { $0 }.joined(separator: "; ")
      return true
    case .worse(let reason) where staged.state != .staged:
      throw ReleaseRefusal(
        "rehearsal_worse", reason,
        hint: "release \(staged.name) stays \(staged.state.rawValue); deploy without a rehearsal")
    case .worse(let reason):
      let author = JobStore.Author(deployment.author.actor, reason: reason)
      guard try await installation.desk.reject(staged.id, from: [.staged], by: author),
        let rejected = try await installation.store.release(staged.id)
      else { throw Deployment.notStaged(staged) }
      report.tell(.rolledBack, rejected)
      throw ExitStatus.rolledBack
    case .inconclusive(let reason) where canary != nil:
      Console.note("the rehearsal says nothing (\(reason)): it becomes a canary")
      return false
    case .inconclusive(let reason):
      throw ReleaseRefusal(
        "not_rehearsed", "the rehearsal says nothing: \(reason)",
        hint: "deploy without --rehearsal, or when that is mended; release \(staged.name) "
          + (staged.state == .staged ? "was rejected" : "stays \(staged.state.rawValue)"))
    }
  }

  /// Looks on until the canary has become something.
  private func follow(
    _ canary: JobStore.ReleaseRecord, _ installation: Installation, _ report: DeployReport
  ) async throws {
    let end = try await InterruptNotice.during(
      farewell(canary, installation),
      json: options.json
        ? .object([("outcome", .text("interrupted")), ("release", canary.json)]) : nil
    ) { try await CanaryWatch(installation: installation).follow(canary) }
    let record = try await installation.store.release(canary.id) ?? canary
    report.tell(end, record)
    switch end {
    case .rolledBack: throw ExitStatus.rolledBack
    case .held: throw ExitStatus.timedOut
    case .promoted, .alreadyCurrent, .planned: break
    }
    if wait { try await awaitDrained(installation) }
  }

  private func farewell(_ canary: JobStore.ReleaseRecord, _ installation: Installation) -> String {
    let judge =
      ControlFile.read(installation.stateDirectory) == nil
      ? "no control runs here, which would judge it: sluice up, or sluice control\n  " : ""
    return """
      the canary \(canary.name) continues; only the wait for it has ended
        \(judge)look at it: sluice releases show \(canary.name)
        end it: sluice rollback \(canary.name); make it current: sluice promote \(canary.name)
      """
  }

  private func awaitDrained(_ installation: Installation) async throws {
    let watch = DrainWatch(installation: installation, isJSON: options.json)
    try await InterruptNotice.during(
      "the new release is current; earlier ones continue to drain: sluice releases", json: nil
    ) { try await watch.untilNothingDrains() }
  }

  private func absolute(_ path: String) throws -> String {
    let full = path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path
    guard FileManager.default.fileExists(atPath: full) else {
      throw StageFailure(code: "usage", message: "there is no \(path)", hint: "check the path")
    }
    return full
  }

  /// `5%` or `0.5%`, in parts of 10,000.
  static func ramp(_ text: String) throws -> Int {
    guard text.hasSuffix("%"), let percent = Double(text.dropLast()), percent > 0, percent <= 100 else {
      throw StageFailure(
        code: "usage", message: "--canary: \(text) is no share of the new runs", hint: "write a percentage, such as 5%")
    }
    return max(1, Int((percent * 100).rounded()))
  }

  /// `90s`, `10m`, `2h`, `1d`, `1h30m`.
  static func duration(_ text: String, option: String) throws -> Duration {
    let units: [Character: Double] = ["s": 1, "m": 60, "h": 3600, "d": 86_400]
    var seconds = 0.0
    var rest = text[...]
    while !rest.isEmpty {
      let digits = rest.prefix { "0123456789.".contains($0) }
      guard let number = Double(digits), number < 1e6,
        let unit = rest.dropFirst(digits.count).first.flatMap({ units[$0] })
      else {
        seconds = 0
        break
      }
      seconds += number * unit
      rest = rest.dropFirst(digits.count + 1)
    }
    guard seconds > 0 else {
      throw StageFailure(
        code: "usage", message: "\(option): \(text) is no time",
        hint: "write a number with s, m, h or d, such as 10m or 1h30m")
    }
    return .seconds(seconds)
  }
}
