import DuckDB
import JobModel
import PipelineDefinition
import Postgres

/// Loads into PostgreSQL: staged by binary COPY, applied and written into the ledger in one transaction.
///
/// The order of everything that is committed: chunks with their rows in `staged`, each on its own; then the table's
/// rows with the ledger row; then the drop of the staging table. Whatever dies in between, the next attempt finds what
/// is there and goes on.
package struct PostgresTarget: Target {
  package let name: String
  let url: String
  let duckDB: DuckDB
  /// DuckDB's working directory; it must exist.
  let directory: String
  let limits: DuckDBLimits
  /// COPY streams at once; each is a connection and a DuckDB child.
  let streams: Int
  /// Snapshots of up to so many rows go straight into their table where they can; zero: none.
  let straightRows: Int64
  /// How long a statement waits for another session's lock before the attempt gives up; the job tries again.
  let lockTimeout: Duration
  /// How long a transaction may stand without a statement before the server ends it: less than a lease.
  let idleTimeout: Duration

  /// More streams than this only move the queue into the target.
  static let maximumStreams = 16

  /// Of each stream's DuckDB child.
  static let childLimits = DuckDBLimits(memoryBytes: 256_000_000, threads: 1)

  /// - Parameters:
  ///   - url: Where the target is, with its password; never shown.
  ///   - limits: Of each stream's DuckDB child, which only reads and encodes.
  ///   - streams: Three keep two processors of the server busy, because one of them is starting its next child now and then.
  package init(
    name: String, url: String, duckDB: DuckDB, directory: String,
    limits: DuckDBLimits = childLimits, streams: Int = 3,
    straightRows: Int64 = StraightCopy.maximumRows,
    lockTimeout: Duration = .seconds(30), idleTimeout: Duration = .seconds(10)
  ) {
    precondition((1...Self.maximumStreams).contains(streams), "a load has 1 to 16 streams")
    self.name = name
    self.url = url
    self.duckDB = duckDB
    self.directory = directory
    self.limits = limits
    self.streams = streams
    self.straightRows = straightRows
    self.lockTimeout = lockTimeout
    self.idleTimeout = idleTimeout
  }

  package func load(
    _ load: TableLoad, by loader: Loader, hooks: LoadHooks
  ) async throws -> [LoadedSnapshot] {
    let table = TableName(load.table.schema, load.table.table)
    do {
      let ledger = TargetLedger(loader: loader, table: table.description, target: name)
      var plan = try await hooks.waiting(for: .target) {
        try await withConnection(loader) { session in
          try await TargetGuard(loader: loader, target: self.name).confirm(in: session)
          try await TargetLedger.ensure(in: session)
          try await ledger.takeOver(in: session)
          return try await self.plan(load, ledger: ledger, hooks: hooks, in: session)
        }
      }
      for snapshot in plan.order.pending {
        let one = SnapshotLoad(target: self, load: load, snapshot: snapshot, ledger: ledger, hooks: hooks)
        do {
          plan.entries[snapshot.uuid] = try await withConnection(loader) { session in try await one.run(in: session) }
        } catch {
          throw TargetFailure.translate(error, snapshot: snapshot.uuid, of: ledger)
        }
        guard !plan.order.superseded.isEmpty else { continue }
        // Not before: a snapshot that the table refuses makes none superfluous.
        try await withConnection(loader) { session in try await supersede(&plan, by: ledger, in: session) }
      }
      return plan.uuids.compactMap { plan.entries[$0] }
    } catch {
      throw TargetFailure.translate(error, target: name, table: table.description)
    }
  }

  package func preview(_ load: TableLoad, by loader: Loader) async throws {
    guard let snapshot = try await load.list(nil).snapshots.last else { return }
    let table = TableName(load.table.schema, load.table.table).description
    let one = SnapshotLoad(
      target: self, load: load, snapshot: snapshot, ledger: TargetLedger(loader: loader, table: table, target: name),
      hooks: LoadHooks())
    do {
      try await withConnection(loader) { session in
        try await TargetGuard(loader: loader, target: name).confirm(in: session)
        try await one.preview(in: session)
      }
    } catch {
      throw TargetFailure.translate(error, target: name, table: table)
    }
  }

  /// What one load has to do with a table.
  private struct Plan: Sendable {
    /// In snapshot order: what the load answers for.
    var uuids: [String]
    var entries: [String: LoadedSnapshot]
    var order: LoadOrder
  }

  /// What the ledger has, and what is to be loaded; staging that nothing needs any more is dropped.
  ///
  /// - Throws: ``StageFailure`` `target_changed` where the table is not as the ledger says.
  private func plan(
    _ load: TableLoad, ledger: TargetLedger, hooks: LoadHooks, in session: PostgresConnection
  ) async throws -> Plan {
    let name = TableName(load.table.schema, load.table.table)
    if let earlier = try await ledger.adoptRenamed(name, in: session) {
      try await hooks.event(
        "table_renamed", "target \(self.name): table \(earlier) is \(name) now; its ledger goes with it")
    }
    try await TableCheck(ledger: ledger, name: name, definition: load.table, isReplaced: false)
      .refuseOthersRows(before: load, in: session)
    let (mark, leftOut) = try await preparedMark(load, name, ledger, hooks, in: session)
    let (listing, known) = try await list(load, after: mark?.through, ledger, in: session)
    let others = leftOut.map(\.uuid).filter { !listing.uuids.contains($0) }
    var plan = Plan(uuids: others + listing.uuids, entries: known, order: LoadOrder([], known: [], mode: .append))
    for entry in leftOut { plan.entries[entry.uuid] = entry }
    func order() -> LoadOrder {
      LoadOrder(
        listing.snapshots, known: Set(plan.entries.keys),
        superseded: Set(plan.entries.values.filter { $0.status == .superseded }.map(\.uuid)), mode: load.table.mode)
    }
    plan.order = order()
    let check = TableCheck(
      ledger: ledger, name: name, definition: load.table,
      isReplaced: load.table.mode == .replace && !plan.order.pending.isEmpty)
    if load.table.mode == .append {
      let batches = BatchCheck(
        table: check, listing: listing, pending: plan.order.pending, mark: mark,
        knowsNothing: mark == nil && !plan.entries.values.contains { $0.status == .loaded })
      if load.repair == .accept {
        for entry in try await batches.accept(in: session) { plan.entries[entry.uuid] = entry }
        plan.order = order()
      } else {
        try await batches.run(in: session)
      }
    }
    var next: TableMark
    if load.repair == .accept {
      next = try await check.accept(mark, in: session)
      if !listing.knowsHead { next.through = nil }
    } else {
      next = try await check.run(mark, in: session)
    }
    try await StagingTable.sweep(ledger, keeping: Set(plan.order.pending.map(\.uuid)), in: session)
    if !plan.order.isSupersededByPending { try await supersede(&plan, by: ledger, in: session) }
    // An unknown head stays: it says that what comes next may be in the table already.
    let movesHead = listing.knowsHead || load.repair != nil || load.table.mode != .append
    if plan.order.pending.isEmpty, movesHead, let last = listing.snapshots.last { next.through = last.uuid }
    if let changed = next == mark ? nil : next {
      try await session.transaction { transaction in
        try await ledger.lockHead(in: transaction)
        try await ledger.write(changed, in: transaction)
      }
    }
    return plan
  }

  /// Writes down, once, which snapshots a newer full one makes superfluous.
  private func supersede(_ plan: inout Plan, by ledger: TargetLedger, in session: PostgresConnection) async throws {
    let superseded = plan.order.superseded
    plan.order.superseded = []
    for entry in try await ledger.supersede(superseded, in: session) { plan.entries[entry.uuid] = entry }
  }

  /// The table's mark as it is after what an operator decided about it, and the snapshots that were left out.
  private func preparedMark(
    _ load: TableLoad, _ name: TableName, _ ledger: TargetLedger, _ hooks: LoadHooks, in session: PostgresConnection
  ) async throws -> (TableMark?, leftOut: [LoadedSnapshot]) {
    let mark = try await ledger.caughtUpMark(load.table, in: session)
    switch load.repair {
    case nil, .accept:
      return (mark, [])
    case .reload:
      // A later attempt of the same job continues what the first one began.
      let id = load.reloadID ?? ledger.loader.jobID.rawValue
      guard mark?.reload != id else { return (mark, []) }
      let all = try await load.list(nil)
      try await ledger.forget(
        name, mode: load.table.mode, snapshots: all.uuids, wanted: load.named, reload: id, andCatalog: load.forget,
        in: session)
      try await hooks.event(
        "reload",
        "target \(self.name): the ledger of \(name) is forgotten; \(all.uuids.count) snapshots are looked at again")
      return (try await ledger.mark(in: session), [])
    case .leaveOut:
      let all = try await load.list(nil).snapshots
      let staysOut = try await load.list(mark?.through).knowsHead
      var entries: [LoadedSnapshot] = []
      for uuid in load.named where !entries.contains(where: { $0.uuid == uuid }) {
        let left = try await ledger.leaveOut(
          uuid, listed: all.first { $0.uuid == uuid }, staysOut: staysOut, of: name, mode: load.table.mode, in: session)
        entries.append(left.entry)
        let staying =
          left.staying == 0
          ? "" : "; up to \(left.staying) of its rows stay in the table, where they cannot be told from others"
        try await hooks.event(
          "left_out",
          "target \(self.name): snapshot \(uuid) is left out of \(name); \(left.entry.deleted) rows were deleted\(staying)"
        )
      }
      return (try await ledger.mark(in: session), entries)
    }
  }

  /// The snapshots after the head, and what the ledger has of them and of those that the catalog asks about.
  private func list(
    _ load: TableLoad, after head: String?, _ ledger: TargetLedger, in session: PostgresConnection
  ) async throws -> (TableLoad.Listing, [String: LoadedSnapshot]) {
    let listing = try await load.list(head)
    guard !listing.uuids.isEmpty else { return (listing, [:]) }
    let entries = try await ledger.entries(of: listing.uuids, in: session)
    // The ledger lost rows: its head means nothing.
    if head != nil, listing.unrecorded.contains(where: { entries[$0] == nil }) {
      return try await list(load, after: nil, ledger, in: session)
    }
    return (listing, entries)
  }

  /// Opens a session for the length of `body`.
  ///
  /// Its name tells the successor of a hung worker which sessions to end. Its idle timeout is shorter than the
  /// default lease of 15 s, so that a worker that lost its lease inside a transaction does not keep its locks.
  func withConnection<T: Sendable>(
    _ loader: Loader?, _ body: (PostgresConnection) async throws -> T
  ) async throws -> T {
    let applicationName = loader.map { "sluice/\($0.jobID)/\($0.ticket)" } ?? "sluice"
    let settings: PostgresSettings
    do {
      settings = try PostgresSettings(
        url, applicationName: applicationName, connectTimeout: .seconds(10),
        options: [
          "idle_in_transaction_session_timeout": "\(idleTimeout.components.seconds)s",
          "lock_timeout": "\(lockTimeout.components.seconds)s", "statement_timeout": "0",
          "default_transaction_isolation": "read committed",
        ])
    } catch {
      // The text is the user's, and may hold the password: the parser's message must not carry it along.
      throw StageFailure(
        code: "target_url", message: "target \(name): its url is not a PostgreSQL URL or conninfo",
        hint: "write it like postgresql://loader@host:5432/database")
    }
    let session = try await PostgresConnection.connect(settings)
    do {
      // Said again here: a url may carry a name of its own.
      try await session.query(Self.setName, [.text(applicationName)])
      let result = try await body(session)
      await session.close()
      return result
    } catch {
      await session.close()
      throw error
    }
  }

  private static let setName = SQLStatement(
    name: "target_set_name", text: "select set_config('application_name', $1, false)")
}
