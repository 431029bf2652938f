import Catalog
import DuckDB
import FoundationEssentials
import JobModel
import ObjectStore

/// Writes the rows of neighbouring small snapshots of a dataset into one file, which readers open instead of the snapshots' own.
///
/// Each row keeps the number of its snapshot, so that readers order versions as before. The snapshots and their files stay as they
/// are: loads read them, and so do engines that know no compactions. Readers change over with the commit of one transaction.
package struct Compactor: Sendable {
  package let catalog: Catalog
  package let objects: any ObjectStore
  package let duckDB: DuckDB
  package let limits: DuckDBLimits
  /// A directory that is this process's own; each compaction works in one below it.
  package let scratch: String
  package let newID: @Sendable () -> String

  /// More than this is not worth the slot of a worker: loads and other datasets may wait for it.
  private static let timeLimit = Duration.seconds(60)
  /// Above all objects of compactions.
  package static let root = "compacted"

  package init(
    catalog: Catalog, objects: any ObjectStore, duckDB: DuckDB, limits: DuckDBLimits, scratch: String,
    newID: @escaping @Sendable () -> String
  ) {
    self.catalog = catalog
    self.objects = objects
    self.duckDB = duckDB
    self.limits = limits
    self.scratch = scratch
    self.newID = newID
  }

  /// Parts of a dataset that become one.
  package struct Plan: Sendable, Equatable {
    package var parts: [DatasetPart]
    package var compaction: NewCompaction
  }

  /// Whether a dataset has gathered enough to be looked at as a whole, which costs more the more snapshots it has.
  package func isDue(pipeline: String, dataset: String) async throws -> Bool {
    try await catalog.isCompactionDue(
      pipeline: pipeline, dataset: dataset, snapshots: CompactionPlan.fanOut, below: CompactionPlan.largeBytes)
  }

  /// What is to be compacted of a dataset now; nil where nothing is, or another compaction of it is under way.
  package func plan(pipeline: String, dataset: String, job: JobID, epoch: Int64) async throws -> Plan? {
    for part in try await catalog.parts(pipeline: pipeline, dataset: dataset) {
      guard let id = part.compaction, try await !OpenedParts.isWhole(part, objects) else { continue }
      try await catalog.retire(lost: id)
    }
    let held = try await catalog.heldNumbers(pipeline: pipeline, dataset: dataset)
    guard !held.contains(where: \.isUnderWay) else { return nil }
    let parts = try await OpenedParts.of(catalog, objects, pipeline: pipeline, dataset: dataset)
    guard let range = CompactionPlan.next(parts, except: held.map(\.numbers)) else { return nil }
    let chosen = Array(parts[range])
    let numbers = chosen[0].firstNumber...chosen[chosen.count - 1].lastNumber
    return Plan(
      parts: chosen,
      compaction: NewCompaction(
        pipeline: pipeline, dataset: dataset, numbers: numbers, count: chosen.reduce(0) { $0 + $1.count },
        // Numbers of jobs come again when the control database is lost or restored; the random part does not.
        folder: "\(Self.root)/\(pipeline)/\(dataset)/\(job)-\(epoch)-\(newID().prefix(8))", jobID: job))
  }

  /// Makes one part of several.
  ///
  /// - Parameter id: Of the compaction, which is open.
  /// - Returns: Whether readers open it now: not where a full snapshot or another compaction was faster.
  /// - Throws: ``StageFailure`` `compaction_differs` where the rows that were written are not those of the snapshots; ``DuckDBError``.
  ///   Nothing changes for readers then.
  package func carryOut(_ plan: Plan, id: Int64) async throws -> Bool {
    let directory = "\(scratch)/\(plan.compaction.jobID)-\(id)"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    var files: [DataFile] = []
    let rows = try await catalog.rows(of: plan.compaction)
    if plan.parts.contains(where: { !$0.snapshot.files.isEmpty }) {
      let path = "\(directory)/part-0.parquet"
      try await write(plan, to: path, in: directory, rows: rows)
      let key = try ObjectKey("\(plan.compaction.folder)/part-0.parquet")
      let stored = try await objects.adopt(file: path, as: key)
      files.append(
        DataFile(
          chunk: 0, key: key.text, partition: "", rows: rows.values.reduce(0, +), bytes: stored.bytes,
          sha256: stored.sha256))
    } else if !rows.isEmpty {
      throw differs(plan, "no file of them was found")
    }
    if try await catalog.commit(plan.compaction, id: id, files: files) { return true }
    try await catalog.abandon(compaction: id, error: nil, in: catalog.database)
    return false
  }

  /// Removes what no reader opens any more.
  package func removeOutlived(pipeline: String, dataset: String, now: String? = nil) async throws {
    try await catalog.retireCompactions(pipeline: pipeline, dataset: dataset)
    for old in try await catalog.outlivedCompactions(pipeline: pipeline, dataset: dataset, now: now) {
      for object in try await objects.list(prefix: old.folder + "/") { try await objects.delete(object.key) }
      try await catalog.forget(compaction: old.id)
    }
  }

  private func write(_ plan: Plan, to path: String, in directory: String, rows: [Int64: Int64]) async throws {
    let newest = plan.parts[plan.parts.count - 1].snapshot
    let texts = TextColumns(newest.columns.map { ($0.name, $0.type) })
    let filled = plan.parts.filter { !$0.snapshot.files.isEmpty }
    let parts = try filled.map { part in
      (
        paths: try part.snapshot.files.map { try self.path(of: $0.key) },
        number: part.isCompacted ? nil : part.lastNumber
      )
    }
    let before = SnapshotFiles.select(parts, texts, number: SnapshotFiles.compactedNumber)
    let after = SnapshotFiles.select([(paths: [path], number: nil)], texts, number: SnapshotFiles.compactedNumber)
    let columns = newest.columns.map { texts.written($0.name) } + [SnapshotFiles.compactedNumber]
    var limits = limits
    limits.time = min(limits.time, Self.timeLimit)
    let place = DuckDBPlace(
      directory: directory,
      directories: try ["curated", Self.root].compactMap { objects.localPath(try ObjectKey($0)) }
        .filter { FileManager.default.fileExists(atPath: $0) })
    let sums = Self.sums(of: newest.columns.map(\.name))
    try await duckDB.withSession(in: place, limits: limits) { session in
      try await session.run(
        """
        copy (select \(columns.joined(separator: ", ")) from (\(before)))
        to \(quoteLiteral(path)) (format parquet, compression zstd\(texts.metadata))
        """)
      guard try await session.columns(of: before) == session.columns(of: after) else {
        throw differs(plan, "the columns have other types")
      }
      let expected = try await session.rows(sums(before))
      guard try await session.rows(sums(after)) == expected else { throw differs(plan, "the rows are not the same") }
      let counted = Dictionary(
        expected.map { (Int64($0["number"]?.int ?? -1), Int64($0["rows"]?.int ?? -1)) }, uniquingKeysWith: +)
      guard counted == rows else { throw differs(plan, "a snapshot has not as many rows as the catalog says") }
    }
  }

  /// Of each snapshot how many rows it has, and a sum over the hashes of their values.
  private static func sums(of columns: [String]) -> @Sendable (String) -> String {
    let values = columns.map(quoteIdentifier).joined(separator: ", ")
    return { select in
      """
      select \(SnapshotFiles.compactedNumber) as number, count(*) as rows, sum(hash(\(values))::HUGEINT)::VARCHAR as hashes
      from (\(select)) group by all order by all
      """
    }
  }

  private func path(of key: String) throws -> String {
    guard let path = objects.localPath(try ObjectKey(key)) else {
      throw StageFailure(
        code: "object_unreadable", message: "the SQL engine cannot open \(key) in this storage",
        hint: "use a storage location of the kind file:")
    }
    return path
  }

  private func differs(_ plan: Plan, _ what: String) -> StageFailure {
    StageFailure(
      code: "compaction_differs", message: "what was written is not what the snapshots have: \(what)",
      hint: "a data file may be damaged; \"sluice catalog \(plan.compaction.dataset) --json\" has their hashes")
  }
}
