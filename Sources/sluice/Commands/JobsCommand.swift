import ArgumentParser
import JobModel
import JobStore

struct JobsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "jobs", abstract: "Look at jobs and their history; cancel them; take dead ones up again.",
    subcommands: [List.self, Show.self, Cancel.self, Retry.self], defaultSubcommand: List.self)

  struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "List jobs, newest first.")

    @OptionGroup var options: ProjectOptions
    @Option(help: "Only jobs of this run and its loads.") var run: Int64?
    @Option(help: "Only jobs in this state: \(JobState.allCases.map(\.rawValue).joined(separator: ", ")).") var state:
      String?
    @Option(help: "At most so many.") var limit = 100

    func validate() throws { try Bounds.check("--limit", limit, Bounds.listing) }

    func run() async throws {
      let wanted = try state.map { text in
        guard let state = JobState(rawValue: text.uppercased()) else {
          throw StageFailure(
            code: "usage", message: "there is no job state \(text)",
            hint: "use one of \(JobState.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return state
      }
      try await Installation.with(options, access: .reading) { installation in
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
      try await Installation.with(options, access: .reading) { installation in
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

  struct Cancel: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Cancel jobs that belong to no run; one that runs is stopped within a second.",
      discussion:
        "The jobs of a run are cancelled with it: sluice runs cancel RUN. Nothing is done where one cannot be.")

    @OptionGroup var options: ProjectOptions
    @Argument(help: "The jobs' numbers.") var ids: [Int64]

    func run() async throws {
      try await Installation.with(options, access: .steering) { installation in
        for id in ids {
          guard let job = try await installation.store.jobs(job: JobID(id)).first else { throw Show.unknown(id) }
          if let refusal = JobsCommand.refusal(toCancel: job) { throw refusal }
        }
        var lines: [(id: JobID, isRunning: Bool)] = []
        for id in ids { lines.append((JobID(id), try await Self.cancel(JobID(id), installation.store))) }
        if options.json {
          let list = lines.map { id, isRunning in
            JSONValue.object([
              ("job", .int(id.rawValue)), ("state", .text((isRunning ? JobState.leased : .cancelled).rawValue)),
              ("stopping", .bool(isRunning)),
            ])
          }
          Console.data(json: .object([("jobs", .list(list))]))
        } else {
          for (id, isRunning) in lines {
            Console.data(isRunning ? "job \(id) runs and is stopping" : "job \(id) is cancelled")
          }
        }
      }
    }

    /// Returns whether the job still runs, and is asked to stop.
    private static func cancel(_ id: JobID, _ store: JobStore) async throws -> Bool {
      let met = try await store.cancel(job: id)
      if met.ended.contains(id) { return false }
      if met.stopping.contains(id) { return true }
      // It was asked before, or has ended since it was looked at.
      guard let job = try await store.jobs(job: id).first else { throw Show.unknown(id.rawValue) }
      if job.state == .leased { return true }
      if job.state == .cancelled { return false }
      throw JobsCommand.refusal(toCancel: job) ?? Show.unknown(id.rawValue)
    }
  }

  /// Why a job cannot be cancelled; nil where it can.
  static func refusal(toCancel job: JobRecord) -> StageFailure? {
    if let run = job.runID {
      return StageFailure(
        code: "job_of_run", message: "job \(job.id) belongs to run \(run) and is cancelled with it",
        hint: "cancel the run: sluice runs cancel \(run)")
    }
    guard job.state.isTerminal else { return nil }
    return StageFailure(
      code: "job_ended", message: "job \(job.id) has ended already: it is \(job.state.rawValue)",
      hint: "look at it: sluice jobs show \(job.id)")
  }

  struct Retry: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Take a dead or cancelled job up again, from its checkpoint.")

    @OptionGroup var options: ProjectOptions
    @Argument(help: "The job's number.") var id: Int64

    func run() async throws {
      try await Installation.with(options, access: .steering) { installation in
        guard let job = try await installation.store.jobs(job: JobID(id)).first else { throw Show.unknown(id) }
        guard job.state == .dead || job.state == .cancelled else {
          throw StageFailure(
            code: "not_dead", message: "job \(id) is \(job.state.rawValue), neither dead nor cancelled",
            hint: "look at it: sluice jobs show \(id)")
        }
        guard try await installation.store.retry(job: job.id) else {
          throw StageFailure(
            code: "key_taken", message: "job \(id) stays as it is: another job has its unique key by now",
            hint: "wait until that one has ended, or cancel it: sluice jobs")
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
        job.state == .leased ? progress.waiting.map { "now for: \($0)" } ?? progress.waitedText : progress.waitedText,
      ]
    }
    return TextTable(
      ["job", "run", "stage", "step", "state", "attempt", "checkpoint", "units", "rows", "bytes", "waited"], rows
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
