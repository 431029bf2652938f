import JobModel
import Postgres

/// What is removed of releases that nothing needs any more.
extension JobStore {
  /// Removes the files of releases that ended so long ago and that nothing needs. Their rows stay. Returns their names.
  ///
  /// - Parameters:
  ///   - kept: So many that were current last stay, whatever their age.
  ///   - release: Only this one.
  /// - Source: `release_remove.sql`, `release_file_delete.sql`.
  package func removeReleases(
    after age: Duration, keeping kept: Int, only release: Int64? = nil, by author: Author
  ) async throws -> [String] {
    try await moveReleases { transaction in
      let values: [PostgresValue] = [.double(age.inSeconds), .int(Int64(kept)), .optional(release)]
      var names: [String] = []
      for row in try await transaction.query(Statement.releaseRemove, values) {
        let id = try row.int("release_id")
        try await transaction.query(Statement.releaseFileDelete, [.int(id)])
        try await audit("remove", id, by: author, in: transaction)
        names.append(try row.string("name"))
      }
      return names
    }
  }

  /// Deletes definitions that were registered before anything was deployed and that no run names. Returns how many.
  ///
  /// - Source: `release_forget.sql`.
  package func forgetImplicitReleases(after age: Duration) async throws -> Int {
    Int(try await database.query(Statement.releaseForget, [.double(age.inSeconds)]).only.int("releases"))
  }

  /// Which engines releases have.
  package struct NeededEngines: Sendable, Equatable {
    /// By hash: whether a release may be at work that has it.
    package var engines: [String: Bool] = [:]
    /// The database's time, in seconds since 1970.
    package var seconds: Int64 = 0
  }

  /// - Source: `engine_list.sql`.
  package func neededEngines(
    only hash: String? = nil, in session: (any PostgresSession)? = nil
  ) async throws -> NeededEngines {
    var needed = NeededEngines()
    for row in try await (session ?? database).query(Statement.engineList, [.optional(hash)]) {
      needed.seconds = try row.int("seconds")
      if let hash = try row.optionalString("engine_hash") { needed.engines[hash] = try row.bool("is_served") }
    }
    return needed
  }

  /// The engines whose releases of this database were all removed. No others are known to be of no use.
  ///
  /// - Source: `engine_gone.sql`.
  package func goneEngines() async throws -> Set<String> {
    Set(try await database.query(Statement.engineGone, []).map { try $0.string("engine_hash") })
  }

  /// Does something with an engine that no release has, and keeps releases from being staged for as long. Returns false, and does
  /// nothing, where one has it.
  ///
  /// - Parameter limit: The server ends the lock when `body` takes longer, and this throws when `body` has returned: a storage that
  ///   does not answer must not keep deploys waiting.
  /// - Source: `engine_lock_exclusive.sql`, `engine_list.sql`.
  package func whileUnneeded(
    engine hash: String, within limit: Duration = .seconds(10), _ body: @Sendable () async throws -> Void
  ) async throws -> Bool {
    try await database.transaction { transaction in
      try await transaction.execute(
        """
        set local lock_timeout = '2s';
        set local idle_in_transaction_session_timeout = '\(Int64(limit.inSeconds * 1000))ms'
        """)
      try await transaction.query(Statement.engineLockExclusive, [])
      guard try await neededEngines(only: hash, in: transaction).engines.isEmpty else { return false }
      try await body()
      return true
    }
  }

  /// Something that needs a release still.
  package struct ReleaseHold: Sendable, Equatable {
    package enum Kind: String, Sendable { case job, dead, schedule, message, worker }
    package var kind: Kind
    /// The pipeline; of a worker, the host.
    package var name: String
    package var stage: String?
    /// The run; of a worker, its number. Nil: jobs without a run.
    package var id: Int64?
    package var number: Int
  }

  /// - Source: `release_holds.sql`.
  package func holds(of release: Int64) async throws -> [ReleaseHold] {
    try await database.query(Statement.releaseHolds, [.int(release)]).compactMap { row in
      guard let kind = ReleaseHold.Kind(rawValue: try row.string("kind")) else { return nil }
      return ReleaseHold(
        kind: kind, name: try row.string("pipeline"), stage: try row.optionalString("stage"),
        id: try row.optionalInt("id"), number: Int(try row.int("number")))
    }
  }
}

/// Engines are being removed at this moment; a release can be staged a moment later.
package struct EnginesSwept: Failure, Equatable {
  package init() {}
  package var code: String { "engines_swept" }
  package var message: String { "engines that no release has are being removed from the storage" }
  package var hint: String? { "try again in a moment; a storage that does not answer can hold this up" }
  package var isTransient: Bool { true }
}
