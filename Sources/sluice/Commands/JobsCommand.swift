import ArgumentParser
import JobModel
import JobStore

struct JobsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "jobs", abstract: "Look at jobs and their history; take dead ones up again.",
    subcommands: [List.self, Show.self, Retry.self], defaultSubcommand: List.self)

  struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "List jobs, newest first.")

    @OptionGroup var options: ProjectOptions
    @Option(help: "Only jobs of this run and its loads.") var run: Int64?
    @Option(help: "Only jobs in this state: \(JobState.allCases.map(\.rawValue).joined(separator: ", ")).") var state:
      String?
    @Option(help: "At most so many.") var limit = 100

    func run() async throws {
      let wanted = try state.map { text in
        guard let state = JobState(rawValue: text.uppercased()) else {
          throw StageFailure(
            code: "usage", message: "there is no job state \(text)",
            hint: "use one of \(JobState.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return state
      }
      try await Installation.with(options) { installation in
        let jobs = try await installation.store.jobs(run: run.map { RunID($0) }, state: wanted, limit: limit)
        options.json
          ? Console.data(json: .object([("jobs", .list(jobs.map { .object($0.fields) }))]))
          : Console.data(JobsCommand.table(jobs))
      }
    }
  }

  struct Show: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Show one job with every attempt.")

    @OptionGroup var options: ProjectOptions
    @Argument(help: "The job's number.") var id: Int64

    func run() async throws {
      try await Installation.with(options) { installation in
        guard let job = try await installation.store.jobs(job: JobID(id)).first else { throw Self.unknown(id) }
        let attempts = try await installation.store.attempts(of: [job.id])
        let lines = try await installation.store.logLines(ofJob: job.id)
        if options.json {
          Console.data(json: .object(job.fields(attempts) + [("log", .list(lines.map(\.json)))]))
        } else {
          Console.data(JobsCommand.table([job]))
          if let mark = job.mark { Console.data("  checkpoint \(mark.format) at \(job.markAt ?? ""): \(mark.state)") }
          for attempt in attempts { Console.data("  " + attempt.text) }
          for line in lines { Console.data("  \(line.at) \(line.level): \(line.message)") }
        }
      }
    }

    static func unknown(_ id: Int64) -> StageFailure {
      StageFailure(code: "job_unknown", message: "there is no job \(id)", hint: "list them: sluice jobs")
    }
  }

  struct Retry: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Take a dead job up again, from its checkpoint.")

    @OptionGroup var options: ProjectOptions
    @Argument(help: "The job's number.") var id: Int64

    func run() async throws {
      try await Installation.with(options) { installation in
        guard try await installation.store.retry(job: JobID(id)) else {
          throw StageFailure(
            code: "not_dead", message: "job \(id) is not dead", hint: "look at it: sluice jobs show \(id)")
        }
        options.json
          ? Console.data(json: .object([("job", .int(id)), ("state", .text(JobState.ready.rawValue))]))
          : Console.data("job \(id) is ready again; workers take it, or: sluice worker")
      }
    }
  }

  static func table(_ jobs: [JobRecord]) -> String {
    let rows = jobs.map { job -> [String] in
      let progress = ProgressNumbers(job.progress)
      return [
        "\(job.id)", job.runID.map { "\($0)" } ?? "", job.stage, job.label, job.state.rawValue, "\(job.attempt)",
        job.mark.map { "\($0.format)" } ?? "", "\(progress.units)", "\(progress.rows)", "\(progress.bytes)",
      ]
    }
    return TextTable(
      ["job", "run", "stage", "step", "state", "attempt", "checkpoint", "units", "rows", "bytes"], rows
    ).text
  }
}

extension JobRecord {
  var fields: [(String, JSONValue)] {
    [
      ("id", .int(id.rawValue)), ("run", .optional(runID?.rawValue)), ("pipeline", .text(pipeline)),
      ("stage", .text(stage)), ("kind", .text(kind)), ("label", .text(label)), ("state", .text(state.rawValue)),
      ("attempt", .int(Int64(attempt))), ("max_attempts", .int(Int64(maximumAttempts))), ("epoch", .int(epoch)),
      ("worker", .optional(worker)), ("created_at", .text(createdAt)), ("claimed_at", .optional(claimedAt)),
      ("due_at", .optional(dueAt)), ("progress", .optional(raw: progress)), ("checkpoint", checkpoint),
    ]
  }

  func fields(_ attempts: [AttemptRecord]) -> [(String, JSONValue)] {
    fields + [("attempts", .list(attempts.map(\.json)))]
  }

  private var checkpoint: JSONValue {
    guard let mark else { return .null }
    return .object([
      ("format", .text("\(mark.format)")), ("state", .raw(mark.state)), ("at", .optional(markAt)),
    ])
  }
}

extension JobStore.LogLine {
  var json: JSONValue {
    .object([("at", .text(at)), ("level", .text(level)), ("message", .text(message))])
  }
}

extension AttemptRecord {
  var json: JSONValue {
    .object([
      ("attempt", .int(Int64(attempt))), ("epoch", .int(epoch)), ("status", .text(status)),
      ("worker", .optional(worker)), ("started_at", .text(startedAt)), ("finished_at", .text(finishedAt)),
      ("seconds", .double(seconds)), ("detail", .optional(raw: detail)),
    ])
  }

  var text: String {
    "job \(jobID) attempt \(attempt) (epoch \(epoch)): \(status) after \((seconds * 100).rounded() / 100) s"
      + (detail.map { status == "done" ? "" : " \($0)" } ?? "")
  }
}
