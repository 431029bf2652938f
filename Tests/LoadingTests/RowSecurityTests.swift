import JobModel
import PipelineDefinition
import Postgres
import Testing

@testable import Loading

@Suite("Tables whose rows row-level security hides from the loading role")
struct RowSecurityTests {
  private let rows = "select id, t from mart.orders order by id"

  private func first(_ fixture: TargetFixture) async throws -> SnapshotToLoad {
    try await fixture.snapshot(1, "select 1 as id, 'a' as t", "select 2 as id, 'b' as t")
  }

  private func second(_ fixture: TargetFixture) async throws -> SnapshotToLoad {
    try await fixture.snapshot(2, "select 3 as id, 'c' as t")
  }

  @Test(
    "rows that were loaded and are hidden are not taken for gone, and the hint shows them",
    arguments: [LoadTable.Mode.append, .merge], ["", "vacuum full mart.orders"])
  func hidden(mode: LoadTable.Mode, change: String) async throws {
    try await TargetFixture.withRole(
      "id integer primary key, t text, _sluice_batch uuid", "create policy own on mart.orders to ROLE using (true)"
    ) { owner, loader, role in
      let (one, two) = (try await first(owner), try await second(owner))
      let table = TargetFixture.table(mode, key: mode == .merge ? ["id"] : [])
      try await loader.load(table, [one])
      try await owner.execute(
        "drop policy own on mart.orders; create policy own on mart.orders for insert with check (true)")
      if !change.isEmpty { try await owner.execute(change) }
      let failure = await loader.failure(table, [one, two], ticket: 2)
      #expect(failure?.code == "target_rows_hidden")
      #expect(failure?.isTransient == false)
      #expect(failure?.message.contains(role) == true)
      #expect(try await owner.rows(rows) == ["(1,a)", "(2,b)"])
      // The statement of the hint, up to the other way.
      let hint = failure?.hint ?? ""
      let statement = try #require(hint.firstMatch(of: #/create policy .* using \(true\)/#))
      try await owner.execute(String(statement.output))
      try await loader.load(table, [one, two], ticket: 3)
      #expect(try await owner.rows(rows) == ["(1,a)", "(2,b)", "(3,c)"])
    }
  }

  @Test("a role that sees a part of the rows continues while that is as many as were loaded")
  func part() async throws {
    try await TargetFixture.withRole(
      "id integer, t text, _sluice_batch uuid",
      "create policy own on mart.orders to ROLE using (id < 100); create policy adding on mart.orders for insert to ROLE with check (true)"
    ) { owner, loader, _ in
      let append = TargetFixture.table(.append)
      let (one, two) = (try await first(owner), try await second(owner))
      // An empty table hides nothing.
      try await loader.load(append, [one])
      try await owner.execute("insert into mart.orders values (100, 'theirs')")
      for change in ["", "vacuum full mart.orders"] {
        if !change.isEmpty { try await owner.execute(change) }
        try await loader.load(append, [one], ticket: 2)
      }
      try await loader.load(append, [one, two], ticket: 3)
      try await owner.execute("update mart.orders set id = id + 1000")
      try await owner.execute("vacuum full mart.orders")
      #expect(await loader.failure(append, [one, two], ticket: 4)?.code == "target_rows_hidden")
      // What is gone is told as gone.
      try await owner.execute("truncate mart.orders")
      #expect(await loader.failure(append, [one, two], ticket: 5)?.code == "target_changed")
    }
  }

  @Test(
    "a batch that is in and hidden is not appended again where the ledger was lost, nor accepted, nor reloaded",
    arguments: ["id integer, t text, _sluice_batch uuid", "id integer, t text"])
  func ledgerLost(columns: String) async throws {
    try await TargetFixture.withRole(columns, "create policy own on mart.orders to ROLE using (true)") {
      owner, loader, _ in
      let append = TargetFixture.table(.append)
      let one = try await first(owner)
      try await loader.load(append, [one])
      try await owner.execute(
        "drop policy own on mart.orders; create policy own on mart.orders for insert with check (true); "
          + "drop schema sluice_ledger cascade")
      for repair in [nil, TableRepair.accept, .reload] {
        let failure = await loader.failure(append, [one], repair: repair, recorded: [one], ticket: 2)
        #expect(failure?.code == "target_rows_hidden")
      }
      #expect(try await owner.rows(rows) == ["(1,a)", "(2,b)"])
    }
  }

  @Test(
    "rows that a policy keeps from a DELETE are not replaced or repeated by a second copy",
    arguments: [LoadTable.Mode.append, .replace])
  func kept(mode: LoadTable.Mode) async throws {
    try await TargetFixture.withRole(
      "id integer, t text, _sluice_batch uuid",
      "create policy seeing on mart.orders for select to ROLE using (true); create policy adding on mart.orders for insert to ROLE with check (true)"
    ) { owner, loader, _ in
      let table = TargetFixture.table(mode)
      let one = try await owner.snapshot(1, full: true, "select 1 as id, 'a' as t")
      var two = try await owner.snapshot(2, full: true, "select 2 as id, 'b' as t")
      two.repeats = [one.uuid]
      try await loader.load(table, [one])
      let failure = await loader.failure(table, [one, two], ticket: 2)
      #expect(failure?.code == "target_rows_hidden")
      #expect(failure?.hint?.contains("for delete") == true)
      if mode == .append {
        #expect(await loader.failure(table, [one], repair: .reload, ticket: 3)?.code == "target_rows_hidden")
      }
      #expect(try await owner.rows(rows) == ["(1,a)"])
      try await owner.execute("create policy taking on mart.orders for delete using (true)")
      try await loader.load(table, [one, two], ticket: 4)
      #expect(try await owner.rows(rows) == ["(2,b)"])
    }
  }

  @Test("a restrictive policy is named, and a policy of another role shows nothing")
  func restrictive() async throws {
    try await TargetFixture.withRole(
      "id integer, t text, _sluice_batch uuid",
      "create policy own on mart.orders to ROLE using (true); create policy other on mart.orders to current_user using (true)"
    ) { owner, loader, _ in
      let append = TargetFixture.table(.append)
      let (one, two) = (try await first(owner), try await second(owner))
      try await loader.load(append, [one])
      try await owner.execute("create policy night on mart.orders as restrictive for select using (t = 'z')")
      let restricted = await loader.failure(append, [one, two], ticket: 2)
      #expect(restricted?.code == "target_rows_hidden" && restricted?.hint?.contains("\"night\"") == true)
      try await owner.execute("drop policy night on mart.orders; drop policy own on mart.orders")
      #expect(await loader.failure(append, [one, two], ticket: 3)?.code == "target_rows_hidden")
      #expect(try await owner.rows(rows) == ["(1,a)", "(2,b)"])
    }
  }
}
