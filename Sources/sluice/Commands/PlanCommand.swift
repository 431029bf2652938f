import ArgumentParser
import Catalog
import FoundationEssentials
import Ingestion
import JobModel
import JobStore
import PipelineDefinition
import Postgres

struct PlanCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plan", abstract: "What a run would read, from which cursor and into which tables, and when it comes.",
    discussion: "Asks neither the sources nor the targets.")

  /// How many of the schedule's times are shown.
  private static let times = 5

  @OptionGroup var options: ProjectOptions
  @Argument(help: "The pipeline's name.") var pipeline: String

  func run() async throws {
    let project = try options.project()
    let definition = try project.runnablePipeline(named: pipeline)
    try await Installation.with(project, logger: Logs.quiet, access: .reading) { installation in
      var streams: [(name: String, read: String, cursor: String?, from: String?)] = []
      for (reference, stream) in definition.pulledStreams {
        let id = StreamID(pipeline: pipeline, source: reference.source, stream: reference.stream)
        let history = try await installation.catalog.cursorHistory(of: id)
        let now = Int64(Date().timeIntervalSince1970)
        let stored = stream.cursor.map { CursorProgress.stored($0, history: history, now: now) } ?? history.first
        let from = try stream.cursor.map { try CursorProgress.begin($0, stored: stored, label: "\(reference)") }
        streams.append((reference.description, stream.read.rawValue, stored, from))
      }
      let next = try await nextTimes(definition.schedule, installation)
      let due = try await nextDeadline(definition.deadline, installation)
      let paused = try await installation.store.pausedSince(pipeline)
      guard options.json else {
        Console.data(
          TextTable(
            ["stream", "read", "cursor", "begins at"],
            streams.map { [$0.name, $0.read, $0.cursor ?? "", $0.from ?? ""] }
          ).text)
        for target in definition.load {
          Console.data("into \(target.name): " + target.tables.map(Self.name).joined(separator: ", "))
        }
        if let rule = definition.schedule {
          Console.data("\(rule.cron.text) in \(rule.timeZone): " + next.joined(separator: ", "))
        } else {
          Console.data("no schedule: sluice run \(pipeline)")
        }
        if let deadline = definition.deadline, let due {
          Console.data("due by \(deadline.loadedBy) in \(deadline.timeZone): a run that starts now, by \(due)")
        }
        if let paused { Console.data("paused since \(paused): sluice resume \(pipeline)") }
        return
      }
      let read = streams.map { stream in
        JSONValue.object([
          ("stream", .text(stream.name)), ("read", .text(stream.read)), ("cursor", .optional(stream.cursor)),
          ("from", .optional(stream.from)),
        ])
      }
      let targets = definition.load.map { target in
        JSONValue.object([
          ("target", .text(target.name)), ("tables", .list(target.tables.map { .text(Self.name($0)) })),
        ])
      }
      Console.data(
        json: .object([
          ("pipeline", .text(pipeline)), ("priority", .int(Int64(definition.priority))), ("streams", .list(read)),
          ("targets", .list(targets)), ("schedule", Self.json(definition.schedule, next)),
          ("deadline", Self.json(definition.deadline, due)),
          ("paused_since", .optional(paused)),
        ]))
    }
  }

  private static func name(_ table: LoadTable) -> String { "\(table.schema).\(table.table)" }

  private func nextTimes(_ rule: ScheduleRule?, _ installation: Installation) async throws -> [String] {
    guard let rule else { return [] }
    try await installation.store.requireTimeZone(of: rule, pipeline: pipeline)
    return try await installation.store.nextTimes(
      of: rule.cron, timeZone: rule.timeZone, limit: Self.times, in: installation.database)
  }

  private func nextDeadline(_ rule: DeadlineRule?, _ installation: Installation) async throws -> String? {
    guard let rule else { return nil }
    return try await installation.store.nextDeadline(of: rule, pipeline: pipeline, in: installation.database)
  }

  private static func json(_ rule: DeadlineRule?, _ next: String?) -> JSONValue {
    guard let rule else { return .null }
    return .object([
      ("loaded_by", .text(rule.loadedBy)), ("timezone", .text(rule.timeZone)), ("next", .optional(next)),
    ])
  }

  private static func json(_ rule: ScheduleRule?, _ next: [String]) -> JSONValue {
    guard let rule else { return .null }
    return .object([
      ("cron", .text(rule.cron.text)), ("timezone", .text(rule.timeZone)), ("overlap", .text(rule.overlap.rawValue)),
      ("catch_up", .text(rule.catchUp.rawValue)), ("next", .list(next.map { .text($0) })),
    ])
  }
}
