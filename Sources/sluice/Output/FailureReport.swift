import EmbeddedPostgres
import JobModel
import JobStore
import Migrations
import PipelineDefinition
import Postgres
import Releases

/// An error as the command line tells it.
struct FailureReport {
  var code: String
  var message: String
  var at: String?
  var hint: String?
  var status: ExitStatus

  /// nil for an error that is no ``Failure``: the argument parser's.
  init?(_ error: any Error) {
    let failure: any Failure
    switch error {
    case let known as any Failure: failure = known
    case is CancellationError:
      failure = StageFailure(
        code: "interrupted", message: "interrupted; nothing is lost, the work goes on from its checkpoint")
    default: return nil
    }
    code = failure.code
    message = failure.message
    at = failure.at
    hint = failure.hint
    status = Self.status(of: failure)
  }

  init(usage text: String) {
    code = "usage"
    message = text.hasPrefix("Error: ") ? String(text.dropFirst(7)) : text
    status = .usage
  }

  private static func status(of failure: any Failure) -> ExitStatus {
    switch failure {
    case is DefinitionError, is TemplateError, is ScheduleRefused: .usage
    case is SchemaError, is MigrationRefused, is Refusal, is ReleaseRefusal: .refused
    case is EmbeddedPostgresError: .unreachable
    case let error as PostgresError:
      switch error.kind {
      case .unreachable, .connectionLost, .commitUnknown: .unreachable
      case .usage: .usage
      case .cancelled, .timeout, .statement: .failed
      }
    default: failure.code == "usage" ? .usage : .failed
    }
  }

  func tell(asJSON: Bool) {
    var text = at.map { message.contains($0) ? message : "\($0): \(message)" } ?? message
    if let hint { text += "\n  \(hint)" }
    Console.note("sluice: \(text)")
    if asJSON {
      Console.data(json: JSONValue.object([("error", json)]))
    }
  }

  var json: JSONValue {
    .object(
      [("code", .text(code)), ("message", .text(message)), ("at", .optional(at)), ("hint", .optional(hint))]
        .filter { $0.1 != .null })
  }
}
