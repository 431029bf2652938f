import Catalog
import FoundationEssentials
import Glibc
import JobModel
import JobStore
import ObjectStore
import PipelineDefinition
import Postgres

/// Publishes a snapshot that an environment made to its model, without computing it again.
///
/// The data files get a second name in the model's storage, and one transaction of the model's catalog makes them a snapshot and its raw
/// curated. The snapshot keeps its identifier, so it is published once. In that transaction no other snapshot of the dataset is committed,
/// no run of its pipeline is open, no job may begin to curate it, and both environments are looked at again.
struct EnvironmentPromotion {
  let copy: Installation
  let model: Installation
  let pipeline: String
  let dataset: String

  struct Published {
    var promotable: Promotable
    /// Of the model.
    var number: Int64
  }

  private var examination: Promotable.Examination {
    Promotable.Examination(copy: copy, model: model, pipeline: pipeline, dataset: dataset)
  }

  /// - Returns: Nil where it was published before.
  /// - Throws: ``Refusal`` `not_promotable`, `model_busy`, `files_changed`.
  func run() async throws -> Published? {
    guard let wanted = try await examination.run() else { return nil }
    try await refuseBusy(in: model.database)
    let current = try await model.store.releases(in: .current).first?.id
    let release = if let current { current } else { try await model.registerRelease().id }
    let files = try await bring(wanted.snapshot)
    EnvironmentStep.brought.pass()
    let number = try await model.database.transaction { transaction in
      try await model.catalog.lockSnapshots(pipeline: pipeline, dataset: dataset, in: transaction)
      try await model.store.withholdPermits("curate/\(pipeline)/\(dataset)", in: transaction)
      try await refuseBusy(in: transaction)
      guard try await examination.run() == wanted else {
        throw Refusal(
          code: "not_promotable", message: "dataset \(dataset): one of the environments changed at the same time",
          hint: "call it again")
      }
      let run = try await model.store.recordPromotion(pipeline: pipeline, release: release, in: transaction)
      let new = snapshot(wanted, run, files)
      let number = try await model.catalog.commit(new, in: transaction)
      if let replaced = wanted.previous { try await model.catalog.moveTaken(from: replaced, to: new, in: transaction) }
      try await note(wanted, run, in: transaction)
      return number
    }
    return Published(promotable: wanted, number: number)
  }

  private func refuseBusy(in session: some PostgresSession) async throws {
    guard let run = try await model.store.busyRun(of: pipeline, kind: "curate", label: dataset, in: session) else {
      return
    }
    throw Refusal(
      code: "model_busy", message: "run \(run) of \(pipeline) in \(model.environment) has not ended",
      hint: "wait for its end, or cancel it: sluice runs cancel \(run) --env \(model.environment)")
  }

  private func snapshot(_ wanted: Promotable, _ run: RunID, _ files: [DataFile]) -> NewSnapshot {
    let made = wanted.snapshot
    return NewSnapshot(
      id: made.id, pipeline: pipeline, dataset: dataset, runID: run, jobID: JobID(0), isFull: made.isFull,
      columns: made.columns, key: made.key, cursorField: made.cursorField, counts: made.counts, quarantineKey: nil,
      quarantineKeysReadable: made.quarantineKeysReadable, previousID: wanted.previous, files: files,
      taken: wanted.taken)
  }

  /// What a curation notes with its snapshot: the fields of streams, the records of objects, and where it came from.
  private func note(_ wanted: Promotable, _ run: RunID, in transaction: PostgresTransaction) async throws {
    for due in wanted.taken {
      guard let brought = due.runs.map(\.id).max() else { continue }
      let fields = try await copy.catalog.knownFields(of: due.stream).map(\.name)
      try await model.catalog.noteFields(fields, of: due.stream, run: brought, in: transaction)
    }
    try await model.catalog.noteRecords(wanted.records.map { ($0.object, $0.records) }, in: transaction)
    try await model.store.note(
      event: "promoted", pipeline: pipeline, run: run, job: nil,
      message:
        "dataset \(dataset): its snapshot was published from the environment \(copy.environment) by \(Installation.actor)",
      in: transaction)
  }

  /// Gives the data files a second name in the model's storage. Their keys have the snapshot's identifier, so a call that was killed is
  /// continued by the next.
  private func bring(_ snapshot: Snapshot) async throws -> [DataFile] {
    let scratch = model.stateDirectory + "/scratch/promote-\(ProcessInfo.processInfo.processIdentifier)"
    // What a call that was killed has left, of a process with the same number.
    try? FileManager.default.removeItem(atPath: scratch)
    try FileManager.default.createDirectory(atPath: scratch, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: scratch) }
    var files: [DataFile] = []
    for file in snapshot.files {
      let key = try Self.key(of: file, "curated/\(pipeline)/\(dataset)/promoted-\(snapshot.id)")
      guard let source = copy.objects.localPath(try ObjectKey(file.key)) else { throw changed(file.key) }
      let link = "\(scratch)/\(file.chunk).parquet"
      if Glibc.link(source, link) != 0 {
        guard access(source, R_OK) == 0 else { throw changed(file.key) }
        try FileManager.default.copyItem(atPath: source, toPath: link)
      }
      var brought = file
      brought.key = key.text
      files.append(brought)
      if let known = try await earlier(key) {
        guard known == file.sha256 else { throw changed(key.text) }
        continue
      }
      let object = try await model.objects.adopt(file: link, as: key)
      guard object.sha256 == file.sha256, object.bytes == file.bytes else {
        try await model.objects.delete(key)
        throw changed(file.key)
      }
    }
    return files
  }

  /// A file's number is its own within a snapshot; its name in the environment is not, where several jobs curated.
  static func key(of file: DataFile, _ folder: String) throws -> ObjectKey {
    let partition = file.partition.isEmpty ? "" : file.partition + "/"
    return try ObjectKey("\(folder)/\(partition)part-\(file.chunk).parquet")
  }

  /// The hash of a file that a call before has brought.
  private func earlier(_ key: ObjectKey) async throws -> String? {
    guard try await model.objects.info(key) != nil, let path = model.objects.localPath(key) else { return nil }
    return try await BlockingIO.run { try FileHash.hash(path).sha256 }
  }

  private func changed(_ key: String) -> Refusal {
    Refusal(
      code: "files_changed",
      message: "the data file \(key) is not what the catalog says, or is gone; nothing is published",
      hint: "put the environment back and run it again: sluice env reset \(copy.environment)")
  }
}
