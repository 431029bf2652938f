import Autoscaling
import Catalog
import ControlPlane
import JobModel
import JobStore

/// A run as the command line tells it: the shape that scripts rely on.
struct RunReport {
  var runs: [RunRecord]
  var totals: RunTotals
  var loads: [LoadRecord]
  /// Of a run over a range of a cursor.
  var backfill: JobStore.Backfill?
  /// When it is expected to end with its loads; nil: it has ended, or was not asked for.
  var expected: Result<StatusReport.Expected, RunForecast.Unknown>?

  var batch: RunRecord { runs[0] }

  /// - Throws: ``StageFailure`` `run_unknown`.
  static func gather(_ id: RunID, _ installation: Installation) async throws -> RunReport {
    let runs = try await installation.store.run(id)
    guard !runs.isEmpty else {
      throw StageFailure(code: "run_unknown", message: "there is no run \(id)", hint: "list them: sluice runs")
    }
    let source = runs[0].parent ?? id
    return RunReport(
      runs: runs, totals: try await installation.catalog.totals(run: source),
      loads: try await installation.catalog.loads(ofRun: source),
      backfill: try await installation.store.backfill(ofRun: source))
  }

  /// The batch's state; where that succeeded, the worst of its loads'.
  var state: RunState {
    guard batch.state == .succeeded else { return batch.state }
    let states = runs.map(\.state)
    return states.first { $0 == .failed } ?? states.first { $0 == .cancelled } ?? states.first { !$0.isTerminal }
      ?? .succeeded
  }

  /// Of the run and its loads, the most.
  private var missedSeconds: Double? { runs.compactMap(\.missedSeconds).max() }

  private var unexpected: String? {
    if case .failure(let unknown) = expected { unknown.reason } else { nil }
  }

  private var expectedJSON: JSONValue {
    guard case .success(let known) = expected else { return .null }
    return .object([
      ("early", .text(known.early)), ("mean", .text(known.mean)), ("late", .text(known.late)),
      ("late_seconds", .optional(known.lateSeconds)), ("needs", .optional(known.needs)),
    ])
  }

  /// What is told of the deadline and of the expected end, a line each.
  private var timeLines: [String] {
    var lines: [String] = []
    if let deadline = batch.deadline {
      let missed = missedSeconds.map { ", missed by \(RunForecast.duration($0))" } ?? ""
      lines.append("  due     \(deadline)\(missed)")
    }
    switch expected {
    case .success(let known): lines.append("  ends    \(known.text)")
    case .failure(let unknown): lines.append("  ends    not known: \(unknown.reason)")
    case nil: break
    }
    return lines
  }

  var error: String? { runs.compactMap(\.error).first }

  var exitStatus: ExitStatus? {
    switch state {
    case .failed, .cancelled: .failed
    case .queued, .running: .timedOut
    case .succeeded: nil
    }
  }

  var json: JSONValue { .object(fields) }

  var fields: [(String, JSONValue)] {
    [
      ("run", .int(batch.id.rawValue)), ("pipeline", .text(batch.pipeline)), ("kind", .text(batch.kind.rawValue)),
      ("release", .text(batch.release)), ("state", .text(state.rawValue)), ("stages", stages),
      ("loads", .list(runs.dropFirst().map(Self.load))), ("backfill", backfill.map(Self.range) ?? .null),
      ("created_at", .text(batch.createdAt)),
      ("started_at", .optional(batch.startedAt)), ("finished_at", .optional(batch.finishedAt)),
      ("deadline", .optional(batch.deadline)), ("missed_seconds", .optional(missedSeconds)),
      ("expected", expectedJSON), ("unexpected", .optional(unexpected)),
      ("seconds", .optional(batch.seconds)), ("error", .optional(raw: error)),
    ]
  }

  private var stages: JSONValue {
    let confirmed = loads.filter { $0.status == .loaded }
    return .object([
      (
        "ingest",
        .object([
          ("objects", .int(totals.objects)), ("bytes", .int(totals.bytes)), ("records", .int(totals.records)),
        ])
      ),
      (
        "curate",
        .object([
          ("rows_in", .int(totals.rowsIn)), ("rows_out", .int(totals.rowsOut)),
          ("filtered", .optional(totals.filtered)),
          ("deduplicated", .int(totals.deduplicated)), ("quarantined", .int(totals.quarantined)),
        ])
      ),
      (
        "load",
        .object([
          ("rows", .int(confirmed.map(\.rows).reduce(0, +))),
          ("inserted", .int(confirmed.map(\.inserted).reduce(0, +))),
          ("updated", .int(confirmed.map(\.updated).reduce(0, +))),
          ("deleted", .int(confirmed.map(\.deleted).reduce(0, +))),
        ])
      ),
    ])
  }

  private static func range(_ backfill: JobStore.Backfill) -> JSONValue {
    .object([
      ("from", .text(backfill.from)), ("to", .text(backfill.to)),
      ("streams", .list(backfill.streams.map { .text($0) })),
    ])
  }

  private static func load(_ run: RunRecord) -> JSONValue {
    .object([
      ("run", .int(run.id.rawValue)), ("target", .optional(run.target)), ("state", .text(run.state.rawValue)),
      ("seconds", .optional(run.seconds)),
    ])
  }

  /// Where every row went; where a record may give several rows or share one, only what came in and out.
  private var curated: String {
    let rest = "\(totals.deduplicated) deduplicated, \(totals.quarantined) quarantined"
    guard let filtered = totals.filtered else { return "\(totals.rowsIn) records → \(totals.rowsOut) rows, \(rest)" }
    return "\(totals.rowsIn) rows in, \(totals.rowsOut) out, \(filtered) filtered, \(rest)"
  }

  var text: String {
    let confirmed = loads.filter { $0.status == .loaded }
    var lines = [
      "run \(batch.id) of \(batch.pipeline): \(state.rawValue)",
      "  ingest  \(totals.objects) objects, \(totals.bytes) bytes, \(totals.records) records",
      "  curate  \(curated)",
    ]
    if let backfill {
      lines.insert(
        "  backfill of \(backfill.streams.joined(separator: ", ")) from \(backfill.from) to before \(backfill.to)",
        at: 1)
    }
    for load in confirmed {
      lines.append(
        "  load    \(load.target) \(load.table): \(load.rows) rows, \(load.inserted) inserted, \(load.updated) updated, "
          + "\(load.deleted) deleted")
    }
    lines += timeLines
    if let error { lines.append("  error   \(error)") }
    return lines.joined(separator: "\n")
  }
}

extension StatusReport.Expected {
  /// `about 2026-03-02 04:30:00+00, between 2026-03-02 04:20:00+00 and 2026-03-02 05:10:00+00; 12 min late; needs 3 more slots`
  /// Within a table: `2026-03-02 04:20:00 to 05:10:00+00; 12 min late`. What it would take is told of late runs by a line of its own.
  var range: String {
    let (day, zone) = (early.prefix(10), late.suffix(3))
    let end = late.hasPrefix(day) ? late.dropFirst(11) : late[...]
    let delay = lateSeconds.map { "; \(RunForecast.duration($0)) late" } ?? ""
    return "\(early.dropLast(zone.count)) to \(end)\(delay)"
  }

  var text: String {
    let delay = lateSeconds.map { "; \(RunForecast.duration($0)) late" } ?? ""
    return "about \(mean), between \(early) and \(late)\(delay)" + (needs.map { "; \($0)" } ?? "")
  }
}
