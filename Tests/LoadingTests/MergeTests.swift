import JobModel
import PipelineDefinition
import Testing

@testable import Loading

@Suite("Merging into a table")
struct MergeTests {
  private let merge = TargetFixture.table(.merge, key: ["id"])

  @Test("the table is created with the dataset's types, NOT NULL where required, and the key")
  func create() async throws {
    try await TargetFixture.with { fixture in
      let snapshot = try await fixture.snapshot(
        1, "select 1::bigint as id, 'a' as name, 1.5::decimal(18,4) as amount, '{}'::json as more, now() as seen")
      try await fixture.load(merge, [snapshot], required: ["name"])
      let columns = try await fixture.rows(
        "select attname, format_type(atttypid, atttypmod), attnotnull from pg_attribute "
          + "where attrelid = 'mart.orders'::regclass and attnum > 0 order by attnum")
      #expect(
        columns == [
          "(id,bigint,t)", "(name,text,t)", "(amount,\"numeric(18,4)\",f)", "(more,jsonb,f)",
          "(seen,\"timestamp with time zone\",f)",
        ])
      let keys = try await fixture.rows(
        "select pg_get_constraintdef(oid) from pg_constraint "
          // From version 18 on NOT NULL is a constraint with a name as well.
          + "where conrelid = 'mart.orders'::regclass and contype <> 'n'")
      #expect(keys == ["(\"PRIMARY KEY (id)\")"])
    }
  }

  @Test("new keys are inserted, changed rows updated, equal ones left untouched, and each is counted")
  func counts() async throws {
    try await TargetFixture.with { fixture in
      let first = try await fixture.snapshot(
        1, "select * from (values (1, 'a', '{\"n\": 1}'::json), (2, null, null)) t(id, name, more)",
        "select 3 as id, '' as name, null::json as more")
      let second = try await fixture.snapshot(
        2, "select * from (values (1, 'a', '{\"n\":1}'::json), (2, '', null), (4, 'd', null)) t(id, name, more)")
      let loaded = try await fixture.load(merge, [first])
      #expect(loaded == [LoadedSnapshot(uuid: first.uuid, status: .loaded, rows: 3, inserted: 3, isNew: true)])
      let before = try await fixture.rows("select xmin, ctid from mart.orders where id = 1")
      let again = try await fixture.load(merge, [first, second], ticket: 2)
      #expect(
        again == [
          LoadedSnapshot(uuid: first.uuid, status: .loaded, rows: 3, inserted: 3),
          LoadedSnapshot(uuid: second.uuid, status: .loaded, rows: 3, inserted: 1, updated: 1, isNew: true),
        ])
      #expect(try await fixture.rows("select xmin, ctid from mart.orders where id = 1") == before)
      #expect(
        try await fixture.rows("select id, name from mart.orders order by id")
          == ["(1,a)", "(2,\"\")", "(3,\"\")", "(4,d)"])
    }
  }

  @Test("columns whose names differ only in their Unicode notation are two")
  func normalisation() async throws {
    try await TargetFixture.with { fixture in
      let (composed, decomposed) = ("\u{E9}", "e\u{301}")
      let table = TargetFixture.table(.merge, key: [composed])
      func snapshot(_ number: Int, _ value: String) async throws -> SnapshotToLoad {
        try await fixture.snapshot(
          number, key: [composed], "select 1 as \"\(composed)\", '\(value)' as \"\(decomposed)\"")
      }
      let first = try await snapshot(1, "a")
      let second = try await snapshot(2, "b")
      try await fixture.load(table, [first])
      try await fixture.load(table, [first, second], ticket: 2)
      #expect(try await fixture.rows("select \"\(composed)\", \"\(decomposed)\" from mart.orders") == ["(1,b)"])
    }
  }

  @Test("a row whose cursor is newer is never replaced by an incremental snapshot; null is older than anything")
  func cursor() async throws {
    try await TargetFixture.with { fixture in
      let newer = try await fixture.snapshot(
        1, cursor: "seen", "select * from (values (1, 'new', 9), (2, 'new', 9), (3, 'old', null)) t(id, name, seen)")
      let older = try await fixture.snapshot(
        2, cursor: "seen",
        "select * from (values (1, 'late', 8), (2, 'same', 9), (3, 'known', 1), (4, 'd', null)) t(id, name, seen)")
      let unknown = try await fixture.snapshot(
        3, cursor: "seen", "select 3 as id, 'unknown' as name, null::integer as seen")
      try await fixture.load(merge, [newer, older, unknown])
      #expect(
        try await fixture.rows("select * from mart.orders order by id")
          == ["(1,new,9)", "(2,same,9)", "(3,known,1)", "(4,d,)"])
    }
  }

  @Test("a partitioned table is merged into, and its rows are counted too")
  func partitioned() async throws {
    try await TargetFixture.with { fixture in
      try await fixture.execute(
        """
        create schema mart;
        create table mart.orders (id integer primary key, name text) partition by range (id);
        create table mart.orders_low partition of mart.orders for values from (0) to (100);
        create table mart.orders_high partition of mart.orders for values from (100) to (200);
        insert into mart.orders values (1, 'a'), (2, 'b')
        """)
      let snapshot = try await fixture.snapshot(1, "select * from (values (1, 'a'), (2, 'c'), (101, 'd')) t(id, name)")
      let loaded = try await fixture.load(merge, [snapshot])
      #expect(loaded.map(\.inserted) == [1])
      #expect(loaded.map(\.updated) == [1])
      #expect(try await fixture.rows("select * from mart.orders order by id") == ["(1,a)", "(2,c)", "(101,d)"])
    }
  }

  @Test("a dataset of keys alone is merged")
  func keysAlone() async throws {
    try await TargetFixture.with { fixture in
      let first = try await fixture.snapshot(1, "select 1 as id")
      let second = try await fixture.snapshot(2, "select unnest([1, 2]) as id")
      let loaded = try await fixture.load(merge, [first, second])
      #expect(loaded.map(\.inserted) == [1, 1])
      #expect(try await fixture.rows("select * from mart.orders order by id") == ["(1)", "(2)"])
    }
  }

  @Test("rows that cannot be merged are refused before anything is written")
  func refused() async throws {
    try await TargetFixture.with { fixture in
      let noKey = try await fixture.snapshot(1, key: [], "select 1 as id union all select null")
      #expect(await fixture.failure(merge, [noKey])?.code == "key_null")
      let twice = try await fixture.snapshot(2, key: [], "select 1 as id, 'a' as name", "select 1 as id, 'b' as name")
      #expect(
        await fixture.failure(TargetFixture.table(.merge, key: ["id"], name: "twice"), [twice])?.code == "key_repeated")
      let keyless = await fixture.failure(TargetFixture.table(.merge, name: "keyless"), [noKey])
      #expect(keyless?.code == "key_missing")
      #expect(try await fixture.rows("select count(*) from sluice_ledger.ledger") == ["(0)"])
    }
  }

  @Test("without a unique index on the key the failure says which statement makes one")
  func noIndex() async throws {
    try await TargetFixture.with { fixture in
      try await fixture.execute(
        "create schema mart; create table mart.orders (id integer, name text); "
          + "create unique index on mart.orders (id) where id > 0; create unique index on mart.orders (id, name)")
      let snapshot = try await fixture.snapshot(1, "select 1 as id, 'a' as name")
      let failure = await fixture.failure(merge, [snapshot])
      #expect(failure?.code == "key_index_missing")
      #expect(failure?.isTransient == false)
      let mend = try #require(failure?.hint)
      #expect(mend == "create unique index concurrently on \"mart\".\"orders\" (\"id\")")
      try await fixture.execute(mend)
      #expect(await fixture.failure(merge, [snapshot], ticket: 2) == nil)
    }
  }
}
