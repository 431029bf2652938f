import JobModel
import PipelineDefinition
import Testing

@testable import Loading

@Suite("Appending to and replacing a table")
struct AppendReplaceTests {
  @Test("append keeps every batch under its name, and a repeat of a batch takes the rows of the first one out")
  func append() async throws {
    try await TargetFixture.with { fixture in
      let append = TargetFixture.table(.append)
      let first = try await fixture.snapshot(1, "select 1 as id", "select 2 as id")
      let second = try await fixture.snapshot(2, "select 2 as id")
      try await fixture.load(append, [first, second])
      let rows = "select id, right(_sluice_batch::text, 1) as batch from mart.orders order by id, batch"
      #expect(try await fixture.rows(rows) == ["(1,1)", "(2,1)", "(2,2)"])
      var replay = try await fixture.snapshot(3, "select 7 as id")
      replay.repeats = [first.uuid]
      let loaded = try await fixture.load(append, [first, second, replay], ticket: 2)
      #expect(loaded.last?.deleted == 2)
      #expect(try await fixture.rows(rows) == ["(2,2)", "(7,3)"])
    }
  }

  @Test("without the column a first load is fine and a repeat is refused")
  func appendWithoutBatch() async throws {
    try await TargetFixture.with { fixture in
      try await fixture.execute("create schema mart; create table mart.orders (id integer)")
      let append = TargetFixture.table(.append)
      let first = try await fixture.snapshot(1, "select 1 as id")
      try await fixture.load(append, [first])
      try await fixture.load(append, [first], ticket: 2)
      var replay = try await fixture.snapshot(2, "select 7 as id")
      replay.repeats = [first.uuid]
      #expect(await fixture.failure(append, [first, replay], ticket: 3)?.code == "append_repeat_refused")
      #expect(try await fixture.rows("select * from mart.orders") == ["(1)"])
    }
  }

  @Test("readers see the old rows until a replacement is committed, and never wait for it")
  func replace() async throws {
    try await TargetFixture.with { fixture in
      let replace = TargetFixture.table(.replace)
      let first = try await fixture.snapshot(1, full: true, "select unnest([1, 2, 3]) as id")
      let second = try await fixture.snapshot(2, full: true, "select unnest([3, 4]) as id")
      try await fixture.load(replace, [first])
      let steps = Steps()
      let loaded = try await fixture.load(
        replace, [first, second], ticket: 2,
        hooks: steps.hooks(at: .loadInsideFinal) {
          let seen = try await fixture.rows("select * from mart.orders order by 1")
          #expect(seen == ["(1)", "(2)", "(3)"])
        })
      #expect(steps[.loadInsideFinal] == 1)
      #expect(
        loaded.last
          == LoadedSnapshot(uuid: second.uuid, status: .loaded, rows: 2, inserted: 2, deleted: 3, isNew: true))
      #expect(try await fixture.rows("select * from mart.orders order by 1") == ["(3)", "(4)"])
    }
  }

  @Test("a full snapshot without rows, and a replacement by a part of the dataset, fail and change nothing")
  func refused() async throws {
    try await TargetFixture.with { fixture in
      let replace = TargetFixture.table(.replace)
      let first = try await fixture.snapshot(1, full: true, "select 1 as id")
      try await fixture.load(replace, [first])
      let empty = try await fixture.snapshot(2, full: true, "select 1 as id limit 0")
      #expect(await fixture.failure(replace, [first, empty], ticket: 2)?.code == "full_snapshot_empty")
      let part = try await fixture.snapshot(3, "select 2 as id")
      #expect(await fixture.failure(replace, [first, part], ticket: 3)?.code == "replace_needs_full")
      #expect(try await fixture.rows("select * from mart.orders") == ["(1)"])
    }
  }

  @Test("an incremental snapshot without files is loaded: it is in the ledger")
  func nothingNew() async throws {
    try await TargetFixture.with { fixture in
      var snapshot = try await fixture.snapshot(1, "select 1 as id")
      snapshot.files = []
      let loaded = try await fixture.load(TargetFixture.table(.merge), [snapshot])
      #expect(loaded == [LoadedSnapshot(uuid: snapshot.uuid, status: .loaded, isNew: true)])
    }
  }
}
