import JobModel
import PipelineDefinition
import Testing

@testable import Loading

@Suite("A ledger, a table and a catalog of which one was restored to an older state")
struct RestoredLedgerTests {
  private let rows = "select id from mart.orders order by id"

  private static func table(_ apply: LoadTable.Apply) -> LoadTable {
    var table = TargetFixture.table(.append)
    table.apply = apply
    return table
  }

  private func snapshots(_ fixture: TargetFixture) async throws -> [SnapshotToLoad] {
    [
      try await fixture.snapshot(1, "select 1 as id"),
      try await fixture.snapshot(2, "select 2 as id", "select 3 as id"),
      try await fixture.snapshot(3, "select 4 as id"),
    ]
  }

  /// What the ledger's schema looks like after it was restored from a dump of now.
  private static let save = """
    create schema saved; create table saved.ledger as table sluice_ledger.ledger;
    create table saved.mark as table sluice_ledger.mark;
    """
  private static let restoreRows = """
    delete from sluice_ledger.ledger; insert into sluice_ledger.ledger table saved.ledger;
    delete from sluice_ledger.mark; insert into sluice_ledger.mark table saved.mark;
    """
  private static let restoreSchema = """
    create table saved.mark_like (like sluice_ledger.mark including all);
    alter table sluice_ledger.mark rename to mark_gone; alter table sluice_ledger.mark_gone set schema saved;
    alter table saved.mark_like set schema sluice_ledger; alter table sluice_ledger.mark_like rename to mark;
    """

  @Test(
    "no batch is appended twice, and both commands of the error bring the table into order",
    arguments: [TableRepair.accept, .reload], [true, false])
  func olderLedger(repair: TableRepair, newSchema: Bool) async throws {
    try await TargetFixture.with { fixture in
      let all = try await snapshots(fixture)
      let table = Self.table(.perChunk)
      try await fixture.load(table, [all[0]])
      try await fixture.execute(Self.save)
      try await fixture.load(table, Array(all.prefix(2)), ticket: 2)
      try await fixture.execute((newSchema ? Self.restoreSchema : "") + Self.restoreRows)
      // A ledger of the same relation looks as it was; only the catalog knows that the second one was loaded.
      let recorded = newSchema ? [] : Array(all.prefix(2))
      for snapshots in [Array(all.prefix(2)), all] {
        let failure = await fixture.failure(table, snapshots, recorded: recorded, ticket: 3)
        #expect(failure?.code == "target_changed")
        #expect(
          failure?.hint?.contains("sluice reload shop --target warehouse --table 'mart.orders' --env test") == true)
      }
      #expect(try await fixture.rows(rows) == ["(1)", "(2)", "(3)"])
      try await fixture.load(table, all, repair: repair, recorded: recorded, ticket: 4, job: 7)
      #expect(try await fixture.rows(rows) == ["(1)", "(2)", "(3)", "(4)"])
      #expect(try await fixture.load(table, all, recorded: all, ticket: 5).map(\.isNew) == [false, false, false])
      #expect(try await fixture.rows("select count(*) from sluice_ledger.ledger where chunk = -1") == ["(3)"])
    }
  }

  @Test(
    "without a column for the batch the catalog's word and the number of rows say so, and the errors' commands work")
  func withoutBatch() async throws {
    try await TargetFixture.with { fixture in
      try await fixture.execute("create schema mart; create table mart.orders (id integer)")
      let all = try await snapshots(fixture)
      let table = Self.table(.once)
      try await fixture.load(table, [all[0]])
      try await fixture.execute(Self.save)
      try await fixture.load(table, Array(all.prefix(2)), ticket: 2)
      try await fixture.execute(Self.restoreRows)
      let failure = await fixture.failure(table, all, recorded: Array(all.prefix(2)), ticket: 3)
      #expect(failure?.code == "target_changed")
      #expect(failure?.hint?.contains("--accept") == true)
      #expect(try await fixture.rows(rows) == ["(1)", "(2)", "(3)"])
      try await fixture.load(table, all, repair: .accept, recorded: Array(all.prefix(2)), ticket: 4)
      #expect(try await fixture.rows(rows) == ["(1)", "(2)", "(3)", "(4)"])
      // Of the whole database: as many rows as the older ledger says, which the same table has after deletions.
      try await fixture.execute("delete from mart.orders where id > 1;" + Self.restoreRows)
      #expect(await fixture.failure(table, all, recorded: all, ticket: 5)?.code == "target_changed")
      try await fixture.execute("alter table mart.orders add column _sluice_batch uuid")
      try await fixture.load(table, all, recorded: all, ticket: 5)
      #expect(try await fixture.rows(rows) == ["(1)", "(2)", "(3)", "(4)"])
      try await fixture.execute("alter table mart.orders drop column _sluice_batch")
      // Without any ledger.
      try await fixture.execute("drop schema sluice_ledger cascade")
      #expect(await fixture.failure(table, all, recorded: all, ticket: 6)?.code == "target_changed")
      try await fixture.load(table, all, repair: .accept, recorded: all, ticket: 7)
      #expect(try await fixture.load(table, all, recorded: all, ticket: 8).map(\.isNew) == [false, false, false])
      #expect(try await fixture.rows(rows) == ["(1)", "(2)", "(3)", "(4)"])
    }
  }

  @Test("a table that was restored without its ledger is accepted: what is in is not loaded again, and the rest is")
  func acceptedWithoutLedger() async throws {
    try await TargetFixture.with { fixture in
      let all = try await snapshots(fixture)
      let table = Self.table(.once)
      try await fixture.load(table, Array(all.prefix(2)))
      try await fixture.execute("drop schema sluice_ledger cascade")
      #expect(await fixture.failure(table, all, ticket: 2)?.code == "target_changed")
      try await fixture.load(table, all, repair: .accept, ticket: 3)
      #expect(try await fixture.rows(rows) == ["(1)", "(2)", "(3)", "(4)"])
      #expect(try await fixture.load(table, all, ticket: 4).map(\.isNew) == [false, false, false])

      // One that is there in part is neither taken as whole nor loaded on top: it is taken out, or everything is loaded again.
      try await fixture.execute("drop schema sluice_ledger cascade; delete from mart.orders where id = 2")
      let failure = await fixture.failure(table, all, repair: .accept, ticket: 5)
      #expect(failure?.code == "accept_refused")
      #expect(failure?.hint?.contains("--without \(all[1].uuid)") == true)
      #expect(await fixture.failure(table, all, without: [all[1]], ticket: 6)?.code == "target_changed")
      try await fixture.load(table, all, repair: .accept, ticket: 7)
      #expect(try await fixture.rows(rows) == ["(1)", "(4)"])
    }
  }

  @Test("without a column for the batch rows that were deleted since hide no batch that a restored ledger lacks")
  func withoutBatchDeleted() async throws {
    try await TargetFixture.with { fixture in
      try await fixture.execute("create schema mart; create table mart.orders (id integer)")
      let all = [
        try await fixture.snapshot(1, "select unnest([1, 2]) as id"), try await fixture.snapshot(2, "select 3 as id"),
        try await fixture.snapshot(3, "select 4 as id"),
      ]
      let (table, loaded) = (Self.table(.once), Array(all.prefix(2)))
      try await fixture.load(table, [all[0]])
      try await fixture.execute(Self.save)
      try await fixture.load(table, loaded, ticket: 2)
      try await fixture.execute("delete from mart.orders where id = 1;" + Self.restoreRows)
      let failure = await fixture.failure(table, all, recorded: loaded, ticket: 3)
      #expect(failure?.code == "target_changed")
      #expect(failure?.hint?.contains("add column \"_sluice_batch\" uuid") == true, "\(failure?.hint ?? "")")
      try await fixture.load(table, all, repair: .accept, recorded: loaded, ticket: 4)
      #expect(try await fixture.rows(rows) == ["(2)", "(3)", "(4)"])
    }
  }

  @Test(
    "rows that were deleted before the ledger was lost do not come back by an acceptance",
    arguments: [("id in (2, 3)", ["(1)", "(4)"]), ("id = 2", ["(1)", "(3)", "(4)"])])
  func acceptedAfterDeletion(deleted: String, left: [String]) async throws {
    try await TargetFixture.with { fixture in
      let all = try await snapshots(fixture)
      let (table, loaded) = (Self.table(.once), Array(all.prefix(2)))
      try await fixture.load(table, loaded)
      try await fixture.execute("delete from mart.orders where \(deleted); drop schema sluice_ledger cascade")
      #expect(await fixture.failure(table, all, recorded: loaded, ticket: 2)?.code == "target_changed")
      try await fixture.load(table, all, repair: .accept, recorded: loaded, ticket: 3)
      #expect(try await fixture.rows(rows) == left)
      #expect(try await fixture.load(table, all, recorded: all, ticket: 4).map(\.isNew) == [false, false, false])
      #expect(
        try await fixture.rows("select inserted from sluice_ledger.ledger where number = 2") == ["(\(left.count - 2))"])
    }
  }

  @Test(
    "a table with a half of a snapshot is accepted only so that the snapshot is whole in the end",
    arguments: [true, false])
  func half(batch: Bool) async throws {
    for change in [
      "truncate mart.orders", "delete from mart.orders where id = 2",
      "create table mart.other (like mart.orders including all); insert into mart.other select * from mart.orders where id > 1; "
        + "drop table mart.orders; alter table mart.other rename to orders",
    ] {
      try await TargetFixture.with { fixture in
        let all = Array(try await snapshots(fixture).dropFirst())
        let table = Self.table(.perChunk)
        try await fixture.execute(
          "create schema mart; create table mart.orders (id integer\(batch ? ", _sluice_batch uuid" : ""))")
        let single = PostgresTarget(
          name: "warehouse", url: fixture.url, duckDB: fixture.duckDB, directory: fixture.directory, streams: 1)
        await #expect(throws: Fault.self) {
          try await single.load(
            TableLoad(table: table, snapshots: all), by: TargetFixture.loader(ticket: 1),
            hooks: Steps().hooks(at: .loadChunkStaged) { throw Fault() })
        }
        #expect(try await fixture.rows(rows) == ["(2)"])
        try await fixture.execute(change)
        let isEmpty = try await fixture.rows(rows).isEmpty
        #expect(await fixture.failure(table, all, ticket: 2)?.code == "target_changed")
        if batch || isEmpty {
          try await fixture.load(table, all, repair: .accept, ticket: 3)
          #expect(try await fixture.rows(rows) == ["(2)", "(3)", "(4)"])
        } else {
          #expect(await fixture.failure(table, all, repair: .accept, ticket: 3)?.code == "accept_refused")
          #expect(await fixture.failure(table, all, without: [all[0]], ticket: 4)?.code == "target_changed")
          try await fixture.load(table, all, repair: .accept, ticket: 5)
          #expect(try await fixture.rows(rows) == ["(2)", "(4)"])
        }
      }
    }
  }

  @Test("a catalog that is older than the ledger does not append what it has read again to what is in")
  func olderCatalog() async throws {
    try await TargetFixture.with { fixture in
      let all = try await snapshots(fixture)
      let table = Self.table(.once)
      try await fixture.load(table, Array(all.prefix(2)))
      // The second one is unknown after the restore; its rows come again as another snapshot.
      let again = try await fixture.snapshot(4, "select unnest([2, 3]) as id")
      let known = [all[0], again]
      let failure = await fixture.failure(table, known, knowsHead: false, ticket: 2)
      #expect(failure?.code == "target_changed")
      #expect(failure?.message.contains("control database") == true)
      #expect(failure?.hint?.contains("--without \(again.uuid)") == true)
      try await fixture.load(table, [all[0]], knowsHead: false, ticket: 3)
      // A reload takes out what only the ledger knows.
      try await fixture.load(table, known, repair: .reload, knowsHead: false, ticket: 4, job: 7)
      #expect(try await fixture.rows(rows) == ["(1)", "(2)", "(3)"])

      // So does the snapshot's own number, and then an acceptance.
      let other = try await fixture.snapshot(5, "select unnest([2, 3]) as id")
      #expect(await fixture.failure(table, [all[0], other], knowsHead: false, ticket: 5) != nil)
      try await fixture.load(table, [all[0], other], without: [again], knowsHead: false, ticket: 6)
      #expect(try await fixture.rows(rows) == ["(1)", "(2)", "(3)"])
      let more = try await fixture.snapshot(6, "select 9 as id")
      try await fixture.load(table, [all[0], more], repair: .accept, knowsHead: false, ticket: 7)
      try await fixture.load(table, [all[0], more], ticket: 8)
      #expect(try await fixture.rows(rows) == ["(1)", "(2)", "(3)", "(9)"])
    }
  }

  @Test(
    "a batch that a later one repeated is not loaded again by an acceptance, and is where the later one is left out")
  func repeated() async throws {
    try await TargetFixture.with { fixture in
      let first = try await fixture.snapshot(1, "select unnest([1, 2]) as id")
      var again = try await fixture.snapshot(2, "select unnest([1, 3]) as id")
      again.repeats = [first.uuid]
      let table = Self.table(.once)
      try await fixture.load(table, [first])
      try await fixture.load(table, [first, again], ticket: 2)
      try await fixture.execute("drop schema sluice_ledger cascade")
      let loaded = try await fixture.load(table, [first, again], repair: .accept, ticket: 3)
      #expect(loaded.map(\.status) == [.superseded, .loaded])
      #expect(try await fixture.rows(rows) == ["(1)", "(3)"])

      try await fixture.load(table, [first], repair: .reload, ticket: 4, job: 7)
      try await fixture.load(table, [first, again], ticket: 5)
      #expect(try await fixture.rows(rows) == ["(1)", "(3)"])
      try await fixture.load(table, [first, again], without: [again], recorded: [first, again], ticket: 6)
      #expect(try await fixture.rows(rows) == ["(1)", "(2)"])
    }
  }

  @Test("a snapshot that was left out because its rows are in is loaded by a reload, which takes those out")
  func leftOutOfOlderCatalog() async throws {
    try await TargetFixture.with { fixture in
      let all = try await snapshots(fixture)
      let table = Self.table(.once)
      try await fixture.load(table, Array(all.prefix(2)))
      let again = try await fixture.snapshot(4, "select unnest([2, 3]) as id")
      let known = [all[0], again]
      #expect(await fixture.failure(table, known, knowsHead: false, ticket: 2)?.code == "target_changed")
      try await fixture.load(table, known, without: [again], knowsHead: false, ticket: 3)
      #expect(try await fixture.rows(rows) == ["(1)", "(2)", "(3)"])
      try await fixture.load(table, known, without: [again], ticket: 4)
      try await fixture.load(table, known, repair: .reload, ticket: 5, job: 7)
      #expect(try await fixture.rows(rows) == ["(1)", "(2)", "(3)"])
    }
  }

  @Test("a half of a snapshot that the catalog does not know is taken out by its number")
  func halfOfUnknown() async throws {
    try await TargetFixture.with { fixture in
      let all = try await snapshots(fixture)
      let table = Self.table(.perChunk)
      let single = PostgresTarget(
        name: "warehouse", url: fixture.url, duckDB: fixture.duckDB, directory: fixture.directory, streams: 1)
      await #expect(throws: Fault.self) {
        try await single.load(
          TableLoad(table: table, snapshots: [all[1]]), by: TargetFixture.loader(ticket: 1),
          hooks: Steps().hooks(at: .loadChunkStaged) { throw Fault() })
      }
      let again = try await fixture.snapshot(4, "select unnest([2, 3]) as id")
      for repair in [nil, TableRepair.accept] {
        let failure = await fixture.failure(table, [again], repair: repair, ticket: 2)
        #expect(failure?.hint?.contains("--without \(all[1].uuid)") == true)
      }
      try await fixture.load(table, [again], without: [all[1]], ticket: 3)
      #expect(try await fixture.rows(rows) == ["(2)", "(3)"])
    }
  }

  @Test("a reload is told from an earlier one of the same job number by its own number")
  func reloadNumbers() async throws {
    try await TargetFixture.with { fixture in
      let all = try await snapshots(fixture)
      let table = TargetFixture.table(.merge, key: ["id"])
      func reload(_ id: Int64, ticket: Int64) async throws {
        _ = try await fixture.target.load(
          TableLoad(table: table, repair: .reload, reloadID: id) { _ in TableLoad.Listing(snapshots: all) },
          by: TargetFixture.loader(ticket: ticket, job: 7), hooks: LoadHooks())
      }
      try await reload(1, ticket: 1)
      try await fixture.execute("truncate mart.orders")
      try await reload(2, ticket: 2)
      #expect(try await fixture.rows(rows) == ["(1)", "(2)", "(3)", "(4)"])
    }
  }

  @Test(
    "a table that was renamed together with its definition keeps its ledger",
    arguments: [LoadTable.Mode.append, .merge])
  func renamed(mode: LoadTable.Mode) async throws {
    try await TargetFixture.with { fixture in
      let all = try await snapshots(fixture)
      try await fixture.load(TargetFixture.table(mode), Array(all.prefix(2)))
      try await fixture.execute(
        "alter table mart.orders rename to facts; "
          + (mode == .append ? "alter table mart.facts drop column _sluice_batch" : "select 1"))
      let steps = Steps()
      let table = TargetFixture.table(mode, name: "facts")
      #expect(try await fixture.load(table, all, ticket: 2, hooks: steps.hooks()).map(\.isNew) == [false, false, true])
      #expect(steps.events == ["table_renamed"])
      #expect(try await fixture.rows("select id from mart.facts order by id") == ["(1)", "(2)", "(3)", "(4)"])
      #expect(try await fixture.rows("select distinct table_name from sluice_ledger.ledger") == ["(mart.facts)"])
      #expect(try await fixture.rows("select table_name from sluice_ledger.mark") == ["(mart.facts)"])
      // A new table of the old name is another one.
      try await fixture.load(TargetFixture.table(mode), all, ticket: 3)
      #expect(try await fixture.rows(rows) == ["(1)", "(2)", "(3)", "(4)"])
    }
  }

  @Test("a new installation of a pipeline does not append everything again to what the lost one loaded")
  func otherInstallation() async throws {
    try await TargetFixture.with { fixture in
      let all = try await snapshots(fixture)
      let table = Self.table(.once)
      try await fixture.load(table, all)
      let again = try await fixture.snapshot(9, "select unnest([1, 2, 3, 4]) as id")
      func load(_ repair: TableRepair?, ticket: Int64) async throws {
        var loader = TargetFixture.loader(ticket: ticket)
        loader.installation = "there"
        _ = try await fixture.target.load(
          TableLoad(table: table, snapshots: [again], repair: repair), by: loader, hooks: LoadHooks())
      }
      await #expect { try await load(nil, ticket: 1) } throws: {
        let failure = $0 as? StageFailure
        return failure?.code == "target_changed" && failure?.message.contains("installation here") == true
      }
      #expect(try await fixture.rows(rows).count == 4)
      // Two that live may share a table, once that is said.
      try await load(.accept, ticket: 2)
      #expect(try await fixture.rows(rows).count == 8)
      try await fixture.load(table, all, ticket: 3)
    }
  }
}
