import JobModel
import Postgres

extension JobStore {
  /// A registered release.
  package struct ReleaseRecord: Sendable, Equatable {
    package var id: Int64
    package var contentHash: String
    package var state: ReleaseState
    package var label: String?
    /// The version that its engine says of itself.
    package var engine: String
    package var definitionHash: String?
    package var engineHash: String?
    package var engineBytes: Int64?
    package var formats: EngineFormats
    package var schemaNumber: Int?
    /// Of a canary: new runs in 10,000.
    package var ramp: Int
    /// Of a canary: for how many seconds it is looked at.
    package var evidenceSeconds: Double?
    package var looks: Int
    package var failedStarts: Int
    /// Why it is in its state.
    package var reason: String?
    package var createdAt: String
    package var changedAt: String
    package var promotedAt: String?
    /// Since when it is a canary, or was one last.
    package var canarySince: String?
    /// When its files and its engine were removed; nil: they are there.
    package var removedAt: String?
    package var secondsInState: Double

    /// What a person calls it: its label, else the beginning of its hash.
    package var name: String { label ?? String(contentHash.prefix(12)) }
  }

  /// What is to be staged.
  package struct NewRelease: Sendable {
    package var contentHash: String
    package var definitionHash: String
    package var label: String?
    package var engine: String
    package var engineHash: String
    package var engineBytes: Int64
    package var schemaNumber: Int
    package var formats: EngineFormats
    package var files: [(path: String, bytes: [UInt8])]

    package init(
      contentHash: String, definitionHash: String, label: String?, engine: String, engineHash: String,
      engineBytes: Int64, schemaNumber: Int, formats: EngineFormats, files: [(path: String, bytes: [UInt8])]
    ) {
      self.contentHash = contentHash
      self.definitionHash = definitionHash
      self.label = label
      self.engine = engine
      self.engineHash = engineHash
      self.engineBytes = engineBytes
      self.schemaNumber = schemaNumber
      self.formats = formats
      self.files = files
    }
  }

  /// The implicit release with this content; it and its files are written when it is new.
  ///
  /// - Parameter contentHash: SHA-256 over the canonical bytes of the definition, in hexadecimal.
  /// - Source: `release_register.sql`, `release_file_insert.sql`.
  package func registerRelease(
    contentHash: String, files: [(path: String, bytes: [UInt8])], label: String?, engine: String
  ) async throws -> Int64 {
    try await database.transaction { transaction in
      let rows = try await transaction.query(
        Statement.releaseRegister, [.text(contentHash), .optional(label), .text(engine)])
      let release = try rows.only.int("release_id")
      if try rows.only.bool("lacks_files") { try await write(files, of: release, in: transaction) }
      return release
    }
  }

  /// Stores a release as STAGED, unless it stands somewhere already.
  ///
  /// - Throws: `PostgresError` 23505 where another release has the label; ``EnginesSwept``.
  /// - Source: `engine_lock.sql`, `release_stage.sql`, `release_file_insert.sql`.
  package func stage(_ new: NewRelease, in transaction: PostgresTransaction) async throws -> Int64 {
    guard try await transaction.query(Statement.engineLock, []).only.bool("taken") else { throw EnginesSwept() }
    let formats = new.formats
    let rows = try await transaction.query(
      Statement.releaseStage,
      [
        .text(new.contentHash), .optional(new.label), .text(new.engine), .text(new.definitionHash),
        .text(new.engineHash), .int(new.engineBytes), .int(Int64(new.schemaNumber)), Self.texts(formats.reads),
        Self.texts(formats.migrates), Self.texts(formats.writes),
      ])
    let release = try rows.only.int("release_id")
    if try rows.only.bool("lacks_files") { try await write(new.files, of: release, in: transaction) }
    return release
  }

  /// Replaces the files of a release by what they were when it was registered.
  ///
  /// - Source: `release_file_delete.sql`, `release_file_insert.sql`.
  package func rewriteFiles(_ files: [(path: String, bytes: [UInt8])], of release: Int64) async throws {
    try await database.transaction { transaction in
      try await transaction.query(Statement.releaseFileDelete, [.int(release)])
      try await write(files, of: release, in: transaction)
    }
  }

  private func write(
    _ files: [(path: String, bytes: [UInt8])], of release: Int64, in transaction: PostgresTransaction
  ) async throws {
    for file in files {
      try await transaction.query(
        Statement.releaseFileInsert, [.int(release), .text(file.path), .bytes(file.bytes)])
    }
  }

  private static func texts(_ formats: Set<CheckpointFormat>) -> PostgresValue {
    .texts(formats.map(\.description).sorted())
  }

  /// A release's files, so that a worker can work by the definition that a run began with.
  package func releaseFiles(_ release: Int64) async throws -> (
    contentHash: String, files: [(path: String, bytes: [UInt8])]
  ) {
    let rows = try await database.query(Statement.releaseFiles, [.int(release)])
    guard let first = rows.first else {
      throw StageFailure(
        code: "release_gone", message: "release \(release) has no files in the database",
        hint: "start the run again: sluice run PIPELINE")
    }
    return (try first.string("content_hash"), try rows.map { (try $0.string("path"), try $0.bytes("content")) })
  }

  /// The releases that a name may mean: a label, a number, or the beginning of a hash. The best match first.
  ///
  /// - Source: `release_get.sql`.
  package func releases(named name: String, in session: (any PostgresSession)? = nil) async throws -> [ReleaseRecord] {
    try await (session ?? database).query(Statement.releaseGet, [.text(name), .null, .int(1000)]).map(
      ReleaseRecord.init(row:))
  }

  /// Newest first.
  ///
  /// - Source: `release_get.sql`.
  package func releases(
    in states: [ReleaseState], limit: Int = 10_000, on session: (any PostgresSession)? = nil
  ) async throws -> [ReleaseRecord] {
    try await (session ?? database).query(
      Statement.releaseGet, [.null, .texts(states.map(\.rawValue)), .int(Int64(limit))]
    ).map(ReleaseRecord.init(row:))
  }

  package func releases(
    in state: ReleaseState, on session: (any PostgresSession)? = nil
  ) async throws -> [ReleaseRecord] {
    try await releases(in: [state], on: session)
  }

  package func release(_ id: Int64, in session: (any PostgresSession)? = nil) async throws -> ReleaseRecord? {
    try await releases(named: "\(id)", in: session).first { $0.id == id }
  }

  /// What a release has to do still.
  package struct ReleaseWork: Sendable, Equatable {
    package var release: Int64
    /// Jobs that are ready, running or put off.
    package var jobs: Int
    package var running: Int
    /// Jobs that wait for others.
    package var blocked: Int
    package var runs: Int
    package var oldestSeconds: Double?
    package var workers: Int
    package var slots: Int
  }

  /// - Source: `release_work.sql`.
  package func work(
    of releases: [Int64], in session: (any PostgresSession)? = nil
  ) async throws -> [Int64: ReleaseWork] {
    let rows = try await (session ?? database).query(Statement.releaseWork, [.ints(releases)])
    return Dictionary(
      uniqueKeysWithValues: try rows.map { row in
        let id = try row.int("release_id")
        let work = ReleaseWork(
          release: id, jobs: Int(try row.int("jobs")), running: Int(try row.int("running")),
          blocked: Int(try row.int("blocked")), runs: Int(try row.int("runs")),
          oldestSeconds: try row.optionalDouble("oldest_seconds"), workers: Int(try row.int("workers")),
          slots: Int(try row.int("slots")))
        return (id, work)
      })
  }

  /// Whether a release is needed still; asked all the time.
  package struct ReleaseNeed: Sendable, Equatable {
    /// Its engine has jobs that are ready, running or put off.
    package var isServed = false
    /// So has it, or another engine by its definition.
    package var isPinned = false
    package var hasWorkers = false

    package init(isServed: Bool = false, isPinned: Bool = false, hasWorkers: Bool = false) {
      self.isServed = isServed
      self.isPinned = isPinned
      self.hasWorkers = hasWorkers
    }
  }

  /// - Source: `release_busy.sql`.
  package func needs(
    of releases: [Int64], in session: (any PostgresSession)? = nil
  ) async throws -> [Int64: ReleaseNeed] {
    guard !releases.isEmpty else { return [:] }
    let rows = try await (session ?? database).query(Statement.releaseBusy, [.ints(releases)])
    return Dictionary(
      uniqueKeysWithValues: try rows.map { row in
        let need = ReleaseNeed(
          isServed: try row.bool("is_served"), isPinned: try row.bool("is_pinned"),
          hasWorkers: try row.bool("has_workers"))
        return (try row.int("release_id"), need)
      })
  }

  /// How many jobs of each kind a release has still, and how long one takes: nil where none was done in the last day.
  ///
  /// - Source: `release_pace.sql`.
  package func pace(of release: Int64) async throws -> [(kind: String, jobs: Int, seconds: Double?)] {
    try await database.query(Statement.releasePace, [.int(release)]).map {
      (try $0.string("kind"), Int(try $0.int("jobs")), try $0.optionalDouble("seconds"))
    }
  }

  /// Draws a run's number and says with which release it begins; nil where nothing was deployed.
  ///
  /// - Source: `release_assign.sql`.
  package func assignRun() async throws -> RunAssignment? {
    let rows = try await database.query(Statement.releaseAssign, [])
    var current: Int64?
    var canary: (release: Int64, ramp: Int)?
    for row in rows {
      guard let release = try row.optionalInt("release_id") else { continue }
      switch ReleaseState(rawValue: try row.string("state")) {
      case .current: current = release
      case .canary: canary = (release, Int(try row.int("ramp")))
      default: break
      }
    }
    guard let current, let run = try rows.first?.int("run_id") else { return nil }
    return .deployed(current: current, canary: canary, run: RunID(run))
  }

  /// Keeps the release of an assignment taking runs until the transaction ends. First of all locks of the queue.
  ///
  /// - Throws: ``ReleaseMoved``.
  /// - Source: `claim_lock.sql`, `release_lives.sql`.
  func hold(_ assignment: RunAssignment, in transaction: PostgresTransaction) async throws {
    try await transaction.query(Statement.claimLock, [])
    let row = try await transaction.query(Statement.releaseLives, [.int(assignment.lanes)]).first
    guard try row?.bool("takes_runs") == true else { throw ReleaseMoved(release: assignment.release) }
  }
}

/// A release that takes no new runs any more: another was promoted at the same moment.
package struct ReleaseMoved: Failure, Equatable {
  package var release: Int64
  package init(release: Int64) { self.release = release }
  package var code: String { "release_moved" }
  package var message: String { "release \(release) takes no new runs any more" }
  package var hint: String? { "try again: the run then begins with the current release" }
  package var isTransient: Bool { true }
}

extension JobStore.ReleaseRecord {
  init(row: PostgresRow) throws {
    guard let state = ReleaseState(rawValue: try row.string("state")) else {
      preconditionFailure("the schema allows no other states")
    }
    self.init(
      id: try row.int("release_id"), contentHash: try row.string("content_hash"), state: state,
      label: try row.optionalString("label"), engine: try row.string("engine"),
      definitionHash: try row.optionalString("definition_hash"), engineHash: try row.optionalString("engine_hash"),
      engineBytes: try row.optionalInt("engine_bytes"),
      formats: EngineFormats(
        reads: Self.formats(try row.string("reads")), migrates: Self.formats(try row.string("migrates")),
        writes: Self.formats(try row.string("writes"))),
      schemaNumber: try row.optionalInt("schema_number").map { Int($0) }, ramp: Int(try row.int("ramp")),
      evidenceSeconds: try row.optionalDouble("evidence_seconds"), looks: Int(try row.int("looks")),
      failedStarts: Int(try row.int("failed_starts")), reason: try row.optionalString("reason"),
      createdAt: try row.string("created_at"), changedAt: try row.string("changed_at"),
      promotedAt: try row.optionalString("promoted_at"),
      canarySince: try row.optionalString("canary_since"),
      removedAt: try row.optionalString("removed_at"), secondsInState: try row.double("seconds_in_state"))
  }

  private static func formats(_ text: String) -> Set<CheckpointFormat> {
    Set(text.split(separator: ",").compactMap { CheckpointFormat(String($0)) })
  }
}
