import JobModel
import PipelineDefinition

/// A database that snapshots are loaded into, each exactly once.
///
/// The target's own ledger decides what is in; the control database is only told afterwards. An implementation makes
/// the rows and their ledger row visible in one transaction of the target, fenced by the loader's ticket.
package protocol Target: Sendable {
  /// The name in the definition, such as `warehouse`.
  var name: String { get }

  /// Brings one table up to date: every snapshot that the ledger lacks, in snapshot order.
  ///
  /// - Returns: What the ledger says of each snapshot that the catalog listed, in snapshot order.
  /// - Throws: A ``Failure``, or what a hook throws. What is staged and what is committed stays for the next attempt.
  func load(_ load: TableLoad, by loader: Loader, hooks: LoadHooks) async throws -> [LoadedSnapshot]

  /// Checks that the table takes the last snapshot of `load`, as far as that can be told without its rows. Changes nothing.
  ///
  /// - Throws: The ``Failure`` that loading it would throw.
  func preview(_ load: TableLoad, by loader: Loader) async throws

  /// Tests the connection and the grants that loading these tables needs. Changes nothing.
  func diagnose(_ tables: [LoadTable]) async -> TargetDiagnosis
}

/// Who loads: the key of the ledger's rows, and the number that fences.
package struct Loader: Sendable, Equatable {
  /// The control database's own name, so that two installations never share a ledger row.
  package var installation: String
  package var environment: String
  package var pipeline: String
  package var jobID: JobID
  /// Higher at every claim of any job; the target refuses a lower one than it has seen.
  package var ticket: Int64
  /// Whether `sluice env up` made the environment: it loads into its own database only.
  package var isCopy: Bool

  package init(
    installation: String, environment: String, pipeline: String, jobID: JobID, ticket: Int64, isCopy: Bool = false
  ) {
    self.installation = installation
    self.environment = environment
    self.pipeline = pipeline
    self.jobID = jobID
    self.ticket = ticket
    self.isCopy = isCopy
  }
}

/// What the ledger says of one snapshot.
package struct LoadedSnapshot: Sendable, Equatable {
  package enum Status: String, Sendable { case loaded, superseded }

  package var uuid: String
  package var status: Status
  package var rows: Int64
  package var inserted: Int64
  package var updated: Int64
  package var deleted: Int64
  /// Whether this call wrote the ledger row.
  package var isNew: Bool

  package init(
    uuid: String, status: Status, rows: Int64 = 0, inserted: Int64 = 0, updated: Int64 = 0, deleted: Int64 = 0,
    isNew: Bool = false
  ) {
    self.uuid = uuid
    self.status = status
    self.rows = rows
    self.inserted = inserted
    self.updated = updated
    self.deleted = deleted
    self.isNew = isNew
  }
}

/// What ``Target/diagnose(_:)`` found.
package struct TargetDiagnosis: Sendable, Equatable {
  package struct Check: Sendable, Equatable {
    package var name: String
    package var ok: Bool
    package var detail: String
    /// The SQL statement or action that fixes it; nil where nothing is wrong.
    package var fix: String?
  }

  package var checks: [Check]
  /// The least grants that loading needs, as SQL for the database's owner.
  package var grants: String
  package var ok: Bool { checks.allSatisfy(\.ok) }
}
