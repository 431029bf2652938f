import JobModel
import PipelineDefinition
import Testing

@testable import Loading

@Suite("Appending chunk by chunk")
struct AppendPerChunkTests {
  private func perChunk(_ name: String = "orders") -> LoadTable {
    var table = TargetFixture.table(.append, name: name)
    table.apply = .perChunk
    return table
  }

  private let three = ["select 1 as id", "select 2 as id", "select 3 as id"]

  @Test(
    "a row appended straight into the table is the same as one that was staged, of every type",
    arguments: [
      // With the array of texts the chunk goes through a temporary table.
      "", ", ['x', null, ''] as texts",
    ])
  func everyType(more: String) async throws {
    try await TargetFixture.with { fixture in
      let snapshot = try await fixture.snapshot(
        1,
        """
        select i::bigint as id, i::smallint as s, i::integer as n, i / 3.0::float as f, i / 3.0::double as d,
          (i / 4.0)::decimal(18,4) as m, (i / 4.0)::decimal(18,17) / 1000 as fine, 12345::hugeint as h,
          i % 2 = 0 as b, 'ä''"\\ ' || i as t, date '2024-02-29' + i::int as day, time '12:34:56.789' as tm,
          timestamp '1999-12-31 23:59:59.999999' as ts, timestamptz '2024-01-01 00:00:00+01' as tz,
          '00000000-0000-4000-8000-000000000001'::uuid as u, '\\x00\\xFF'::blob as raw, '{"a": [1, "ü"]}'::json as j,
          {'k': i} as st, null::varchar as nothing, [i, null] as numbers\(more)
        from range(5) r(i)
        """)
      try await fixture.load(TargetFixture.table(.append, name: "staged"), [snapshot])
      try await fixture.load(perChunk(), [snapshot])
      #expect(try await fixture.rows("select count(*) from mart.orders") == ["(5)"])
      let left = "select to_jsonb(t)::text from mart.staged t"
      let right = "select to_jsonb(t)::text from mart.orders t"
      #expect(try await fixture.rows("(\(left) except \(right)) union all (\(right) except \(left))").isEmpty)
    }
  }

  @Test("columns of the table that are wider, labels and texts get the same values")
  func otherColumns() async throws {
    try await TargetFixture.with { fixture in
      try await fixture.execute(
        """
        create schema mart; create type mart.color as enum ('red', 'blue');
        create table mart.orders (s bigint, n bigint, f double precision, m numeric, u text, c mart.color, t varchar(5), j json)
        """)
      let snapshot = try await fixture.snapshot(
        1,
        """
        select 1::smallint as s, 2 as n, 0.1::float as f, 1.50::decimal(9,2) as m,
          '00000000-0000-4000-8000-00000000000A'::uuid as u, 'blue' as c, 'abcde' as t, '{"a":1}'::json as j
        """)
      try await fixture.load(perChunk(), [snapshot])
      #expect(
        try await fixture.rows("select s, n, f = 0.1::real, m, u, c, t, j from mart.orders")
          == [#"(1,2,t,1.50,00000000-0000-4000-8000-00000000000a,blue,abcde,"{""a"":1}")"#])
    }
  }

  @Test(
    "an attempt that ends at any step is followed by one that finishes, and every row is there once",
    arguments: [KillPoint.loadChunkStaged, .loadBeforeFinal, .loadInsideFinal, .loadCommitted],
    [LoadTable.Apply.perChunk, .once])
  func anyStep(point: KillPoint, then apply: LoadTable.Apply) async throws {
    try await TargetFixture.with { fixture in
      let snapshots = [
        try await fixture.snapshot(1, three[0], three[1], three[2]), try await fixture.snapshot(2, "select 4 as id"),
      ]
      await #expect(throws: Fault.self) {
        try await fixture.load(perChunk(), snapshots, hooks: Steps().hooks(at: point) { throw Fault() })
      }
      // Also where the definition no longer says per_chunk: what was begun so is finished so.
      var next = perChunk()
      next.apply = apply
      try await fixture.load(next, snapshots, ticket: 2)
      #expect(try await fixture.rows("select id from mart.orders order by id") == ["(1)", "(2)", "(3)", "(4)"])
      #expect(
        try await fixture.rows("select inserted from sluice_ledger.ledger where chunk = -1 order by number") == [
          "(3)", "(1)",
        ])
      #expect(try await fixture.rows("select kept from sluice_ledger.mark") == ["(4)"])
      #expect(try await fixture.staged().isEmpty)
    }
  }

  @Test("an attempt with a lower ticket appends nothing once a later one has the table")
  func fenced() async throws {
    try await TargetFixture.with { fixture in
      let snapshot = try await fixture.snapshot(1, three[0], three[1], three[2])
      let single = PostgresTarget(
        name: "warehouse", url: fixture.url, duckDB: fixture.duckDB, directory: fixture.directory, streams: 1)
      let steps = Steps()
      // Another job's, so that this attempt's sessions are not ended but refused.
      let hooks = steps.hooks(at: .loadChunkStaged) {
        guard steps[.loadChunkStaged] == 1 else { return }
        try await fixture.execute("update sluice_ledger.head set ticket = 9")
      }
      await #expect(throws: Fenced.self) {
        try await single.load(
          TableLoad(table: perChunk(), snapshots: [snapshot]), by: TargetFixture.loader(ticket: 1), hooks: hooks)
      }
      #expect(try await fixture.rows("select count(*) from mart.orders") == ["(1)"])
      try await fixture.load(perChunk(), [snapshot], ticket: 10)
      #expect(try await fixture.rows("select id from mart.orders order by id") == ["(1)", "(2)", "(3)"])
    }
  }

  @Test("a table that is truncated between two chunks is noticed, and loaded again whole")
  func truncated() async throws {
    try await TargetFixture.with { fixture in
      let snapshot = try await fixture.snapshot(1, three[0], three[1], three[2])
      await #expect(throws: Fault.self) {
        try await fixture.load(
          perChunk(), [snapshot], hooks: Steps().hooks(at: .loadBeforeFinal) { throw Fault() })
      }
      try await fixture.execute("truncate mart.orders")
      #expect(await fixture.failure(perChunk(), [snapshot], ticket: 2)?.code == "target_changed")
      try await fixture.load(perChunk(), [snapshot], repair: .reload, ticket: 3, job: 7)
      #expect(try await fixture.rows("select id from mart.orders order by id") == ["(1)", "(2)", "(3)"])
    }
  }

  @Test("a repeat of a batch takes the rows of the first one out, or is refused before its first row")
  func repeated() async throws {
    try await TargetFixture.with { fixture in
      let first = try await fixture.snapshot(1, three[0], three[1])
      var replay = try await fixture.snapshot(2, "select 7 as id")
      replay.repeats = [first.uuid]
      try await fixture.load(perChunk(), [first])
      #expect(try await fixture.load(perChunk(), [first, replay], ticket: 2).last?.deleted == 2)
      #expect(try await fixture.rows("select id from mart.orders") == ["(7)"])

      try await fixture.execute("create table mart.bare (id integer)")
      try await fixture.load(perChunk("bare"), [first])
      #expect(await fixture.failure(perChunk("bare"), [first, replay], ticket: 2)?.code == "append_repeat_refused")
      #expect(try await fixture.rows("select count(*) from mart.bare") == ["(2)"])
    }
  }

  @Test("a chunk that cannot be stored leaves nothing of itself")
  func refused() async throws {
    try await TargetFixture.with { fixture in
      try await fixture.execute("create schema mart; create table mart.orders (t varchar(3))")
      let snapshot = try await fixture.snapshot(1, "select 'abc' as t", "select 'abcd' as t")
      #expect(await fixture.failure(perChunk(), [snapshot])?.code == "target_value_too_long")
      #expect(try await fixture.rows("select count(*) filter (where length(t) > 3) from mart.orders") == ["(0)"])
    }
  }
}
