import ArgumentParser
import JobModel
import JobStore
import Releases

/// What people do with releases that are not current.
extension ReleasesCommand {
  struct Retire: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract:
        "Retire a release of which nothing is left; else say what needs it and what would free it (exit code 3).",
      discussion: """
        What is stored of a retired or rejected release, its engine and its files, is removed \
        \(ReleaseRetention.age.components.seconds / 86_400) days after its end, when nothing needs it; the \
        \(ReleaseRetention.kept) releases that were current last stay. --remove does it now.
        """)

    @OptionGroup var options: ProjectOptions
    @Argument(help: "A label, a hash or a number.") var release: String
    @Flag(help: "Remove what is stored of it now. It cannot be rolled back to afterwards.") var remove = false

    func run() async throws {
      try await Installation.with(options) { installation in
        let record = try await installation.release(named: release)
        try refuseTaken(record)
        try await installation.desk.retire()
        let holds = try await installation.store.holds(of: record.id)
        var removed: [String] = []
        if remove, holds.isEmpty {
          let author = JobStore.Author(Installation.actor, reason: "removed by hand")
          removed = try await installation.store.removeReleases(
            after: .zero, keeping: 0, only: record.id, by: author)
        }
        let after = try await installation.store.release(record.id) ?? record
        let isDone = remove ? after.removedAt != nil : [.retired, .rejected].contains(after.state)
        options.json ? tell(json: after, holds, removed) : tell(after, holds)
        guard isDone else { throw ExitStatus.refused }
      }
    }

    /// - Throws: ``ReleaseRefusal`` `not_ended`.
    private func refuseTaken(_ record: JobStore.ReleaseRecord) throws {
      let way: String
      switch record.state {
      case .current: way = "make another current first: sluice deploy, or sluice rollback"
      case .canary, .staged: way = "end it first: sluice rollback \(record.name)"
      case .implicit, .draining, .drained, .retired, .rejected: return
      }
      throw ReleaseRefusal("not_ended", "release \(record.name) is \(record.state.rawValue)", hint: way)
    }

    private func tell(json record: JobStore.ReleaseRecord, _ holds: [JobStore.ReleaseHold], _ removed: [String]) {
      Console.data(
        json: .object(
          record.fields + [
            ("removed", .bool(record.removedAt != nil)),
            ("held_by", .list(holds.map { .object([("what", .text($0.text)), ("way", .text($0.way(record.name)))]) })),
          ]))
    }

    private func tell(_ record: JobStore.ReleaseRecord, _ holds: [JobStore.ReleaseHold]) {
      let end = record.removedAt.map { "; what was stored of it was removed at \($0)" } ?? ""
      Console.data("release \(record.name) is \(record.state.rawValue)\(end)")
      guard record.removedAt == nil else { return }
      for hold in holds { Console.data("  needed by \(hold.text)\n    \(hold.way(record.name))") }
      if holds.isEmpty, [.retired, .rejected].contains(record.state) {
        Console.data(
          "  nothing needs it: what is stored of it is removed "
            + "\(ReleaseRetention.age.components.seconds / 86_400) days after \(record.changedAt), "
            + "unless it is one of the \(ReleaseRetention.kept) that were current last; --remove does it now")
      }
    }
  }

  struct Repair: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Store an engine again that the storage lost or damaged; changes nothing else.",
      discussion: "The binary must be the one that was deployed: sluice releases show RELEASE prints its hash.")

    @OptionGroup var options: ProjectOptions
    @Option(help: "The engine binary (default: this one).") var engine: String?

    func run() async throws {
      let path = try engine ?? Engine.path()
      try await Installation.with(options) { installation in
        let (_, hash) = try await EngineStore.hash(path)
        let releases = try await installation.store.releases(in: ReleaseState.allCases).filter { $0.engineHash == hash }
        guard !releases.isEmpty else {
          throw ReleaseRefusal(
            "engine_unknown", "no release has the engine \(hash.prefix(12)) (\(path))",
            hint: "name the binary that was deployed: --engine PATH; sluice releases show RELEASE prints its hash")
        }
        let stored = try await installation.engines.put(path)
        let names = releases.map(\.name)
        options.json
          ? Console.data(
            json: .object([
              ("engine_hash", .text(hash)), ("repaired", .bool(stored.wasWritten)),
              ("releases", .list(names.map { .text($0) })),
            ]))
          : Console.data(
            "the engine \(hash.prefix(12)) of \(names.joined(separator: ", ")) "
              + (stored.wasWritten ? "is stored again" : "was stored and is whole"))
      }
    }
  }
}

extension JobStore.ReleaseHold {
  var text: String {
    switch kind {
    case .job: "\(number) job(s) of \(name), \(stage ?? ""), of run \(id ?? 0)"
    case .dead:
      id.map { "run \($0) of \(name), which failed and can be taken up again" }
        ?? "\(number) dead job(s) of \(name) without a run"
    case .schedule: "the schedule of \(name)"
    case .message: "\(number) message(s) about run \(id ?? 0) of \(name) that are not delivered yet"
    case .worker: "worker \(id ?? 0) on \(name)"
    }
  }

  /// What frees the release of it.
  func way(_ release: String) -> String {
    switch kind {
    case .job:
      "it ends by itself (sluice drain \(release)); or hand it over: sluice drain \(release) --yield; "
        + "or end the run: sluice runs cancel \(id ?? 0)"
    case .dead:
      id.map { "take it up again: sluice runs retry \($0); or give it up: sluice runs cancel \($0)" }
        ?? "take each up again: sluice jobs retry JOB; sluice jobs --state dead lists them"
    case .schedule: "deploy a definition without it, or with it: sluice deploy"
    case .message: "control delivers them or gives them up: sluice up"
    case .worker: "sluice drain worker:\(id ?? 0)"
    }
  }
}
