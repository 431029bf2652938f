import JobModel
import PipelineDefinition
import Testing

@testable import Loading

@Suite("Rows that a policy, a trigger or a child table keeps from a load's statements")
struct KeptRowTests {
  private typealias Kind = LoadTable.Deletes.Kind

  private static let layout = "id integer primary key, t text, _sluice_batch uuid, _sluice_deleted_at timestamptz"
  private static let mayAdd = "create policy adding on mart.orders for insert to ROLE with check (true);"
  private static let maySee = "create policy seeing on mart.orders for select to ROLE using (true);"
  private static let mayChange = "create policy changing on mart.orders for update to ROLE using (true);"
  private static let mayDelete = "create policy taking on mart.orders for delete to ROLE using (true);"

  private let rows = "select id, t, _sluice_deleted_at is not null as gone from mart.orders order by id"

  private func merge(_ kind: LoadTable.Deletes.Kind?) -> LoadTable {
    TargetFixture.table(.merge, key: ["id"], deletes: kind.map { LoadTable.Deletes(kind: $0) })
  }

  private func both(_ fixture: TargetFixture) async throws -> SnapshotToLoad {
    try await fixture.snapshot(1, full: true, "select unnest([1, 2]) as id, 'a' as t")
  }

  private func one(_ fixture: TargetFixture, _ number: Int = 2) async throws -> SnapshotToLoad {
    try await fixture.snapshot(number, full: true, "select 1 as id, 'a' as t")
  }

  @Test(
    "a row that is gone and that a policy keeps from the delete is refused, and the hint's statement lets it go",
    arguments: [
      (LoadTable.Deletes.Kind.hard, mayAdd + maySee + mayChange, "for delete", ["(1,a,f)"]),
      (.soft, mayAdd + maySee + mayDelete, "for update", ["(1,a,f)", "(2,a,t)"]),
    ])
  func policy(_ one: (kind: LoadTable.Deletes.Kind, policies: String, hint: String, rows: [String])) async throws {
    try await TargetFixture.withRole(Self.layout, one.policies) { owner, loader, role in
      let (first, second) = (try await both(owner), try await self.one(owner))
      try await loader.load(merge(one.kind), [first])
      let failure = await loader.failure(merge(one.kind), [first, second], ticket: 2)
      #expect(failure?.code == "target_rows_hidden")
      #expect(failure?.isTransient == false && failure?.message.contains(role) == true)
      #expect(try await owner.rows(rows) == ["(1,a,f)", "(2,a,f)"])
      let hint = failure?.hint ?? ""
      #expect(hint.contains(one.hint))
      for statement in hint.split(separator: "; ").compactMap({ $0.firstMatch(of: #/create policy .*/#) }) {
        try await owner.execute(String(statement.output))
      }
      try await loader.load(merge(one.kind), [first, second], ticket: 3)
      #expect(try await owner.rows(rows) == one.rows)
    }
  }

  @Test("earlier rows of a parent that a policy keeps are refused", arguments: [LoadTable.Deletes.Kind?.none, .soft])
  func parents(kind: LoadTable.Deletes.Kind?) async throws {
    let policies = Self.mayAdd + Self.maySee + (kind == nil ? Self.mayChange : Self.mayDelete)
    try await TargetFixture.withRole(
      "o bigint, line integer, _sluice_deleted_at timestamptz, primary key (o, line)", policies
    ) { owner, loader, _ in
      func lines(_ number: Int, _ count: Int) async throws -> SnapshotToLoad {
        var snapshot = try await owner.snapshot(
          number, key: ["o", "line"], "select 1::bigint as o, i::int as line from range(\(count)) r(i)")
        snapshot.replaces = ["o"]
        return snapshot
      }
      let table = TargetFixture.table(.merge, key: ["o", "line"], deletes: kind.map { LoadTable.Deletes(kind: $0) })
      let (two, one) = (try await lines(1, 2), try await lines(2, 1))
      try await loader.load(table, [two])
      #expect(await loader.failure(table, [two, one], ticket: 2)?.code == "target_rows_hidden")
      try await owner.execute("create policy all_rows on mart.orders using (true)")
      #expect(try await loader.load(table, [two, one], ticket: 3).last?.deleted == 1)
    }
  }

  @Test("an update that a policy forbids is refused, and changes nothing")
  func update() async throws {
    try await TargetFixture.withRole(Self.layout, Self.mayAdd + Self.maySee) { owner, loader, _ in
      let first = try await both(owner)
      let second = try await owner.snapshot(2, "select unnest([1, 3]) as id, 'b' as t")
      try await loader.load(merge(nil), [first])
      let failure = await loader.failure(merge(nil), [first, second], ticket: 2)
      #expect(failure?.code == "target_permission" && failure?.message.contains("row-level security") == true)
      #expect(failure?.hint?.contains("policy") == true)
      #expect(try await owner.rows(rows) == ["(1,a,f)", "(2,a,f)"])
    }
  }

  @Test("rows of others that a policy hides stay, and loaded rows that are hidden since are refused until accepted")
  func tenants() async throws {
    try await TargetFixture.withRole(
      Self.layout, "create policy own on mart.orders to ROLE using (id < 100 and t <> 'hidden')"
    ) { owner, loader, _ in
      let (first, second) = (try await both(owner), try await one(owner))
      try await owner.execute("insert into mart.orders values (100, 'theirs')")
      try await loader.load(merge(.hard), [first])
      try await loader.load(merge(.hard), [first, second], ticket: 2)
      #expect(try await owner.rows(rows) == ["(1,a,f)", "(100,theirs,f)"])

      try await owner.execute(
        "update mart.orders set t = 'hidden' where id = 1; insert into mart.orders values (2, 'a')")
      let third = try await owner.snapshot(3, full: true, "select unnest([3, 4]) as id, 'a' as t")
      try await loader.load(merge(.hard), [first, second, third], ticket: 3)
      try await owner.execute("update mart.orders set t = 'hidden' where id = 3")
      let last = try await owner.snapshot(4, full: true, "select 5 as id, 'a' as t")
      let failure = await loader.failure(merge(.hard), [first, second, third, last], ticket: 4)
      #expect(failure?.code == "target_rows_hidden" && failure?.hint?.contains("--accept") == true)
      try await loader.load(merge(.hard), [first, second, third, last], repair: .accept, ticket: 5)
      #expect(try await owner.rows("select id from mart.orders order by id") == ["(1)", "(3)", "(5)", "(100)"])
    }
  }

  private static let layouts = [
    "create table mart.orders (\(layout));",
    "create table mart.orders (\(layout)) partition by range (id); create table mart.part partition of mart.orders default;",
  ]

  private static func trigger(_ event: String, _ table: String = "mart.orders") -> String {
    """
    create function mart.keep() returns trigger language plpgsql as $$ begin return null; end $$;
    create trigger keeping before \(event) on \(table) for each row execute function mart.keep();
    """
  }

  @Test(
    "a trigger that keeps rows which have to go is refused by name",
    arguments: [
      (LoadTable.Mode.merge, LoadTable.Deletes.Kind?.some(.hard), "delete"), (.merge, .soft, "update"),
      (.replace, nil, "delete"), (.append, nil, "delete"),
    ], layouts)
  func trigger(
    _ one: (mode: LoadTable.Mode, kind: LoadTable.Deletes.Kind?, event: String), layout: String
  ) async throws {
    try await TargetFixture.with { fixture in
      let table = TargetFixture.table(
        one.mode, key: one.mode == .merge ? ["id"] : [], deletes: one.kind.map { LoadTable.Deletes(kind: $0) })
      try await fixture.execute("create schema mart; \(layout)")
      let first = try await both(fixture)
      var second = try await fixture.snapshot(2, full: true, "select 3 as id, 'a' as t")
      if one.mode == .append { second.repeats = [first.uuid] }
      try await fixture.load(table, [first])
      // On the partition where there is one.
      let place = layout.contains("mart.part") ? "mart.part" : "mart.orders"
      try await fixture.execute(Self.trigger(one.event, place))
      let failure = await fixture.failure(table, [first, second], ticket: 2)
      #expect(failure?.code == "target_rows_kept" && failure?.hint?.contains("keeping") == true)
      if one.mode == .append {
        #expect(await fixture.failure(table, [first], without: [first], ticket: 3)?.code == "target_rows_kept")
        #expect(await fixture.failure(table, [first], repair: .reload, ticket: 4)?.code == "target_rows_kept")
      }
      #expect(try await fixture.rows(rows) == ["(1,a,f)", "(2,a,f)"])
      try await fixture.execute("alter table \(place) disable trigger keeping")
      try await fixture.load(table, [first, second], ticket: 5)
      #expect(try await fixture.rows("select id from mart.orders where _sluice_deleted_at is null") == ["(3)"])
    }
  }

  @Test("rows that a trigger leaves out of a merge are told and not counted", arguments: layouts)
  func leftOut(layout: String) async throws {
    try await TargetFixture.with { fixture in
      try await fixture.execute(
        """
        create schema mart; \(layout)
        create function mart.odd() returns trigger language plpgsql as $$
          begin if new.id % 2 = 0 then return null; end if; new.t := upper(new.t); return new; end $$;
        create trigger odd before insert or update on mart.orders for each row execute function mart.odd()
        """)
      let told = Told()
      let hooks = LoadHooks(event: { kind, message in told.note("\(kind): \(message)") })
      let first = try await fixture.snapshot(1, "select unnest([1, 2, 3]) as id, 'a' as t")
      let second = try await fixture.snapshot(2, "select unnest([1, 4]) as id, 'b' as t")
      let loaded = try await fixture.load(merge(nil), [first], hooks: hooks)
      #expect(loaded.last?.inserted == 2 && loaded.last?.updated == 0)
      let next = try await fixture.load(merge(nil), [first, second], ticket: 2, hooks: hooks).last
      #expect(next?.inserted == 0 && next?.updated == 1)
      #expect(try await fixture.rows(rows) == ["(1,B,f)", "(3,A,f)"])
      #expect(told.all.count == 2 && told.all.allSatisfy { $0.hasPrefix("rows_not_taken: ") && $0.contains("odd") })
      #expect(told.all.first?.contains("1 of 3 rows") == true)
      #expect(try await fixture.rows("select kept from sluice_ledger.mark") == ["(2)"])
    }
  }

  @Test("a key in a table that inherits is not merged a second time; appending and other keys go on")
  func inherited() async throws {
    try await TargetFixture.with { fixture in
      try await fixture.execute(
        """
        create schema mart; create table mart.orders (\(Self.layout)); create table mart.old () inherits (mart.orders);
        insert into mart.old values (1, 'old')
        """)
      let other = try await fixture.snapshot(1, "select 2 as id, 'a' as t")
      let same = try await fixture.snapshot(2, "select unnest([1, 3]) as id, 'a' as t")
      try await fixture.load(merge(nil), [other])
      #expect(await fixture.failure(merge(nil), [other, same], ticket: 2)?.code == "target_inherited")
      #expect(try await fixture.rows(rows) == ["(1,old,f)", "(2,a,f)"])
    }
  }

  @Test("a role with rights on columns alone is refused with the grants")
  func columnRights() async throws {
    try await TargetFixture.withRole(Self.layout, "create policy own on mart.orders to ROLE using (true)") {
      owner, loader, role in
      try await owner.execute(
        """
        revoke all on mart.orders from "\(role)"; grant select (id, t), insert (id, t), update (t) on mart.orders to "\(role)"
        """)
      let failure = await loader.failure(merge(nil), [try await both(owner)])
      #expect(failure?.code == "target_permission" && failure?.hint?.contains("grant select, insert") == true)
    }
  }
}
