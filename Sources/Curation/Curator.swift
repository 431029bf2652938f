import DuckDB
import FoundationEssentials
import JobModel
import PipelineDefinition

/// Makes one version of a dataset: raw objects in, Parquet files and counts out.
///
/// Everything runs in one DuckDB child whose tables spill into the scratch directory, so memory is bounded by the limits
/// whatever the batch; tables in memory are twice as fast as those of a database file. Nothing outside the scratch
/// directory is written, so a curation that is given up leaves nothing behind.
package struct Curator: Sendable {
  let duckdb: DuckDB
  /// Told now and then what is being done and how many raw objects have been read.
  let progress: @Sendable (CurationProgress) -> Void

  package init(duckdb: DuckDB, progress: @escaping @Sendable (CurationProgress) -> Void = { _ in }) {
    self.duckdb = duckdb
    self.progress = progress
  }

  /// The same request gives the same rows.
  ///
  /// - Throws: ``StageFailure`` for what the data or the definition did, ``DuckDBError`` for limits and SQL.
  package func curate(_ request: CurationRequest) async throws -> CurationResult {
    let spaces = request.streams.flatMap { ($0.objects + $0.history).map(\.path) + $0.segments.map(\.path) }
      .map(Self.folder(of:))
    let place = DuckDBPlace(
      directory: request.scratch,
      directories: Set(
        spaces + (request.previous.files + [request.previous.quarantine].compactMap { $0 }).map(Self.folder(of:))
      )
      .sorted(),
      returnsMemory: Self.needsTables(request), planFile: request.scratch + "/plan.txt")
    try FileManager.default.createDirectory(atPath: request.scratch + "/out", withIntermediateDirectories: true)
    let isWhole = SharedFlag()
    return try await request.scratchLimit.watching(until: isWhole) {
      try await duckdb.withSession(in: place, limits: request.limits) { session in
        let work = CurationWork(request: request, session: session, isWhole: isWhole, progress: progress)
        do { return try await work.run() } catch let error as DuckDBError where error.kind == .sql {
          throw StageFailure(
            code: error.code, message: "dataset \(request.step.name): \(error.message)",
            hint: "the raw stays due; fix the SQL or the contract and run again", at: "\(request.step.place)")
        }
      }
    }
  }

  /// Whether tables may be made that the memory has no room for.
  private static func needsTables(_ request: CurationRequest) -> Bool {
    let isKeyed = !request.step.key.isEmpty || request.streams.contains { !$0.definition.key.isEmpty }
    guard isKeyed || request.sql.map(mayGather) ?? false else { return false }
    let objects = request.streams.flatMap(\.objects)
    // The reader tells what is wrong with an object that is missing.
    return objects.reduce(0) { $0 + ((try? CurationWork.size(of: $1.path)) ?? 0) } > request.limits.memoryBytes / 2
  }

  /// Words without which a SELECT is columns and a filter, whose rows go straight into files. It is not parsed yet: a wrong guess costs
  /// time or memory, and no row.
  private static let gatheringWords: Set<Substring> = [
    "join", "group", "distinct", "over", "order", "union", "intersect", "except", "with", "unnest", "pivot", "current",
    "previous",
  ]

  private static func mayGather(_ sql: String) -> Bool {
    let words = sql.lowercased().split { !$0.isLetter && !$0.isNumber && $0 != "_" }
    return words.contains { gatheringWords.contains($0) } || words.count { $0 == "select" } > 1
  }

  static func folder(of path: String) -> String {
    // By scalars: a slash before a combining mark is a slash.
    path.unicodeScalars.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
  }
}

/// How far a curation is.
package struct CurationProgress: Sendable, Equatable {
  package var step: String
  package var objects: Int
  package var rows: Int
}
