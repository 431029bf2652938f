import JobModel
import PipelineDefinition
import Testing

@testable import Loading

@Suite("Tables that an older engine, which keeps no mark, loads too")
struct OlderEngineTests {
  private let rewrite = "vacuum full mart.orders"

  private func three(_ fixture: TargetFixture) async throws -> SnapshotToLoad {
    try await fixture.snapshot(1, full: true, "select unnest([1, 2, 3]) as id, 'a' as name")
  }

  /// What an older engine does: its statements, and its row in the ledger.
  private func loadByOlderEngine(
    _ snapshot: SnapshotToLoad, inserted: Int, deleted: Int, _ script: String, in fixture: TargetFixture
  ) async throws {
    try await fixture.execute(
      """
      begin; \(script);
      insert into sluice_ledger.ledger (installation, environment, pipeline, table_name, snapshot, chunk, number, ticket,
        status, rows, inserted, updated, deleted, content_hash)
      values ('here', 'test', 'shop', 'mart.orders', '\(snapshot.uuid)', -1, \(snapshot.number), 1, 'loaded', \(snapshot.rows),
        \(inserted), 0, \(deleted), ''); commit
      """)
  }

  @Test(
    "rows that it deleted are not missed once the table is written again, and a truncation still is noticed",
    arguments: [
      TargetFixture.table(.replace), TargetFixture.table(.append),
      TargetFixture.table(.merge, deletes: LoadTable.Deletes(kind: .hard)),
    ])
  func deleted(table: LoadTable) async throws {
    try await TargetFixture.with { fixture in
      let one = try await three(fixture)
      let two = try await fixture.snapshot(2, full: true, "select 4 as id, 'b' as name")
      try await fixture.load(table, [one])
      try await loadByOlderEngine(
        two, inserted: 1, deleted: 3, "delete from mart.orders; insert into mart.orders values (4, 'b')", in: fixture)
      try await fixture.execute(rewrite)
      for ticket in 2...3 {
        try await fixture.load(table, [one, two], ticket: Int64(ticket))
        #expect(try await fixture.rows("select kept from sluice_ledger.mark") == ["(1)"])
      }
      let other = try await fixture.snapshot(3, full: true, "select unnest([5, 6]) as id, 'c' as name")
      try await fixture.load(table, [one, two, other], ticket: 4)
      try await fixture.execute("create table mart.kept as table mart.orders; truncate mart.orders")
      #expect(await fixture.failure(table, [one, two, other], ticket: 5)?.code == "target_changed")
    }
  }

  @Test("a table that it emptied by a load is not taken for one that others emptied")
  func emptied() async throws {
    try await TargetFixture.with { fixture in
      let merge = TargetFixture.table(.merge, deletes: LoadTable.Deletes(kind: .hard))
      let one = try await three(fixture)
      let two = try await fixture.snapshot(2, "select 1 as id, 'b' as name where false")
      try await fixture.load(merge, [one])
      try await loadByOlderEngine(two, inserted: 0, deleted: 3, "delete from mart.orders", in: fixture)
      try await fixture.load(merge, [one, two], ticket: 2)
      #expect(try await fixture.rows("select kept from sluice_ledger.mark") == ["(0)"])
    }
  }

  @Test("rows that it or others added do not stop a half of a snapshot in a table that was written again since")
  func half() async throws {
    try await TargetFixture.with { fixture in
      try await fixture.execute("create schema mart; create table mart.orders (id integer, name text)")
      var chunks = TargetFixture.table(.append)
      chunks.apply = .perChunk
      let one = try await three(fixture)
      let two = try await fixture.snapshot(2, "select 4 as id, 'b' as name")
      let half = try await fixture.snapshot(3, "select 5 as id, 'c' as name", "select 6 as id, 'c' as name")
      try await fixture.load(chunks, [one])
      try await loadByOlderEngine(
        two, inserted: 1, deleted: 0, "insert into mart.orders values (4, 'b'), (99, 'theirs')", in: fixture)
      let steps = Steps()
      await #expect(throws: Fault.self) {
        try await fixture.load(
          chunks, [one, two, half], ticket: 2, hooks: steps.hooks(at: .loadChunkStaged) { throw Fault() })
      }
      try await fixture.execute(rewrite)
      try await fixture.load(chunks, [one, two, half], ticket: 3)
      #expect(
        try await fixture.rows("select id from mart.orders order by id") == [1, 2, 3, 4, 5, 6, 99].map { "(\($0))" })
    }
  }

  @Test(
    "a table that is written again during a load is counted, and the load continues",
    arguments: [LoadTable.Apply.once, .perChunk])
  func duringALoad(apply: LoadTable.Apply) async throws {
    try await TargetFixture.with { fixture in
      var append = TargetFixture.table(.append)
      append.apply = apply
      let one = try await three(fixture)
      let two = try await fixture.snapshot(2, "select 4 as id, 'b' as name", "select 5 as id, 'b' as name")
      try await fixture.load(append, [one])
      let hooks = Steps().hooks(at: .loadBeforeFinal) { [rewrite] in try await fixture.execute(rewrite) }
      try await fixture.load(append, [one, two], ticket: 2, hooks: hooks)
      #expect(try await fixture.rows("select count(*) from mart.orders") == ["(5)"])
      try await fixture.load(append, [one, two], ticket: 3)
      #expect(try await fixture.rows("select kept from sluice_ledger.mark") == ["(5)"])
    }
  }

  @Test("what an acceptance writes into the ledger is not counted twice")
  func accepted() async throws {
    try await TargetFixture.with { fixture in
      let append = TargetFixture.table(.append)
      let one = try await three(fixture)
      try await fixture.load(append, [one])
      try await fixture.execute("delete from sluice_ledger.ledger")
      try await fixture.load(append, [one], repair: .accept, recorded: [one], ticket: 2)
      try await fixture.execute(rewrite)
      try await fixture.load(append, [one], ticket: 3)
      #expect(try await fixture.rows("select kept from sluice_ledger.mark") == ["(3)"])
    }
  }
}
