import JobModel
import PipelineDefinition
import Testing

@testable import Loading

@Suite("Merging many rows of which most are in the table")
struct MergeChangesTests {
  private static let layouts = [
    "id bigint primary key, v bigint, t text", "id bigint primary key, v bigint, t text) partition by hash (id",
  ]

  /// A row is locked where `on conflict` found it, also where it is left as it is.
  private let locked = "select count(*) from mart.orders where xmax <> 0"

  @Test("writes those that differ or are new and not older, and touches no other", arguments: layouts)
  func unchanged(layout: String) async throws {
    try await TargetFixture.with { fixture in
      try await fixture.execute("create schema mart; create table mart.orders (\(layout))")
      if layout.contains("partition") {
        for part in 0...1 {
          try await fixture.execute(
            "create table mart.part\(part) partition of mart.orders for values with (modulus 2, remainder \(part))")
        }
      }
      let merge = TargetFixture.table(.merge, key: ["id"])
      let first = try await fixture.snapshot(
        1, cursor: "v", "select i as id, 10 as v, 'a' as t from range(120000) r(i)")
      // Ten differ, two of which are older; two are new.
      let second = try await fixture.snapshot(
        2, cursor: "v",
        """
        select i as id, case when i < 2 then 9 when i < 10 then 11 else 10 end as v, case when i < 10 then 'b' else 'a' end as t
        from range(120002) r(i)
        """)
      #expect(try await fixture.load(merge, [first]).last?.inserted == 120_000)
      let loaded = try await fixture.load(merge, [first, second], ticket: 2).last
      #expect(loaded?.inserted == 2 && loaded?.updated == 8)
      #expect(try await fixture.rows(locked) == ["(8)"])
      let sums = "select count(*), sum(v), count(*) filter (where t = 'b') from mart.orders"
      #expect(try await fixture.rows(sums) == ["(120002,1200028,8)"])
      #expect(try await fixture.rows("select kept from sluice_ledger.mark") == ["(120002)"])
    }
  }

  @Test(
    "rows that were deleted softly come back, and those that are gone go",
    arguments: [LoadTable.Deletes.Kind.soft, .hard])
  func deletes(kind: LoadTable.Deletes.Kind) async throws {
    try await TargetFixture.with { fixture in
      let merge = TargetFixture.table(.merge, key: ["id"], deletes: LoadTable.Deletes(kind: kind))
      let all = "select i as id, 'a' as t from range(110000) r(i)"
      let first = try await fixture.snapshot(1, full: true, all)
      let fewer = try await fixture.snapshot(2, full: true, all + " where i >= 3")
      let again = try await fixture.snapshot(3, full: true, all)
      try await fixture.load(merge, [first])
      #expect(try await fixture.load(merge, [first, fewer], ticket: 2).last?.deleted == 3)
      let loaded = try await fixture.load(merge, [first, fewer, again], ticket: 3).last
      #expect(loaded?.inserted == (kind == .hard ? 3 : 0) && loaded?.updated == (kind == .hard ? 0 : 3))
      #expect(try await fixture.rows("select count(*) from mart.orders") == ["(110000)"])
      if kind == .soft {
        #expect(try await fixture.rows("select from mart.orders where _sluice_deleted_at is not null").isEmpty)
      }
    }
  }

  @Test("columns of every kind are compared as the table stores them, and what is too long is refused")
  func kinds() async throws {
    try await TargetFixture.with { fixture in
      try await fixture.execute(
        """
        create schema mart; create type mart.mood as enum ('good', 'bad');
        create table mart.orders (id text collate "POSIX" primary key, w varchar(3) collate "C", f char(4), e mart.mood,
          n numeric, b bigint, d double precision, a text[], c varchar(3)[], i bigint[], j json, k jsonb, o text collate "POSIX")
        """)
      func snapshot(_ number: Int, _ w: String, rows: Int = 105_000) async throws -> SnapshotToLoad {
        try await fixture.snapshot(
          number, full: true,
          """
          select 'k' || i as id, \(w) as w, 'ab' as f, case when i % 2 = 0 then 'good' else 'bad' end as e, i::int as n, i::int as b,
            (i / 4)::float as d, ['x', 'y ' || i] as a, ['p'] as c, [i::int, null] as i, '{"a": 1}'::json as j,
            '{"b":  2}'::json as k, '{"c": 3}'::json as o
          from range(\(rows)) r(i)
          """)
      }
      let merge = TargetFixture.table(.merge, key: ["id"], deletes: LoadTable.Deletes(kind: .hard))
      let first = try await snapshot(1, "'abc'")
      let second = try await snapshot(2, "case when i = 7 then 'xyz' else 'abc' end", rows: 104_999)
      try await fixture.load(merge, [first])
      let loaded = try await fixture.load(merge, [first, second], ticket: 2).last
      #expect(loaded?.updated == 1 && loaded?.inserted == 0 && loaded?.deleted == 1)
      #expect(try await fixture.rows(locked) == ["(1)"])
      let long = try await snapshot(3, "case when i = 7 then 'xyzw' else 'abc' end", rows: 104_999)
      #expect(await fixture.failure(merge, [first, second, long], ticket: 3)?.code == "target_value_too_long")
      #expect(try await fixture.rows("select w from mart.orders where w <> 'abc'") == ["(xyz)"])
    }
  }

  @Test("rows that a trigger leaves out are told")
  func leftOut() async throws {
    try await TargetFixture.with { fixture in
      try await fixture.execute(
        """
        create schema mart; create table mart.orders (id bigint primary key, t text);
        create function mart.odd() returns trigger language plpgsql as $$
          begin if new.t = 'b' and new.id % 2 = 0 then return null; end if; return new; end $$
        """)
      let merge = TargetFixture.table(.merge, key: ["id"])
      let first = try await fixture.snapshot(1, "select i as id, 'a' as t from range(101000) r(i)")
      let second = try await fixture.snapshot(
        2, "select i as id, case when i < 10 then 'b' else 'a' end as t from range(101000) r(i)")
      try await fixture.load(merge, [first])
      try await fixture.execute(
        "create trigger odd before update on mart.orders for each row execute function mart.odd()")
      let told = Told()
      let hooks = LoadHooks(event: { kind, message in told.note("\(kind): \(message)") })
      #expect(try await fixture.load(merge, [first, second], ticket: 2, hooks: hooks).last?.updated == 5)
      #expect(told.all.count == 1 && told.all.first?.contains("rows_not_taken") == true)
      #expect(told.all.first?.contains("5 of 10 rows") == true)
      #expect(try await fixture.rows("select count(*) from mart.orders where t = 'b'") == ["(5)"])
    }
  }
}
