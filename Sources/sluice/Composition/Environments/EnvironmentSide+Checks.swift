import Catalog
import FoundationEssentials
import JobModel
import JobStore
import PipelineDefinition

extension EnvironmentSide {
  /// What became of a dataset's checks, as its newest run left them.
  struct Checks: Equatable {
    enum Outcome: String {
      /// No check is written.
      case none
      case passed
      /// A check with `severity: warn` did not hold.
      case warned
      /// The newest run committed nothing, because a check did not hold.
      case failed
      /// No run has made the dataset.
      case absent
    }

    var outcome: Outcome
    /// How many the definition has.
    var count = 0
    var messages: [String] = []

    var text: String {
      switch outcome {
      case .none, .absent: ""
      case .passed: "\(count) passed"
      case .warned: "warned: \(messages.joined(separator: "; "))"
      case .failed: "failed: \(messages.joined(separator: "; "))"
      }
    }

    var json: JSONValue {
      .object([
        ("outcome", .text(outcome.rawValue)), ("count", .int(Int64(count))),
        ("messages", .list(messages.map(JSONValue.text))),
      ])
    }
  }

  private struct RunError: Decodable {
    var code: String
    var message: String
  }

  /// Runs of a pipeline among which its newest batch is: each has a few loads.
  private static let recentRuns = 100

  /// By `pipeline.dataset`, of every dataset that a definition has.
  ///
  /// - Parameter newest: The newest snapshot of each dataset that has any.
  static func checks(
    of project: Project, newest: [String: Snapshot], _ installation: Installation
  ) async throws -> [String: Checks] {
    var checks: [String: Checks] = [:]
    for pipeline in project.pipelines {
      let batch = try await installation.store.runs(pipeline: pipeline.name, limit: recentRuns)
        .first { $0.kind == .batch }
      let error = batch.flatMap(\.error).flatMap { try? JSONDecoder().decode(RunError.self, from: Data($0.utf8)) }
      for step in pipeline.curate {
        let name = "\(pipeline.name).\(step.name)"
        let failure = error.flatMap { $0.code == "check_failed" ? message($0.message, of: step.name) : nil }
        if let failure {
          checks[name] = Checks(outcome: .failed, count: step.checks.count, messages: [failure])
        } else if let snapshot = newest[name] {
          let warnings = step.checks.isEmpty ? [] : try await warnings(of: step.name, snapshot.runID, installation)
          let outcome: Checks.Outcome = step.checks.isEmpty ? .none : warnings.isEmpty ? .passed : .warned
          checks[name] = Checks(outcome: outcome, count: step.checks.count, messages: warnings)
        } else {
          checks[name] = Checks(outcome: .absent, count: step.checks.count)
        }
      }
    }
    return checks
  }

  static func warnings(
    of dataset: String, _ run: RunID, _ installation: Installation
  ) async throws -> [String] {
    try await installation.store.events(ofRun: run).filter { $0.kind == "check_warning" }
      .compactMap { message($0.message, of: dataset) }
  }

  /// What is said of a dataset; nil where it is said of another one.
  private static func message(_ text: String, of dataset: String) -> String? {
    let beginning = "dataset \(dataset): "
    return text.hasPrefix(beginning) ? String(text.dropFirst(beginning.count)) : nil
  }
}
