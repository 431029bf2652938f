import ArgumentParser
import Catalog
import ControlPlane
import JobModel
import JobStore
import Postgres

struct RunsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "runs", abstract: "Look at runs; cancel them; take failed ones up again, or give their raw up.",
    subcommands: [List.self, Show.self, Cancel.self, Retry.self, Skip.self], defaultSubcommand: List.self)

  struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "List runs, newest first.")

    @OptionGroup var options: ProjectOptions
    @Option(help: "Only runs of this pipeline.") var pipeline: String?
    @Option(help: "At most so many.") var limit = 50

    func validate() throws { try Bounds.check("--limit", limit, Bounds.listing) }

    func run() async throws {
      try await Installation.with(options, access: .reading) { installation in
        let runs = try await installation.store.runs(pipeline: pipeline, limit: limit)
        if options.json {
          Console.data(json: .object([("runs", .list(runs.map(\.json)))]))
        } else {
          let rows = runs.map {
            [
              "\($0.id)", $0.pipeline, $0.kind.rawValue, $0.target ?? "", $0.state.rawValue, $0.createdAt,
              $0.seconds.map { "\(($0 * 10).rounded() / 10)" } ?? "",
            ]
          }
          Console.data(TextTable(["run", "pipeline", "kind", "target", "state", "created", "seconds"], rows).text)
        }
      }
    }
  }

  struct Show: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Show one run: each stage's rows, bytes, times, attempts and checkpoints.")

    @OptionGroup var options: ProjectOptions
    @Argument(help: "The run's number.") var id: Int64

    func run() async throws {
      try await Installation.with(options, access: .reading) { installation in
        var report = try await RunReport.gather(RunID(id), installation)
        report.expected = try await RunOutlook.gather([id], store: installation.store).expected(of: id)
        let jobs = Array(try await installation.store.jobs(run: report.batch.id, limit: 10_000).reversed())
        let attempts = try await installation.store.attempts(of: jobs.map(\.id))
        let events = try await installation.store.events(ofRun: report.batch.id)
        let told = try await installation.store.outbox(ofRun: report.batch.id)
        if options.json {
          let fields =
            report.fields + [
              ("jobs", .list(jobs.map { job in .object(job.fields(attempts.filter { $0.jobID == job.id })) })),
              ("events", .list(events.map(JSONValue.event))), ("notifications", .list(told.map(\.json))),
            ]
          Console.data(json: .object(fields))
        } else {
          Console.data(report.text)
          Console.data(JobsCommand.table(jobs))
          for attempt in attempts where attempt.status != "done" { Console.data("  " + attempt.text) }
          for event in events { Console.data("  \(event.at) \(event.kind): \(event.message)") }
        }
      }
    }
  }

  struct Cancel: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Cancel what is not done of a run and its loads; what runs is stopped within a second.",
      discussion: "What is done stays done. The run can be taken up again from its checkpoints: sluice runs retry RUN.")

    @OptionGroup var options: ProjectOptions
    @Argument(help: "The run's number.") var id: Int64

    func run() async throws {
      try await Installation.with(options, access: .steering) { installation in
        let report = try await RunReport.gather(RunID(id), installation)
        // What waits for a failed job has not ended either.
        let jobs = try await installation.store.jobs(run: report.batch.id, limit: 10_000)
        guard report.runs.contains(where: { !$0.state.isTerminal }) || jobs.contains(where: { !$0.state.isTerminal })
        else {
          throw StageFailure(
            code: "run_ended", message: "run \(id) has ended already: it is \(report.state.rawValue)",
            hint: "look at it: sluice runs show \(id)")
        }
        let met = try await installation.store.cancel(run: report.batch.id)
        if options.json {
          Console.data(
            json: .object([
              ("run", .int(id)), ("state", .text(RunState.cancelled.rawValue)),
              ("jobs_cancelled", .list(met.ended.sorted().map { .int($0.rawValue) })),
              ("jobs_stopping", .list(met.stopping.sorted().map { .int($0.rawValue) })),
            ]))
        } else {
          Console.data(
            "run \(id) is cancelled: \(met.ended.count) job(s) at once, \(met.stopping.count) running job(s) are stopping"
          )
        }
      }
    }
  }

  struct Retry: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Take the dead and cancelled jobs of a run up again, from their checkpoints.")

    @OptionGroup var options: ProjectOptions
    @Argument(help: "The run's number.") var id: Int64

    func run() async throws {
      try await Installation.with(options, access: .steering) { installation in
        let report = try await RunReport.gather(RunID(id), installation)
        let count = try await installation.store.retry(run: report.batch.id)
        guard count > 0 else {
          throw StageFailure(
            code: "nothing_to_retry", message: "run \(id) has no dead or cancelled job",
            hint: "look at it: sluice runs show \(id)")
        }
        options.json
          ? Console.data(json: .object([("run", .int(id)), ("jobs", .int(Int64(count)))]))
          : Console.data("\(count) job(s) of run \(id) are taken up again; workers do them, or: sluice worker")
      }
    }
  }

  struct Skip: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Give up the raw that a failed run brought: no dataset will take it.",
      discussion: """
        What a dataset has taken already stays in it, and is named. It is left out of a target's table by: \
        sluice reload PIPELINE --table TABLE --without SNAPSHOT
        """)

    @OptionGroup var options: ProjectOptions
    @Argument(help: "The run's number.") var id: Int64
    @Option(help: "Why; kept in the audit trail.") var reason: String

    func run() async throws {
      try await Installation.with(options, access: .steering) { installation in
        let report = try await RunReport.gather(RunID(id), installation)
        guard report.batch.state == .failed, report.batch.kind != .load else {
          let load = report.runs.first { $0.kind == .load && $0.state == .failed }
          throw StageFailure(
            code: "not_failed",
            message: load.map { "run \(id) brought its raw into its datasets; what failed is the load \($0.id)" }
              ?? "run \(id) is \(report.batch.state.rawValue); only a failed run's raw is given up",
            hint: load == nil
              ? "look at it: sluice runs show \(id)"
              : "the error names the snapshot that the table refuses: sluice runs show \(id); leave it out: "
                + "sluice reload \(report.batch.pipeline) --table TABLE --without SNAPSHOT")
        }
        let streams = try await installation.database.transaction { transaction in
          let streams = try await installation.catalog.skip(run: report.batch.id, in: transaction)
          try await installation.store.note(
            event: "skipped", pipeline: report.batch.pipeline, run: report.batch.id, job: nil,
            message: "the raw of \(streams.count) stream(s) was given up: \(reason)", in: transaction)
          return streams
        }
        let taken = try await installation.catalog.snapshots(pipeline: nil, dataset: nil, run: report.batch.id)
        if options.json {
          Console.data(
            json: .object([
              ("run", .int(id)), ("streams", .list(streams.map(JSONValue.text))),
              ("snapshots", .list(taken.map { .text($0.id) })),
            ]))
        } else {
          Console.data("given up: " + (streams.isEmpty ? "nothing was left" : streams.joined(separator: ", ")))
          for snapshot in taken {
            Console.data(
              "dataset \(snapshot.dataset) has it already; to leave it out of a table: "
                + "sluice reload \(snapshot.pipeline) --table TABLE --without \(snapshot.number)")
          }
        }
      }
    }
  }
}

extension RunRecord {
  var json: JSONValue {
    .object([
      ("run", .int(id.rawValue)), ("pipeline", .text(pipeline)), ("kind", .text(kind.rawValue)),
      ("target", .optional(target)), ("parent", .optional(parent?.rawValue)), ("release", .text(release)),
      ("state", .text(state.rawValue)), ("created_at", .text(createdAt)), ("started_at", .optional(startedAt)),
      ("finished_at", .optional(finishedAt)), ("seconds", .optional(seconds)), ("error", .optional(raw: error)),
      ("moved_to", .optional(movedTo?.rawValue)), ("deadline", .optional(deadline)),
    ])
  }
}

extension JobStore.OutboxHistory {
  var json: JSONValue {
    .object([
      ("event", .text(kind)), ("rule", .optional(channel.map { Int64($0) })), ("attempts", .int(Int64(attempts))),
      ("delivered_at", .optional(deliveredAt)), ("given_up_at", .optional(givenUpAt)), ("error", .optional(error)),
    ])
  }
}

extension JSONValue {
  static func event(_ event: (kind: String, job: Int64?, message: String, at: String)) -> JSONValue {
    .object([
      ("kind", .text(event.kind)), ("job", .optional(event.job)), ("message", .text(event.message)),
      ("at", .text(event.at)),
    ])
  }
}
