import JobModel
import PipelineDefinition
import TestSupport
import Testing

@testable import Loading

@Suite("The cost of a load with a long ledger")
struct LedgerGrowthTests {
  private static let loads: [LoadTable] = {
    var chunks = TargetFixture.table(.append)
    chunks.apply = .perChunk
    return [
      TargetFixture.table(.append), chunks, TargetFixture.table(.merge, deletes: LoadTable.Deletes(kind: .hard)),
      TargetFixture.table(.replace),
    ]
  }()

  /// Snapshots that were loaded long ago.
  private func age(_ fixture: TargetFixture, by count: Int) async throws {
    try await fixture.execute(
      """
      insert into sluice_ledger.ledger (installation, environment, pipeline, table_name, snapshot, chunk, number, ticket,
        status, rows, inserted, updated, deleted, content_hash, at)
      select 'here', 'test', 'shop', 'mart.orders', gen_random_uuid(), -1, -i, 1, 'loaded', 0, 0, 0, 0, '',
        now() - interval '1 day' - i * interval '1 second'
      from generate_series(1, \(count)) i; analyze sluice_ledger.ledger
      """)
  }

  /// Rows and index entries of the ledger that all sessions so far have read.
  private func read(_ fixture: TargetFixture) async throws -> Int {
    // A session has reported what it read when it is gone.
    let gone = "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
    try await eventually("the sessions are gone") { try await fixture.rows(gone) == ["(0)"] }
    let read = try await fixture.rows(
      """
      select (select seq_tup_read from pg_stat_user_tables where schemaname = 'sluice_ledger' and relname = 'ledger')
        + (select sum(idx_tup_read) from pg_stat_user_indexes where schemaname = 'sluice_ledger' and relname = 'ledger')
      """)
    return Int(read[0].dropFirst().dropLast()) ?? -1
  }

  @Test("is that of its own rows, whatever was loaded before", arguments: loads)
  func constant(table: LoadTable) async throws {
    try await TargetFixture.with { fixture in
      func snapshot(_ number: Int) async throws -> SnapshotToLoad {
        try await fixture.snapshot(
          number, full: table.mode != .append, "select \(number) as id, 'a' as t",
          "select \(number + 100) as id, 'b' as t")
      }
      // Those before the head are not listed.
      try await fixture.load(table, [try await snapshot(1)])
      try await age(fixture, by: 3_000)
      var costs: [Int] = []
      for number in 2...3 {
        let before = try await read(fixture)
        try await fixture.load(table, [try await snapshot(number)], ticket: Int64(number))
        costs.append(try await read(fixture) - before)
      }
      #expect(costs.allSatisfy { (0..<100).contains($0) }, "\(costs)")
    }
  }

  @Test("a ledger of an earlier release gets its indexes, and one that another role owns is used as it is")
  func indexes() async throws {
    let indexes =
      "select indexname from pg_indexes where schemaname = 'sluice_ledger' and indexname like 'ledger%idx' order by 1"
    let both = ["(ledger_loads_idx)", "(ledger_pieces_idx)"]
    let drop = "drop index sluice_ledger.ledger_loads_idx, sluice_ledger.ledger_pieces_idx"
    try await TargetFixture.withRole("id integer, t text", "create policy own on mart.orders to ROLE using (true)") {
      owner, loader, role in
      let append = TargetFixture.table(.append)
      let snapshots = [
        try await owner.snapshot(1, "select 1 as id, 'a' as t"),
        try await owner.snapshot(2, "select 2 as id, 'b' as t"),
      ]
      try await owner.load(append, [])
      #expect(try await owner.rows(indexes) == both)
      try await owner.execute(
        """
        \(drop); grant usage on schema sluice_ledger to "\(role)"; grant create on schema sluice_ledger to "\(role)";
        grant all on all tables in schema sluice_ledger to "\(role)"
        """)
      try await loader.load(append, [snapshots[0]], ticket: 2)
      #expect(try await owner.rows(indexes).isEmpty)
      try await owner.load(append, snapshots, ticket: 3)
      #expect(try await owner.rows(indexes) == both)
      #expect(try await owner.rows("select id from mart.orders order by id") == ["(1)", "(2)"])
    }
  }
}
