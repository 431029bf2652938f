import FoundationEssentials
import JobModel
import PipelineDefinition
import Testing

@testable import Loading

@Suite("A snapshot that a table refuses")
struct LeftOutTests {
  private let rows = "select id from mart.orders order by id"

  private static func table(_ apply: LoadTable.Apply, mode: LoadTable.Mode = .append) -> LoadTable {
    var table = TargetFixture.table(mode)
    table.apply = apply
    return table
  }

  /// The second of three; its third chunk has no name.
  private func snapshots(_ fixture: TargetFixture) async throws -> [SnapshotToLoad] {
    [
      try await fixture.snapshot(1, "select 1 as id, 'a' as name"),
      try await fixture.snapshot(
        2, "select 2 as id, 'b' as name", "select 3 as id, 'b' as name", "select 4 as id, null::varchar as name"),
      try await fixture.snapshot(3, "select 5 as id, 'c' as name"),
    ]
  }

  @Test(
    "the error names the command that loads the later ones without it, and nothing of it is in the table then",
    arguments: [LoadTable.Apply.perChunk, .once], [true, false])
  func leftOut(apply: LoadTable.Apply, batch: Bool) async throws {
    try await TargetFixture.with { fixture in
      let all = try await snapshots(fixture)
      let table = Self.table(apply)
      let column = batch ? ", _sluice_batch uuid" : ""
      try await fixture.execute(
        "create schema mart; create table mart.orders (id integer, name text not null\(column)); "
          + "insert into mart.orders values (9, 'theirs')")
      let single = PostgresTarget(
        name: "warehouse", url: fixture.url, duckDB: fixture.duckDB, directory: fixture.directory, streams: 1)
      await #expect {
        try await single.load(
          TableLoad(table: table, snapshots: all), by: TargetFixture.loader(ticket: 1), hooks: LoadHooks())
      } throws: { error in
        let failure = error as? StageFailure
        let command =
          "sluice reload shop --target warehouse --table 'mart.orders' --env test --without \(TargetFixture.uuid(2))"
        return failure?.code == "target_not_null" && failure?.hint?.hasSuffix(command) == true
      }
      #expect(try await fixture.rows(rows).count == (apply == .perChunk ? 4 : 2))
      // What others do between keeps the rows' own transactions.
      try await fixture.execute("vacuum (full, freeze) mart.orders")
      let steps = Steps()
      let loaded = try await fixture.load(table, all, without: [all[1]], ticket: 2, hooks: steps.hooks())
      #expect(loaded.map(\.status) == [.loaded, .superseded, .loaded])
      #expect(loaded.map(\.isNew) == [false, true, true])
      #expect(loaded[1].deleted == (apply == .perChunk ? 2 : 0))
      #expect(steps.events == ["left_out"])
      #expect(try await fixture.rows(rows) == ["(1)", "(5)", "(9)"])
      #expect(try await fixture.rows("select kept from sluice_ledger.mark") == ["(2)"])
      #expect(try await fixture.staged().isEmpty)
      // It stays out of every later load, also where the command comes again.
      #expect(try await fixture.load(table, all, ticket: 3).map(\.isNew) == [false, false, false])
      #expect(try await fixture.load(table, all, without: [all[1]], ticket: 4)[1].deleted == 0)
      #expect(try await fixture.rows(rows) == ["(1)", "(5)", "(9)"])
    }
  }

  @Test("rows that cannot be told from others stay, and the event says how many")
  func staying() async throws {
    try await TargetFixture.with { fixture in
      let all = try await snapshots(fixture)
      let table = Self.table(.perChunk)
      try await fixture.execute("create schema mart; create table mart.orders (id integer, name text not null)")
      #expect(await fixture.failure(table, all)?.code == "target_not_null")
      // As after a restore of the table's rows.
      try await fixture.execute("create table mart.copy as table mart.orders")
      let begun = try await fixture.rows("select id from mart.orders where id > 1").count
      try await fixture.execute("delete from mart.orders; insert into mart.orders table mart.copy")
      let message = Told()
      try await fixture.load(
        table, all, without: [all[1]], ticket: 2, hooks: LoadHooks(event: { message.note("\($0): \($1)") }))
      let expected = begun == 0 ? "0 rows were deleted" : "up to \(begun) of its rows stay in the table"
      #expect(message.all.contains { $0.contains(expected) }, "\(message.all)")
      #expect(try await fixture.rows(rows).count == 2 + begun)
    }
  }

  @Test("a batch that is in can be taken out of a table that keeps its name; of another one that is refused")
  func takenOut() async throws {
    try await TargetFixture.with { fixture in
      let all =
        Array(try await snapshots(fixture).prefix(1)) + [try await fixture.snapshot(4, "select 7 as id, 'd' as name")]
      try await fixture.load(Self.table(.once), all)
      let loaded = try await fixture.load(Self.table(.once), all, without: [all[0]], ticket: 2)
      #expect(loaded.map(\.status) == [.superseded, .loaded])
      #expect(try await fixture.rows(rows) == ["(7)"])

      var merged = TargetFixture.table(.merge, name: "merged")
      merged.key = ["id"]
      try await fixture.load(merged, all, ticket: 3)
      let failure = await fixture.failure(merged, all, without: [all[0]], ticket: 4)
      #expect(failure?.code == "leave_out_refused")
      #expect(try await fixture.rows("select id from mart.merged order by id") == ["(1)", "(7)"])
      let unknown = try await fixture.snapshot(8, "select 1 as id")
      #expect(await fixture.failure(merged, all, without: [unknown], ticket: 5)?.code == "snapshot_unknown")
    }
  }

  @Test(
    "a full snapshot that the table refuses does not take the older one's place, nor after it was left out",
    arguments: [LoadTable.Mode.replace, .merge])
  func full(mode: LoadTable.Mode) async throws {
    try await TargetFixture.with { fixture in
      try await fixture.execute(
        "create schema mart; create table mart.orders (id integer primary key, name text not null)")
      let all = [
        try await fixture.snapshot(1, full: true, "select unnest([1, 2]) as id, 'a' as name"),
        try await fixture.snapshot(2, full: true, "select 3 as id, null::varchar as name"),
      ]
      let table = Self.table(.once, mode: mode)
      #expect(await fixture.failure(table, all)?.hint?.contains("--without \(all[1].uuid)") == true)
      #expect(try await fixture.rows("select count(*) from sluice_ledger.ledger") == ["(0)"])
      try await fixture.load(table, all, without: [all[1]], ticket: 2)
      #expect(try await fixture.rows(rows) == ["(1)", "(2)"])
      let next = try await fixture.snapshot(3, full: true, "select unnest([2, 4]) as id, 'c' as name")
      try await fixture.load(table, all + [next], ticket: 3)
      #expect(try await fixture.rows("select id from mart.orders where name = 'c' order by id") == ["(2)", "(4)"])
      #expect(
        try await fixture.rows("select status from sluice_ledger.ledger where chunk = -1 order by number")
          == ["(loaded)", "(superseded)", "(loaded)"])
    }
  }

  @Test("one that is named twice is left out once")
  func namedTwice() async throws {
    try await TargetFixture.with { fixture in
      let all =
        Array(try await snapshots(fixture).prefix(1)) + [try await fixture.snapshot(4, "select 7 as id, 'd' as name")]
      let steps = Steps()
      try await fixture.load(Self.table(.once), all)
      // The catalog asks for what is after it.
      let loaded = try await fixture.load(
        Self.table(.once), [all[1]], without: [all[0], all[0]], ticket: 2, hooks: steps.hooks())
      #expect(loaded.map(\.uuid) == all.map(\.uuid))
      #expect(loaded[0].deleted == 1)
      #expect(steps.events == ["left_out"])
      #expect(try await fixture.rows(rows) == ["(7)"])
    }
  }

  @Test("it stays out of a reload, until one is told to load it too")
  func reloaded() async throws {
    try await TargetFixture.with { fixture in
      let all = try await snapshots(fixture)
      let table = Self.table(.perChunk)
      try await fixture.execute(
        "create schema mart; create table mart.orders (id integer, name text not null, _sluice_batch uuid)")
      #expect(await fixture.failure(table, all) != nil)
      try await fixture.load(table, all, without: [all[1]], ticket: 2)
      try await fixture.execute("truncate mart.orders")
      try await fixture.load(table, all, repair: .reload, ticket: 3, job: 7)
      #expect(try await fixture.rows(rows) == ["(1)", "(5)"])
      try await fixture.execute("alter table mart.orders alter column name drop not null")
      try await fixture.load(table, all, repair: .reload, with: [all[1]], ticket: 4, job: 8)
      #expect(try await fixture.rows(rows) == ["(1)", "(2)", "(3)", "(4)", "(5)"])
      try await fixture.load(table, all, repair: .reload, ticket: 5, job: 9)
      #expect(try await fixture.rows(rows) == ["(1)", "(2)", "(3)", "(4)", "(5)"])
    }
  }

  @Test("a file that cannot be read any more blocks no later snapshot either")
  func brokenFile() async throws {
    try await TargetFixture.with { fixture in
      var all = try await snapshots(fixture)
      all.remove(at: 1)
      let path = all[0].files[0].localPath
      try "no Parquet".write(toFile: path, atomically: false, encoding: .utf8)
      let failure = await fixture.failure(Self.table(.once), all)
      #expect(
        failure?.hint?.contains("--without \(all[0].uuid)") == true, "\(failure?.code ?? "") \(failure?.message ?? "")")
      try await fixture.load(Self.table(.once), all, without: [all[0]], ticket: 2)
      #expect(try await fixture.rows(rows) == ["(5)"])
    }
  }
}
