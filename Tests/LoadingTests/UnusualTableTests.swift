import JobModel
import PipelineDefinition
import Testing

@testable import Loading

/// Tables of users, with all that PostgreSQL lets them do to a row on its way in.
@Suite("Loading into tables that do something of their own")
struct UnusualTableTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var testDescription: String
    /// `TABLE` is the table's name.
    var script: String
    /// What is in afterwards.
    var rows: [String]

    init(_ testDescription: String, rows: [String] = ["(1,a)", "(2,b)", "(3,c)", "(4,d)"], _ script: String) {
      self.testDescription = testDescription
      self.script = script
      self.rows = rows
    }
  }

  private static let plain = "create table mart.TABLE (id integer, t text);"

  static let cases = [
    Case(
      "a trigger that changes rows and drops some", rows: ["(1,A)", "(3,C)", "(4,D)"],
      """
      \(plain) create function mart.change_TABLE() returns trigger language plpgsql as $$
        begin if new.id = 2 then return null; end if; new.t := upper(new.t); return new; end $$;
      create trigger change before insert on mart.TABLE for each row execute function mart.change_TABLE();
      """),
    Case(
      "a trigger that writes elsewhere",
      """
      \(plain) create table mart.log_TABLE (id integer);
      create function mart.log_TABLE() returns trigger language plpgsql as $$
        begin insert into mart.log_TABLE values (new.id); return null; end $$;
      create trigger log after insert on mart.TABLE for each row execute function mart.log_TABLE();
      """),
    Case(
      "a trigger over all new rows",
      """
      \(plain) create table mart.log_TABLE (id integer);
      create function mart.log_TABLE() returns trigger language plpgsql as $$
        begin insert into mart.log_TABLE select id from fresh; return null; end $$;
      create trigger log after insert on mart.TABLE referencing new table as fresh
        for each statement execute function mart.log_TABLE();
      """),
    Case(
      "a rule that adds a statement",
      """
      \(plain) create table mart.log_TABLE (id integer);
      create rule log as on insert to mart.TABLE do also insert into mart.log_TABLE values (new.id);
      """),
    Case(
      "partitions with another layout, and a trigger on one of them", rows: ["(1,a)", "(2,b)", "(3,c!)", "(4,d!)"],
      """
      create table mart.TABLE (id integer, t text) partition by range (id);
      create table mart.low_TABLE (gone integer, t text, id integer);
      alter table mart.low_TABLE drop column gone;
      alter table mart.TABLE attach partition mart.low_TABLE for values from (minvalue) to (3);
      create table mart.high_TABLE partition of mart.TABLE default;
      create function mart.change_TABLE() returns trigger language plpgsql as $$
        begin new.t := new.t || '!'; return new; end $$;
      create trigger change before insert on mart.high_TABLE for each row execute function mart.change_TABLE();
      """),
    Case(
      "columns of its own: generated, identity, a default",
      """
      create table mart.TABLE (twice integer generated always as (id * 2) stored, id integer, t text,
        number integer generated always as identity, n integer default 7);
      """),
  ]

  private func table(_ apply: LoadTable.Apply, _ name: String) -> LoadTable {
    var table = TargetFixture.table(.append, name: name)
    table.apply = apply
    return table
  }

  @Test("rows that are appended chunk by chunk are those that were staged, and later loads continue", arguments: cases)
  func same(_ one: Case) async throws {
    try await TargetFixture.with { fixture in
      try await fixture.execute("create schema mart")
      let first = try await fixture.snapshot(1, "select 1 as id, 'a' as t", "select 2 as id, 'b' as t")
      let second = try await fixture.snapshot(2, "select * from (values (3, 'c'), (4, 'd')) r(id, t)")
      for (name, apply) in [("staged", LoadTable.Apply.once), ("chunks", .perChunk)] {
        try await fixture.execute(one.script.replacing("TABLE", with: name))
        let loaded = try await fixture.load(table(apply, name), [first])
        let next = try await fixture.load(table(apply, name), [first, second], ticket: 2)
        #expect(loaded.count == 1 && next.last?.isNew == true)
        #expect(try await fixture.rows("select id, t from mart.\(name) order by id") == one.rows)
      }
      let counted = "select snapshot, inserted from sluice_ledger.ledger where chunk = -1 and table_name = "
      let difference = try await fixture.rows(
        "(\(counted)'mart.staged' except \(counted)'mart.chunks') union all (\(counted)'mart.chunks' except \(counted)'mart.staged')"
      )
      #expect(difference.isEmpty)
      #expect(try await fixture.rows("select distinct kept from sluice_ledger.mark") == ["(\(one.rows.count))"])
      if one.script.contains("log_TABLE (id") {
        #expect(try await fixture.rows("select id from mart.log_chunks order by id") == ["(1)", "(2)", "(3)", "(4)"])
      }
    }
  }

  @Test("row-level security holds for chunks as for staged rows", arguments: [LoadTable.Apply.once, .perChunk])
  func rowLevelSecurity(apply: LoadTable.Apply) async throws {
    try await TargetFixture.with { owner in
      let role = "loader_" + owner.directory.suffix(6)
      let database = String(try await owner.rows("select current_database()")[0].dropFirst().dropLast())
      try await owner.execute(
        """
        create role "\(role)" login; create schema mart; \(Self.plain.replacing("TABLE", with: "orders"))
        alter table mart.orders enable row level security;
        create policy small on mart.orders using (true) with check (id < 10);
        grant usage on schema mart to "\(role)"; grant all on mart.orders to "\(role)";
        grant create on database \(quoteIdentifier(database)) to "\(role)"
        """)
      let fixture = TargetFixture(
        url: owner.url.replacing(#/postgresql://[^@]*@/#, with: "postgresql://\(role)@"), directory: owner.directory,
        duckDB: owner.duckDB)
      let good = try await owner.snapshot(1, "select 1 as id, 'a' as t", "select 2 as id, 'b' as t")
      let bad = try await owner.snapshot(2, "select 10 as id, 'd' as t")
      try await fixture.load(table(apply, "orders"), [good])
      let failure = await fixture.failure(table(apply, "orders"), [good, bad], ticket: 2)
      #expect(failure?.message.contains("row-level security") == true)
      #expect(try await owner.rows("select id, t from mart.orders order by id") == ["(1,a)", "(2,b)"])
      try await owner.execute("drop owned by \"\(role)\" cascade; drop role \"\(role)\"")
    }
  }

  @Test(
    "what takes no rows, or puts them elsewhere, is refused with the way out",
    arguments: [
      ("create view mart.orders as select 1 as id, 'a' as t", "target_not_a_table", "drop"),
      (
        "\(plain) create rule away as on insert to mart.TABLE do instead nothing", "target_rule",
        #"drop rule "away" on "mart"."orders""#
      ),
      (
        "create table mart.TABLE (id integer generated always as identity, t text)", "type_conflict",
        #"alter column "id" set generated by default"#
      ),
      (
        "create table mart.TABLE (n integer, id integer generated always as (n) stored, t text)", "type_conflict",
        #"alter column "id" drop expression"#
      ),
    ], [LoadTable.Apply.once, .perChunk])
  func refused(_ one: (script: String, code: String, hint: String), apply: LoadTable.Apply) async throws {
    try await TargetFixture.with { fixture in
      try await fixture.execute("create schema mart; \(one.script.replacing("TABLE", with: "orders"))")
      let snapshot = try await fixture.snapshot(1, "select 1 as id, 'a' as t")
      let failure = await fixture.failure(table(apply, "orders"), [snapshot])
      #expect(failure?.code == one.code)
      #expect(failure?.hint?.contains(one.hint) == true)
    }
  }

  /// The usual guard of a table that is only added to.
  private static let guarded = """
    create schema mart; create table mart.orders (id integer primary key, t text, _sluice_batch uuid);
    create rule no_delete as on delete to mart.orders do instead nothing;
    """
  private static let noUpdate = "create rule no_update as on update to mart.orders do instead nothing"

  @Test("a table that forbids UPDATE and DELETE by rules is appended to", arguments: [LoadTable.Apply.once, .perChunk])
  func guarded(apply: LoadTable.Apply) async throws {
    try await TargetFixture.with { fixture in
      try await fixture.execute(Self.guarded + Self.noUpdate)
      let first = try await fixture.snapshot(1, "select 1 as id, 'a' as t")
      var second = try await fixture.snapshot(2, "select 2 as id, 'b' as t")
      try await fixture.load(table(apply, "orders"), [first])
      try await fixture.load(table(apply, "orders"), [first, second], ticket: 2)
      let rows = "select id, t from mart.orders order by id"
      #expect(try await fixture.rows(rows) == ["(1,a)", "(2,b)"])

      // What takes rows out cannot: the repeat of a batch, and a snapshot that is left out.
      second = try await fixture.snapshot(3, "select 3 as id, 'c' as t")
      second.repeats = [first.uuid]
      #expect(await fixture.failure(table(apply, "orders"), [first, second], ticket: 3)?.code == "target_rule")
      let leftOut = await fixture.failure(table(apply, "orders"), [first], without: [first], ticket: 4)
      #expect(leftOut?.code == "target_rule")
      #expect(try await fixture.rows(rows) == ["(1,a)", "(2,b)"])
    }
  }

  @Test(
    "a rule counts where the load runs the statement that it is on",
    arguments: [
      (LoadTable.Mode.replace, LoadTable.Deletes.Kind?.none, [String](), String?.some("target_rule")),
      (.merge, nil, [], nil), (.merge, .soft, [], nil), (.merge, .hard, [], "target_rule"),
      (.merge, nil, ["id"], "target_rule"), (.merge, .soft, ["id"], nil),
    ])
  func ruleOnDelete(
    _ one: (mode: LoadTable.Mode, deletes: LoadTable.Deletes.Kind?, replaces: [String], code: String?)
  ) async throws {
    try await TargetFixture.with { fixture in
      try await fixture.execute(Self.guarded + "alter table mart.orders add column _sluice_deleted_at timestamptz")
      var snapshot = try await fixture.snapshot(1, full: one.replaces.isEmpty, "select 1 as id, 'a' as t")
      snapshot.replaces = one.replaces
      let table = TargetFixture.table(one.mode, deletes: one.deletes.map { LoadTable.Deletes(kind: $0) })
      #expect(await fixture.failure(table, [snapshot])?.code == one.code)
      #expect(try await fixture.rows("select id, t from mart.orders") == (one.code == nil ? ["(1,a)"] : []))
    }
  }

  @Test("a merge into a table with a rule on INSERT is refused before anything is staged")
  func mergedWithRule() async throws {
    try await TargetFixture.with { fixture in
      try await fixture.execute(
        """
        create schema mart; create table mart.orders (id integer primary key, t text); create table mart.log (id integer);
        create rule log as on insert to mart.orders do also insert into mart.log values (new.id)
        """)
      let snapshot = try await fixture.snapshot(1, "select 1 as id, 'a' as t")
      #expect(await fixture.failure(TargetFixture.table(.merge), [snapshot])?.code == "target_rule")
      #expect(try await fixture.staged().isEmpty)
    }
  }
}
