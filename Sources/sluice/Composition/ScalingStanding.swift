import ControlPlane
import JobStore
import PipelineDefinition

/// What the number of workers follows now, next to what `sluice.yaml` says.
struct ScalingStanding {
  /// A process decides now.
  var isDecided: Bool
  /// What the control of this host follows; nil: none runs, or one of an engine that does not say it.
  var control: ControlFile.Following?
  /// What `sluice.yaml` says.
  var wished: ProjectSettings.Scaling?
  /// The keys of `scaling` that are followed; nil: not known.
  var followed: [String: String]?
  /// The same of `sluice.yaml`.
  var written: [String: String]

  /// - Parameters:
  ///   - decision: The last one.
  ///   - isDecided: Whether a process decides now.
  init(
    settings: ProjectSettings, control: ControlFile.Following?, isDecided: Bool,
    decision: JobStore.ScalingDecisionRecord?
  ) {
    self.isDecided = isDecided
    self.control = control
    wished = settings.scaling
    written = settings.scalingKeys
    if case .scaling(let keys) = control {
      followed = keys
    } else if isDecided, let report = decision.flatMap({ try? ScalingReport(json: $0.inputs) }) {
      // Of a control on another host.
      followed = ["min": "\(report.minWorkers)", "max": "\(report.maxWorkers)"]
    }
  }

  /// The most workers that are started: of what is followed, else of what is written.
  var maxWorkers: Int? { followed?["max"].flatMap { Int($0) } ?? wished?.maxWorkers }
  /// The same of the fewest.
  var minWorkers: Int? { followed?["min"].flatMap { Int($0) } ?? wished?.minWorkers }

  /// Why a number that a person sets would have no effect; nil: it has one, or will have one with the next control.
  var refusal: String? {
    guard !isDecided, case .fixed(let count) = control else { return nil }
    return "control keeps \(ScalingView.workers(count)), as it was started"
  }
  static let refusalHint = "sluice down, then sluice up without --workers: it follows scaling: of sluice.yaml"

  /// What a person has to know who takes the decision for what holds now.
  var notes: [String] {
    var notes: [String] = []
    if !isDecided, wished != nil || followed != nil {
      switch control {
      case .fixed: notes.append("\(refusal ?? "") and follows no decision; \(Self.refusalHint)")
      case .nothing:
        notes.append(
          "no process decides: control was started before sluice.yaml had scaling:; sluice down, then start it again")
      case .scaling: notes.append("control runs and has not decided yet")
      case nil: notes.append("no process decides now; start one: sluice up")
      }
    }
    if isDecided, wished == nil {
      notes.append("sluice.yaml has no scaling: any more, and control follows what it read at its start; " + Self.again)
    } else if let followed, wished != nil {
      let changed = written.keys.sorted().filter { key in followed[key].map { $0 != written[key] } ?? false }
      if !changed.isEmpty {
        let words = changed.map { "\($0) is \(written[$0] ?? ""), and control follows \(followed[$0] ?? "")" }
        notes.append(
          "sluice.yaml has changed since control was started: \(words.joined(separator: "; ")). " + Self.again)
      }
    }
    return notes
  }

  private static let again = "To follow the file: sluice down, then sluice up"
}

extension Installation {
  /// - Parameter decision: The last one.
  func scalingStanding(_ decision: JobStore.ScalingDecisionRecord?) async throws -> ScalingStanding {
    ScalingStanding(
      settings: project.settings, control: ControlFile.read(stateDirectory)?.follows,
      isDecided: try await store.scalingHolder() != nil, decision: decision)
  }
}

extension ProjectSettings {
  /// What decides the number of workers, by its key in `sluice.yaml`, to be compared with what another process has read.
  var scalingKeys: [String: String] {
    guard let scaling else { return [:] }
    let launcher =
      switch scaling.launcher {
      case .local: "local"
      case .external: "none"
      case .command(let words, _, _, _): words.joined(separator: " ")
      }
    return [
      "min": "\(scaling.minWorkers)", "max": "\(scaling.maxWorkers)",
      "memory": scaling.memoryBytes.map { "\($0)" } ?? "what the machine has",
      "worker.slots": "\(scaling.slotsPerWorker ?? limits.slots)", "worker.memory": "\(scaling.workerBytes)",
      "budget": scaling.budgetHours.map { "\($0)h/month" } ?? "none",
      "backlog_within": "\(scaling.backlogWithin.components.seconds)s", "launcher": launcher,
    ]
  }
}
