import JobModel
import PipelineDefinition
import Synchronization
import Testing

@testable import Loading

@Suite("A target's table that others changed since the last load")
struct TableCheckTests {
  private let merge = TargetFixture.table(.merge)
  private let append = TargetFixture.table(.append)
  private let rows = "select id, name from mart.orders order by id"

  private func first(_ fixture: TargetFixture) async throws -> SnapshotToLoad {
    try await fixture.snapshot(1, "select unnest([1, 2, 3]) as id, 'a' as name")
  }

  private func second(_ fixture: TargetFixture) async throws -> SnapshotToLoad {
    try await fixture.snapshot(2, "select unnest([4, 5]) as id, 'b' as name")
  }

  @Test(
    "whatever took the rows away, the next load changes nothing and names the command that loads the table again",
    arguments: [
      "truncate mart.orders", "drop table mart.orders", "delete from mart.orders",
      "truncate mart.orders; insert into mart.orders values (1, 'old')",
      "create table mart.other (like mart.orders including all); insert into mart.other select * from mart.orders; "
        + "drop table mart.orders; alter table mart.other rename to orders",
    ])
  func noticed(change: String) async throws {
    try await TargetFixture.with { fixture in
      let (one, two) = (try await first(fixture), try await second(fixture))
      try await fixture.load(merge, [one])
      try await fixture.execute(change)
      // With a new snapshot and without one.
      for snapshots in [[one], [one, two]] {
        let failure = await fixture.failure(merge, snapshots, ticket: 2)
        #expect(failure?.code == "target_changed")
        #expect(failure?.isTransient == false)
        let command = "sluice reload shop --target warehouse --table 'mart.orders' --env test"
        #expect(failure?.hint?.contains(command) == true, "\(failure?.hint ?? "")")
      }
      try await fixture.load(merge, [one, two], repair: .reload, ticket: 3, job: 7)
      #expect(try await fixture.rows(rows) == ["(1,a)", "(2,a)", "(3,a)", "(4,b)", "(5,b)"])
      #expect(try await fixture.load(merge, [one, two], ticket: 4).map(\.isNew) == [false, false])
    }
  }

  @Test(
    "what keeps the rows is no reason to stop",
    arguments: [
      "vacuum full mart.orders", "alter table mart.orders alter column id type bigint",
      "insert into mart.orders values (9, 'theirs')", "update mart.orders set name = 'z'",
      "delete from mart.orders where id = 1",
      // As after a restore of the table together with its ledger.
      "update sluice_ledger.mark set relation = 1, filenode = 2, ledger = 3",
    ])
  func harmless(change: String) async throws {
    try await TargetFixture.with { fixture in
      let (one, two) = (try await first(fixture), try await second(fixture))
      try await fixture.load(merge, [one])
      try await fixture.execute(change)
      try await fixture.load(merge, [one], ticket: 2)
      #expect(try await fixture.load(merge, [one, two], ticket: 3).map(\.isNew) == [false, true])
    }
  }

  @Test("a replacement heals the table by itself; a run without a new snapshot reports it")
  func replace() async throws {
    try await TargetFixture.with { fixture in
      let replace = TargetFixture.table(.replace)
      let one = try await fixture.snapshot(1, full: true, "select unnest([1, 2]) as id, 'a' as name")
      let two = try await fixture.snapshot(2, full: true, "select 3 as id, 'b' as name")
      try await fixture.load(replace, [one])
      try await fixture.execute("truncate mart.orders")
      #expect(await fixture.failure(replace, [one], ticket: 2)?.code == "target_changed")
      try await fixture.load(replace, [one, two], ticket: 3)
      #expect(try await fixture.rows(rows) == ["(3,b)"])
      // Fewer rows than before are right here.
      try await fixture.execute("vacuum full mart.orders")
      try await fixture.load(replace, [one, two], ticket: 4)
    }
  }

  @Test(
    "a replacement or a delete rule does not remove what another pipeline loaded, until that one is said to be gone",
    arguments: [
      TargetFixture.table(.replace),
      TargetFixture.table(.merge, deletes: LoadTable.Deletes(kind: .hard, stopOver: nil)),
    ])
  func shared(table: LoadTable) async throws {
    try await TargetFixture.with { fixture in
      let theirs = try await fixture.snapshot(1, full: true, "select unnest([1, 2]) as id, 'a' as name")
      let ours = try await fixture.snapshot(2, full: true, "select 3 as id, 'b' as name")
      try await fixture.load(merge, [theirs])
      // A reload that is refused has changed nothing, and is refused again.
      for repair in [nil, TableRepair.reload, .reload] {
        await #expect { try await loadOther(table, [ours], repair, ticket: 1, in: fixture) } throws: { error in
          let failure = error as? StageFailure
          return failure?.code == "table_shared" && failure?.message.contains("pipeline shop has loaded 2 rows") == true
        }
        #expect(try await fixture.rows("select from sluice_ledger.mark where pipeline = 'other'").isEmpty)
      }
      #expect(try await fixture.rows(rows) == ["(1,a)", "(2,a)"])
      try await loadOther(table, [ours], .accept, ticket: 2, in: fixture)
      #expect(try await fixture.rows(rows) == ["(3,b)"])
    }
  }

  @Test(
    "two pipelines that load one table already go on, whatever the other one loads between",
    arguments: [
      TargetFixture.table(.replace),
      TargetFixture.table(.merge, deletes: LoadTable.Deletes(kind: .hard, stopOver: nil)),
    ], [true, false])
  func sharedBefore(table: LoadTable, accepted: Bool) async throws {
    try await TargetFixture.with { fixture in
      var theirs = [try await fixture.snapshot(1, "select 1 as id, 'a' as name")]
      var ours = [try await fixture.snapshot(2, full: true, "select 2 as id, 'b' as name")]
      if accepted { try await fixture.load(merge, theirs) }
      try await loadOther(table, ours, accepted ? .accept : nil, ticket: 1, in: fixture)
      for number in [4, 6] {
        theirs.append(try await fixture.snapshot(number, "select \(number) as id, 'a' as name"))
        try await fixture.load(merge, theirs, ticket: Int64(number))
        ours.append(try await fixture.snapshot(number + 1, full: true, "select \(number + 1) as id, 'b' as name"))
        try await loadOther(table, ours, ticket: Int64(number), in: fixture)
        #expect(try await fixture.rows(rows) == ["(\(number + 1),b)"])
      }
      try await fixture.load(merge, theirs + [try await fixture.snapshot(8, "select 8 as id, 'a' as name")], ticket: 8)
      try await loadOther(table, ours, .reload, ticket: 8, in: fixture)
      #expect(try await fixture.rows(rows) == ["(7,b)"])
    }
  }

  @Test("rows of a pipeline that was retired and whose rows are gone are not asked about")
  func sharedFormerly() async throws {
    try await TargetFixture.with { fixture in
      let replace = TargetFixture.table(.replace)
      try await fixture.load(merge, [try await first(fixture)])
      try await fixture.execute("delete from mart.orders")
      let one = try await fixture.snapshot(2, full: true, "select 2 as id, 'b' as name")
      let two = try await fixture.snapshot(3, full: true, "select 3 as id, 'b' as name")
      try await loadOther(replace, [one], ticket: 1, in: fixture)
      try await loadOther(replace, [one, two], ticket: 2, in: fixture)
      // Nor where the loads are of a release that kept no mark.
      try await fixture.execute("delete from sluice_ledger.mark where pipeline = 'other'")
      try await loadOther(
        replace, [one, two, try await fixture.snapshot(4, full: true, "select 4 as id, 'b' as name")], ticket: 3,
        in: fixture)
      #expect(try await fixture.rows(rows) == ["(4,b)"])
    }
  }

  /// A load by another pipeline than the fixture's.
  private func loadOther(
    _ table: LoadTable, _ snapshots: [SnapshotToLoad], _ repair: TableRepair? = nil, ticket: Int64,
    in fixture: TargetFixture
  ) async throws {
    var loader = TargetFixture.loader(ticket: ticket)
    loader.pipeline = "other"
    _ = try await fixture.target.load(
      TableLoad(table: table, snapshots: snapshots, repair: repair), by: loader, hooks: LoadHooks())
  }

  @Test("a table that is appended to is loaded again without a row twice, and rows of others stay")
  func appended() async throws {
    try await TargetFixture.with { fixture in
      let (one, two) = (try await first(fixture), try await second(fixture))
      try await fixture.load(append, [one, two])
      try await fixture.execute(
        "insert into mart.orders values (9, 'theirs', null); delete from mart.orders where id in (2, 5)")
      try await fixture.load(append, [one, two], repair: .reload, ticket: 2, job: 7)
      #expect(
        try await fixture.rows(rows) == ["(1,a)", "(2,a)", "(3,a)", "(4,b)", "(5,b)", "(9,theirs)"])
    }
  }

  @Test("rows that no column tells apart are not appended again: the table is to be emptied first")
  func appendedWithoutBatch() async throws {
    try await TargetFixture.with { fixture in
      try await fixture.execute("create schema mart; create table mart.orders (id integer, name text)")
      let one = try await first(fixture)
      try await fixture.load(append, [one])
      let told = Told()
      let forget: @Sendable () async throws -> Void = { told.note("forgotten") }
      let books = "select l, m from sluice_ledger.ledger l, sluice_ledger.mark m"
      let before = try await fixture.rows(books)
      await #expect {
        try await fixture.load(append, [one], repair: .reload, ticket: 2, job: 7, forget: forget)
      } throws: {
        ($0 as? StageFailure)?.code == "reload_refused"
      }
      // Nothing has changed, in the catalog neither.
      #expect(told.all.isEmpty)
      #expect(try await fixture.rows(books) == before && !before.isEmpty)
      try await fixture.execute("truncate mart.orders")
      try await fixture.load(append, [one], repair: .reload, ticket: 3, job: 7, forget: forget)
      #expect(told.all == ["forgotten"])
      #expect(try await fixture.rows(rows) == ["(1,a)", "(2,a)", "(3,a)"])
    }
  }

  @Test("a table that was restored without its ledger is not appended to once more")
  func restoredAlone() async throws {
    try await TargetFixture.with { fixture in
      let one = try await first(fixture)
      try await fixture.load(append, [one])
      try await fixture.execute("drop schema sluice_ledger cascade")
      #expect(await fixture.failure(append, [one], ticket: 2)?.code == "target_changed")
      try await fixture.load(append, [one], repair: .reload, ticket: 3, job: 7)
      #expect(try await fixture.rows(rows) == ["(1,a)", "(2,a)", "(3,a)"])
    }
  }

  @Test("a table that is accepted as it is gets the new snapshots only, also where it is gone")
  func accepted() async throws {
    for (change, left) in [
      ("truncate mart.orders", ["(4,b)", "(5,b)"]), ("drop table mart.orders", ["(4,b)", "(5,b)"]),
    ] {
      try await TargetFixture.with { fixture in
        let (one, two) = (try await first(fixture), try await second(fixture))
        try await fixture.load(merge, [one])
        try await fixture.execute(change)
        try await fixture.load(merge, [one], repair: .accept, ticket: 2)
        try await fixture.load(merge, [one, two], ticket: 3)
        #expect(try await fixture.rows(rows) == left)
      }
    }
  }

  @Test("a truncation during a load stops it before anything is applied")
  func duringTheLoad() async throws {
    try await TargetFixture.with { fixture in
      let (one, two) = (try await first(fixture), try await second(fixture))
      try await fixture.load(merge, [one])
      let hooks = Steps().hooks(at: .loadBeforeFinal) { try await fixture.execute("truncate mart.orders") }
      let failure = await fixture.failure(merge, [one, two], ticket: 2, hooks: hooks)
      #expect(failure?.code == "target_changed")
      #expect(failure?.isTransient == true)
      #expect(try await fixture.rows(rows).isEmpty)
      #expect(await fixture.failure(merge, [one, two], ticket: 3)?.isTransient == false)
    }
  }

  @Test("a reload that dies in the middle is finished by its next attempt, or by the next load")
  func interrupted() async throws {
    for repair in [TableRepair.reload, nil] {
      try await TargetFixture.with { fixture in
        let (one, two) = (try await first(fixture), try await second(fixture))
        try await fixture.load(append, [one, two])
        let steps = Steps()
        let hooks = steps.hooks(at: .loadInsideFinal) { if steps[.loadInsideFinal] == 2 { throw Fault() } }
        await #expect(throws: Fault.self) {
          try await fixture.load(append, [one, two], repair: .reload, ticket: 2, job: 7, hooks: hooks)
        }
        #expect(steps.events == ["reload"])
        let loaded = try await fixture.load(append, [one, two], repair: repair, ticket: 3, job: 7)
        #expect(loaded.map(\.isNew) == [false, true])
        #expect(try await fixture.rows(rows) == ["(1,a)", "(2,a)", "(3,a)", "(4,b)", "(5,b)"])
      }
    }
  }

  @Test("a table that an earlier release loaded, which kept no mark, is compared with the ledger's sums")
  func earlierRelease() async throws {
    try await TargetFixture.with { fixture in
      let one = try await first(fixture)
      try await fixture.load(merge, [one])
      try await fixture.execute("drop table sluice_ledger.mark")
      try await fixture.load(merge, [one], ticket: 2)
      #expect(try await fixture.rows("select kept from sluice_ledger.mark") == ["(3)"])
      try await fixture.execute("drop table sluice_ledger.mark; truncate mart.orders")
      #expect(await fixture.failure(merge, [one], ticket: 3)?.code == "target_changed")
    }
  }

  @Test(
    "rows that are deleted or marked by a load are not missed later", arguments: [LoadTable.Deletes.Kind.hard, .soft])
  func deletes(kind: LoadTable.Deletes.Kind) async throws {
    try await TargetFixture.with { fixture in
      let merge = TargetFixture.table(.merge, deletes: LoadTable.Deletes(kind: kind, stopOver: nil))
      let one = try await fixture.snapshot(1, full: true, "select unnest([1, 2, 3]) as id")
      let two = try await fixture.snapshot(2, full: true, "select unnest([3, 4]) as id")
      try await fixture.load(merge, [one, two])
      let count = try await fixture.rows("select count(*) from mart.orders")
      #expect(try await fixture.rows("select kept from sluice_ledger.mark") == count)
      try await fixture.execute("vacuum full mart.orders")
      try await fixture.load(merge, [one, two], ticket: 2)
    }
  }

  @Test("a load asks the catalog for what is after the ledger's head, and old snapshots are written down at once")
  func startsAtTheHead() async throws {
    try await TargetFixture.with { fixture in
      var snapshots: [SnapshotToLoad] = []
      let full = try await fixture.snapshot(5000, full: true, "select 1 as id, 'a' as name")
      for number in 1...300 {
        var old = full
        old.uuid = TargetFixture.uuid(number)
        old.number = Int64(number)
        snapshots.append(old)
      }
      snapshots.append(full)
      let asked = Mutex<[String?]>([])
      func load(_ ticket: Int64, unrecorded: [String] = []) async throws -> [LoadedSnapshot] {
        let list = TableLoad(table: merge) { [snapshots] head in
          asked.withLock { $0.append(head) }
          return TableLoad.Listing(
            unrecorded: head == nil ? [] : unrecorded, snapshots: head == full.uuid ? [] : snapshots)
        }
        return try await fixture.target.load(list, by: TargetFixture.loader(ticket: ticket), hooks: LoadHooks())
      }
      #expect(try await load(1).count { $0.status == .superseded && $0.isNew } == 300)
      #expect(try await load(2).isEmpty)
      // What the catalog was not told of is answered from the ledger.
      #expect(try await load(3, unrecorded: [full.uuid]).map(\.uuid) == [full.uuid])
      #expect(asked.withLock { $0 } == [nil, full.uuid, full.uuid])
      // A ledger that lost rows is asked about everything again.
      try await fixture.execute("delete from sluice_ledger.ledger where status = 'loaded'")
      #expect(try await load(4, unrecorded: [full.uuid]).count { $0.isNew } == 1)
      #expect(asked.withLock { $0.suffix(2) } == [full.uuid, nil])
    }
  }
}
