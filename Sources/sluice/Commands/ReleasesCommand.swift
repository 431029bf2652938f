import ArgumentParser
import JobModel
import JobStore
import Releases

struct ReleasesCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "releases", abstract: "Look at releases: what each still has to do, and who did what with it.",
    subcommands: [List.self, Show.self, Retire.self, Repair.self], defaultSubcommand: List.self)

  struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "List releases, newest first.")

    @OptionGroup var options: ProjectOptions
    @Option(help: "At most so many.") var limit = 50

    func validate() throws { try Bounds.check("--limit", limit, Bounds.listing) }

    func run() async throws {
      try await Installation.with(options, access: .reading) { installation in
        let releases = try await installation.store.releases(
          in: ReleaseState.allCases.filter { $0 != .implicit }, limit: limit)
        let work = try await installation.store.work(of: releases.map(\.id))
        if options.json {
          Console.data(json: .object([("releases", .list(releases.map { .object($0.fields + fields(work[$0.id])) }))]))
          return
        }
        Console.data(
          TextTable(
            ["release", "id", "state", "engine", "jobs", "running", "workers", "since", "reason"],
            releases.map { release in
              let work = work[release.id]
              return [
                release.name, "\(release.id)", release.state.rawValue, release.engine, "\(work?.jobs ?? 0)",
                "\(work?.running ?? 0)", "\(work?.workers ?? 0)", release.changedAt, release.reason ?? "",
              ]
            }
          ).text)
      }
    }
  }

  struct Show: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Show one release: what is left to do and until when, its engine, its audit trail.")

    @OptionGroup var options: ProjectOptions
    @Argument(help: "A label, a hash or a number.") var release: String

    func run() async throws {
      try await Installation.with(options, access: .reading) { installation in
        let record = try await installation.release(named: release)
        let work = try await installation.store.work(of: [record.id])[record.id]
        let estimate = try await installation.drainEstimate(of: record.id)
        let trail = try await installation.store.auditTrail(of: record.id)
        if options.json {
          Console.data(
            json: .object(
              record.fields + fields(work) + [
                ("eta_seconds", (work?.jobs ?? 0) > 0 ? .optional(estimate) : .null),
                ("audit", .list(trail.map(\.json))),
              ]))
          return
        }
        Console.data(
          "release \(record.name) (\(record.contentHash.prefix(12)), id \(record.id)): \(record.state.rawValue)")
        if let reason = record.reason { Console.data("  \(reason)") }
        if let removedAt = record.removedAt { Console.data("  what was stored of it was removed at \(removedAt)") }
        Console.data(
          "  engine \(record.engine) (\(record.engineHash?.prefix(12) ?? "")), reads "
            + record.formats.reads.map(\.description).sorted().joined(separator: ", "))
        Console.data("  " + DrainWatch.text(work))
        if let work, work.jobs > 0 {
          Console.data(
            "  oldest \(DrainWatch.text(seconds: work.oldestSeconds ?? 0)) ago, likely done "
              + (estimate.map { "in \(DrainWatch.text(seconds: $0))" } ?? "at an unknown time"))
        }
        Console.data(
          TextTable(["at", "who", "what", "why"], trail.map { [$0.at, $0.actor, $0.action, $0.reason ?? ""] }).text)
      }
    }
  }
}

private func fields(_ work: JobStore.ReleaseWork?) -> [(String, JSONValue)] {
  [
    ("jobs", .int(Int64(work?.jobs ?? 0))), ("running", .int(Int64(work?.running ?? 0))),
    ("blocked", .int(Int64(work?.blocked ?? 0))), ("runs", .int(Int64(work?.runs ?? 0))),
    ("workers", .int(Int64(work?.workers ?? 0))), ("oldest_seconds", .optional(work?.oldestSeconds)),
  ]
}

extension JobStore.AuditLine {
  var json: JSONValue {
    .object([
      ("at", .text(at)), ("actor", .text(actor)), ("action", .text(action)), ("release", .optional(release)),
      ("reason", .optional(reason)), ("before", .optional(raw: before)), ("after", .optional(raw: after)),
    ])
  }
}
