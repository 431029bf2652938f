import JobModel
import JobStore
import Releases

/// What `deploy`, `promote` and `rollback` say.
struct DeployReport {
  enum Outcome: String {
    case promoted
    case rolledBack = "rolled_back"
    case held
    case planned
    case alreadyCurrent = "already_current"
  }

  var examination: Deployment.Examination?
  var rehearsal: Rehearsal?
  /// What was lost of the release and is stored again.
  var repaired: [String] = []
  var started: ContinuousClock.Instant
  var isJSON: Bool

  private var seconds: Double { (started.duration(to: .now).inSeconds * 1000).rounded() / 1000 }

  /// On standard error, before anything is done: a long deploy has something to show.
  func tellGate() {
    guard !isJSON, let examination, !examination.gate.isEmpty else { return }
    Console.note(Self.table(examination.gate))
  }

  /// On standard error, as soon as it is known.
  func tellRehearsal() {
    guard !isJSON, let rehearsal else { return }
    if !rehearsal.made.isEmpty { Console.note(Self.table(rehearsal)) }
    for dataset in rehearsal.leftOut { Console.note("\(dataset.dataset) is left out: \(dataset.leftOut ?? "")") }
    for dataset in rehearsal.datasets {
      if let reason = dataset.incomparable { Console.note("\(dataset.dataset) cannot be compared: \(reason)") }
    }
    for table in rehearsal.tables {
      if let error = table.error {
        Console.note(
          "\(table.table) of \(table.target): \(error.message)" + (table.wasBroken == true ? " (as before)" : ""))
      }
    }
  }

  private static func table(_ rehearsal: Rehearsal) -> String {
    TextTable(
      ["dataset", "of run", "rows in", "kept before", "kept now", "quarantined before", "quarantined now", "seconds"],
      rehearsal.made.compactMap { dataset in
        guard let before = dataset.before, let after = dataset.after else { return nil }
        let counts = [before.rowsIn, before.rowsOut, after.rowsOut, before.quarantined, after.quarantined].map {
          "\($0)"
        }
        return [dataset.dataset, "\(dataset.run ?? 0)"] + counts + ["\(dataset.seconds ?? 0)"]
      }
    ).text
  }

  func tellPlan(_ installation: Installation, evidence: Deployment.EvidencePlan) async throws {
    guard let examination else { preconditionFailure("a plan is of an examination") }
    let current = try await installation.store.releases(in: .current).first
    let obstacles = CheckpointGate(examination.engine.formats).obstacles(among: examination.gate.map(\.live))
    let work = try await installation.store.work(of: current.map { [$0.id] } ?? [])
    if isJSON {
      Console.data(
        json: .object([
          ("outcome", .text(Outcome.planned.rawValue)), ("hash", .text(examination.contentHash)),
          ("engine", .text(examination.engine.version)), ("engine_hash", .text(examination.engineHash)),
          ("definition_hash", .text(examination.definitionHash)),
          ("known_as", .optional(examination.known?.state.rawValue)), ("current", .optional(current?.name)),
          ("gate", .list(examination.gate.map(\.json))),
          ("evidence", .list(evidence.steps.map { .text($0.rawValue) })),
          ("changed", evidence.steps.isEmpty ? .null : .list(evidence.changed.map { .text($0) })),
          ("scarce", .optional(evidence.scarce)), ("refused", .bool(!obstacles.isEmpty)),
          ("seconds", .double(seconds)),
        ]))
    } else {
      Console.data(
        "release \(examination.contentHash.prefix(12)): definition \(examination.definitionHash.prefix(12)), engine "
          + "\(examination.engine.version) (\(examination.engineHash.prefix(12)), \(examination.engineBytes / 1_000_000) MB)"
      )
      if let known = examination.known {
        Console.data("the same content is known as \(known.name), \(known.state.rawValue)")
      }
      if let current, let left = work[current.id] {
        Console.data("\(current.name) would drain: \(left.jobs) job(s) and \(left.blocked) that wait for them")
      }
      Console.data(
        examination.gate.isEmpty ? "no checkpoint lives in the queue" : Self.table(examination.gate))
      if !evidence.steps.isEmpty {
        let names = evidence.changed.isEmpty ? "no pipeline" : evidence.changed.joined(separator: ", ")
        let steps = evidence.steps.map { $0 == .canary ? "be a canary" : "be rehearsed" }.joined(separator: ", then ")
        let why = evidence.scarce.map { " (a canary would see \($0))" } ?? ""
        Console.data("it would \(steps)\(why); changed is \(names)")
      }
    }
    if let first = obstacles.first {
      throw ReleaseRefusal(
        "gate",
        "it cannot read \(first.format), in which \(first.jobs) job(s) of \(first.pipeline) stand that began without a "
          + "release", hint: "let those runs end, or cancel them: sluice runs")
    }
  }

  func tell(
    _ outcome: Outcome, _ release: JobStore.ReleaseRecord, _ promotion: ReleaseDesk.Promotion? = nil,
    stayingFor seconds: Double? = nil
  ) {
    if isJSON {
      Console.data(
        json: .object([
          ("outcome", .text(outcome.rawValue)), ("release", release.json),
          ("previous", promotion?.previous?.json ?? .null),
          ("gate", .list((examination?.gate ?? []).map(\.json))), ("rehearsal", .optional(raw: rehearsal?.json)),
          ("handed_over", .list((promotion?.handedOver ?? []).map(\.json))),
          ("staying", .list((promotion?.staying ?? []).map(\.json))), ("staying_eta_seconds", .optional(seconds)),
          ("reason", .optional(release.reason)), ("repaired", .list(repaired.map { .text($0) })),
          ("seconds", .double(self.seconds)),
        ]))
      return
    }
    switch outcome {
    case .promoted: Console.data("release \(release.name) is current (\(self.seconds) s)")
    case .alreadyCurrent: Console.data("release \(release.name) is current already")
    case .rolledBack: Console.data("release \(release.name) was rolled back: \(release.reason ?? "")")
    case .held: Console.data("release \(release.name) stays in canary: \(release.reason ?? "no evidence yet")")
    case .planned: break
    }
    if !repaired.isEmpty {
      Console.data("  stored again, because it was lost: its \(repaired.joined(separator: " and "))")
    }
    for group in promotion?.handedOver ?? [] {
      Console.data("  \(group.pipeline): \(group.jobs) job(s) go on with the new engine at their next checkpoint")
    }
    for group in promotion?.staying ?? [] {
      let why =
        group.unreadable.map { "it cannot read \($0)" } ?? group.doneAloneBy.map { "process \($0) does it by itself" }
        ?? "on_deploy: finish"
      Console.data("  \(group.pipeline): \(group.jobs) job(s) end where they began (\(why))")
    }
  }

  static func table(_ rows: [CheckpointGate.Row]) -> String {
    TextTable(
      ["pipeline", "stage", "checkpoint", "jobs", "oldest", "new engine"],
      rows.map { row in
        [
          row.live.pipeline, row.live.stage, "\(row.live.format)", "\(row.live.jobs)", row.live.oldest,
          row.reading.rawValue,
        ]
      }
    ).text
  }
}

extension CheckpointGate.Row {
  var json: JSONValue {
    .object([
      ("pipeline", .text(live.pipeline)), ("stage", .text(live.stage)), ("format", .text("\(live.format)")),
      ("jobs", .int(Int64(live.jobs))), ("oldest", .text(live.oldest)), ("hands_over", .bool(live.handsOver)),
      ("reading", .text(reading.rawValue)),
    ])
  }
}

extension JobStore.HandOver {
  var json: JSONValue {
    .object([
      ("pipeline", .text(pipeline)), ("definition", .int(definition)), ("engine", .int(engine)),
      ("jobs", .int(Int64(jobs))), ("unreadable", .optional(unreadable)),
    ])
  }
}

extension JobStore.ReleaseRecord {
  var json: JSONValue { .object(fields) }

  var fields: [(String, JSONValue)] {
    [
      ("id", .int(id)), ("hash", .text(contentHash)), ("label", .optional(label)), ("state", .text(state.rawValue)),
      ("engine", .text(engine)), ("engine_hash", .optional(engineHash)), ("definition_hash", .optional(definitionHash)),
      ("reads", .list(formats.reads.map(\.description).sorted().map(JSONValue.text))),
      ("migrates", .list(formats.migrates.map(\.description).sorted().map(JSONValue.text))),
      ("writes", .list(formats.writes.map(\.description).sorted().map(JSONValue.text))),
      ("canary", ramp > 0 ? .double(Double(ramp) / 100) : .null), ("reason", .optional(reason)),
      ("created_at", .text(createdAt)), ("changed_at", .text(changedAt)), ("promoted_at", .optional(promotedAt)),
      ("removed_at", .optional(removedAt)),
    ]
  }
}
