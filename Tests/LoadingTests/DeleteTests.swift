import DuckDB
import JobModel
import PipelineDefinition
import Testing

@testable import Loading

@Suite("Deletes by comparing full snapshots")
struct DeleteTests {
  private func merge(_ kind: LoadTable.Deletes.Kind, stopOver: Double? = nil) -> LoadTable {
    TargetFixture.table(.merge, key: ["id"], deletes: LoadTable.Deletes(kind: kind, stopOver: stopOver))
  }

  @Test("soft: keys that are gone are marked, and unmarked when they return")
  func soft() async throws {
    try await TargetFixture.with { fixture in
      let table = merge(.soft)
      let all = try await fixture.snapshot(1, full: true, "select unnest([1, 2, 3]) as id, 'a' as name")
      let fewer = try await fixture.snapshot(2, full: true, "select unnest([1]) as id, 'a' as name")
      let back = try await fixture.snapshot(3, full: true, "select unnest([1, 3]) as id, 'a' as name")
      let rows = "select id, _sluice_deleted_at is not null as gone from mart.orders order by id"
      try await fixture.load(table, [all])
      #expect(try await fixture.load(table, [all, fewer], ticket: 2).last?.deleted == 2)
      #expect(try await fixture.rows(rows) == ["(1,f)", "(2,t)", "(3,t)"])
      let loaded = try await fixture.load(table, [all, fewer, back], ticket: 3).last
      #expect(loaded?.deleted == 0)
      #expect(loaded?.updated == 1)
      #expect(try await fixture.rows(rows) == ["(1,f)", "(2,t)", "(3,f)"])
    }
  }

  @Test("hard: keys that are gone are removed; an incremental snapshot removes nothing")
  func hard() async throws {
    try await TargetFixture.with { fixture in
      let table = merge(.hard)
      let all = try await fixture.snapshot(1, full: true, "select unnest([1, 2, 3]) as id")
      let part = try await fixture.snapshot(2, "select 4 as id")
      let fewer = try await fixture.snapshot(3, full: true, "select unnest([1, 5]) as id")
      try await fixture.load(table, [all, part])
      #expect(try await fixture.rows("select * from mart.orders order by 1") == ["(1)", "(2)", "(3)", "(4)"])
      #expect(try await fixture.load(table, [all, part, fewer], ticket: 2).last?.deleted == 3)
      #expect(try await fixture.rows("select * from mart.orders order by 1") == ["(1)", "(5)"])
    }
  }

  @Test("a key in quarantine is not deleted")
  func quarantine() async throws {
    try await TargetFixture.with { fixture in
      let table = merge(.hard)
      let path = fixture.directory + "/quarantine.parquet"
      try await fixture.duckDB.run(
        "copy (select '{\"id\":\" 2\"}' as key union all select '{\"id\":\"99\"}') to '\(path)' (format parquet)",
        in: .init(directory: fixture.directory), limits: .init())
      let all = try await fixture.snapshot(1, full: true, "select unnest([1, 2, 3]) as id")
      let fewer = try await fixture.snapshot(
        2, full: true, quarantined: .file(path: path), "select 1 as id")
      let loaded = try await fixture.load(table, [all, fewer])
      #expect(loaded.map(\.status) == [.superseded, .loaded])
      #expect(try await fixture.rows("select * from mart.orders order by 1") == ["(1)"])
      let last = try await fixture.snapshot(
        4, full: true, quarantined: .file(path: path), "select 1 as id")
      let more = try await fixture.snapshot(3, full: true, "select unnest([1, 2, 3]) as id")
      try await fixture.load(table, [all, fewer, more], ticket: 2)
      #expect(try await fixture.load(table, [all, fewer, more, last], ticket: 3).last?.deleted == 1)
      #expect(try await fixture.rows("select * from mart.orders order by 1") == ["(1)", "(2)"])
    }
  }

  @Test(
    "where a quarantined row's key cannot be read nothing is deleted, and an event says so",
    arguments: [nil, "{\"id\":null}", "{\"id\":\"12x\"}", "{}"])
  func unreadable(key: String?) async throws {
    try await TargetFixture.with { fixture in
      let table = merge(.soft)
      var keys = QuarantinedKeys.unreadable
      if let key {
        let path = fixture.directory + "/quarantine.parquet"
        try await fixture.duckDB.run(
          "copy (select '\(key)' as key) to '\(path)' (format parquet)", in: .init(directory: fixture.directory),
          limits: .init())
        keys = .file(path: path)
      }
      let all = try await fixture.snapshot(1, full: true, "select unnest([1, 2]) as id, 'a' as name")
      let fewer = try await fixture.snapshot(2, full: true, quarantined: keys, "select 1 as id, 'b' as name")
      try await fixture.load(table, [all])
      let steps = Steps()
      let loaded = try await fixture.load(table, [all, fewer], ticket: 2, hooks: steps.hooks())
      #expect(loaded.last?.deleted == 0)
      #expect(steps.events == ["deletes_left_out"])
      #expect(
        try await fixture.rows("select id, name, _sluice_deleted_at from mart.orders order by 1") == [
          "(1,b,)", "(2,a,)",
        ])
    }
  }

  @Test("over stop_over the load fails and nothing changes; at it the rows go")
  func stopOver() async throws {
    try await TargetFixture.with { fixture in
      let table = merge(.hard, stopOver: 0.5)
      let all = try await fixture.snapshot(1, full: true, "select unnest([1, 2, 3, 4]) as id")
      let one = try await fixture.snapshot(2, full: true, "select unnest([1, 9]) as id")
      let two = try await fixture.snapshot(3, full: true, "select unnest([1, 2]) as id")
      try await fixture.load(table, [all])
      let failure = await fixture.failure(table, [all, one], ticket: 2)
      #expect(failure?.code == "deletes_stop_over")
      #expect(failure?.message.contains("3 of 4 rows") == true)
      #expect(try await fixture.rows("select count(*) from mart.orders") == ["(4)"])
      let loaded = try await fixture.load(table, [all, one, two], ticket: 3)
      #expect(loaded.map(\.status) == [.loaded, .superseded, .loaded])
      #expect(loaded.last?.deleted == 2)
      #expect(try await fixture.rows("select * from mart.orders order by 1") == ["(1)", "(2)"])
      #expect(try await fixture.staged().isEmpty)
    }
  }

  @Test("soft deletes into a table without the column fail with the statement that adds it")
  func noColumn() async throws {
    try await TargetFixture.with { fixture in
      try await fixture.execute("create schema mart; create table mart.orders (id integer primary key)")
      let all = try await fixture.snapshot(1, full: true, "select 1 as id")
      let failure = await fixture.failure(merge(.soft), [all])
      #expect(failure?.code == "target_column_missing")
      try await fixture.execute(try #require(failure?.hint))
      #expect(await fixture.failure(merge(.soft), [all], ticket: 2) == nil)
    }
  }

  @Test("a full snapshot without rows deletes nothing and fails")
  func empty() async throws {
    try await TargetFixture.with { fixture in
      let all = try await fixture.snapshot(1, full: true, "select 1 as id")
      try await fixture.load(merge(.hard), [all])
      let none = try await fixture.snapshot(2, full: true, "select 1 as id limit 0")
      #expect(await fixture.failure(merge(.hard), [all, none], ticket: 2)?.code == "full_snapshot_empty")
      #expect(try await fixture.rows("select * from mart.orders") == ["(1)"])
    }
  }
}
