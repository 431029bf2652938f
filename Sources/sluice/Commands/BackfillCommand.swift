import ArgumentParser
import Catalog
import Ingestion
import JobModel
import JobStore
import PipelineDefinition

struct BackfillCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "backfill", abstract: "Read a range of a cursor again, at lower priority.",
    discussion: """
      A run that asks its streams for what is at or after --from and, where a request says {until}, before --to. It comes \
      after every other run, skips no scheduled time, and leaves the streams' cursors where they are. Targets merge what \
      it brings: a row whose cursor is newer stays. Streams that are read in full are read as in every run.

      sluice backfill orders --from 2024-01-01 --to 2024-02-01 --stream billing.invoices --wait
      """)

  @OptionGroup var options: ProjectOptions
  @OptionGroup var following: FollowingOptions
  @Argument(help: "The pipeline's name.") var pipeline: String
  @Option(help: "The first value of the cursor.") var from: String
  @Option(help: "The value before which it ends.") var to: String
  @Option(help: "Only this stream (default: every stream with a cursor).") var stream: String?

  func run() async throws {
    let project = try options.project()
    try await project.refuseBeforeFirstStart(pipeline)
    try await Installation.with(project, logger: Logs.quiet) { installation in
      try await installation.refusePaused(pipeline)
      try await installation.carryOut(following, options) { choice in
        let (definition, assignment) = try await installation.begin(pipeline, choice: choice)
        let run = try await enqueue(definition, assignment, installation)
        return (run.runID, assignment.release)
      }
    }
  }

  private func enqueue(
    _ definition: Pipeline, _ assignment: RunAssignment, _ installation: Installation
  ) async throws -> JobStore.EnqueuedRun {
    var ranges: [(StreamReference, CursorRange)] = []
    for (reference, stream) in try definition.backfillStreams(named: stream) {
      let id = StreamID(pipeline: definition.name, source: reference.source, stream: reference.stream)
      ranges.append(
        (reference, try range(of: stream, reference, stored: try await installation.catalog.cursor(of: id))))
    }
    let datasets = definition.datasets(reading: ranges.map(\.0))
    if let (target, table) = definition.tableWithoutMerge(of: datasets) {
      throw Refusal(
        code: "backfill_refused",
        message: "target \(target): \(table.schema).\(table.table) is loaded with mode: \(table.mode.rawValue), which "
          + "would spoil it: only a merge takes rows again",
        hint: "write mode: merge with a key, or name a stream that is not in it: --stream SOURCE.STREAM")
    }
    try await refuseBlindMerge(of: datasets, definition, installation)
    let backfill = JobStore.Backfill(from: from, to: to, streams: ranges.map(\.0.description))
    return try await installation.store.enqueue(definition.backfillPlan(ranges), as: backfill, with: assignment)
  }

  /// The range in the stream's own type, written as its source writes it.
  ///
  /// - Parameter stored: The stream's cursor.
  private func range(
    of stream: PipelineDefinition.Stream, _ reference: StreamReference, stored: String?
  ) throws -> CursorRange {
    guard let cursor = stream.cursor else { preconditionFailure("streams of a backfill have a cursor") }
    func bound(_ text: String, _ option: String) throws -> (value: CursorValue, text: String) {
      let isPlain = text.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F }
      guard isPlain, let bound = CursorProgress.bound(text, cursor, stored: stored) else {
        throw StageFailure(
          code: "usage",
          message: "\(option): the cursor \(cursor.field) of \(reference) is a \(cursor.type), and this is none",
          hint: "write a \(cursor.type), or choose a stream: --stream SOURCE.STREAM")
      }
      return bound
    }
    let (first, last) = (try bound(from, "--from"), try bound(to, "--to"))
    guard first.value < last.value else {
      throw StageFailure(code: "usage", message: "--from must be before --to: nothing is in between")
    }
    return CursorRange(from: first.text, to: last.text)
  }

  /// Where the dataset does not keep the cursor, a merge cannot tell that the row it has is newer.
  private func refuseBlindMerge(
    of datasets: [CurateStep], _ definition: Pipeline, _ installation: Installation
  ) async throws {
    let loaded = Set(definition.load.flatMap(\.tables).map(\.from))
    for step in datasets where loaded.contains(step.name) {
      let last = try await installation.catalog.snapshots(pipeline: definition.name, dataset: step.name).last
      guard let last, last.cursorField == nil else { continue }
      throw Refusal(
        code: "backfill_refused",
        message: "the dataset \(step.name) does not carry its stream's cursor, so older rows could replace newer ones",
        hint: "let its SELECT read one stream without aggregation, and return the cursor's field")
    }
  }
}
