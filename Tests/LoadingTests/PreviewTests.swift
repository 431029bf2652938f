import JobModel
import PipelineDefinition
import Testing

@testable import Loading

@Suite("A load that is previewed")
struct PreviewTests {
  private func preview(
    _ fixture: TargetFixture, _ table: LoadTable, _ snapshot: SnapshotToLoad
  ) async -> (any Failure)? {
    do {
      try await fixture.target.preview(
        TableLoad(table: table, snapshots: [snapshot]), by: TargetFixture.loader(ticket: 0, job: 0))
      return nil
    } catch { return error as? any Failure }
  }

  private let relations =
    "select count(*) from pg_class where relnamespace::regnamespace::text in ('mart', 'sluice_ledger')"

  @Test("a table that is not there is made and taken back: nothing is left, and no ledger is made")
  func missing() async throws {
    try await TargetFixture.with { fixture in
      let snapshot = try await fixture.snapshot(1, "select 1 as id, 'a' as name")
      #expect(await preview(fixture, TargetFixture.table(.merge), snapshot) == nil)
      #expect(
        try await fixture.rows("select nspname from pg_namespace where nspname in ('mart', 'sluice_ledger')").isEmpty)
      #expect(await preview(fixture, TargetFixture.table(.merge, key: ["number"]), snapshot)?.code == "key_missing")
    }
  }

  @Test("what loading would refuse is refused, and rows and ledger stay as they are")
  func refused() async throws {
    try await TargetFixture.with { fixture in
      let merge = TargetFixture.table(.merge)
      let first = try await fixture.snapshot(1, "select 1 as id, 'a' as name")
      try await fixture.load(merge, [first])
      let before = try await fixture.rows(relations)
      let other = try await fixture.snapshot(2, "select 1 as id, 5 as name")
      #expect(await preview(fixture, merge, other)?.code == "type_conflict")
      let more = try await fixture.snapshot(3, "select 1 as id, 'a' as name, true as is_new")
      let failure = try #require(await preview(fixture, merge, more))
      #expect(failure.code == "target_column_missing")
      #expect(failure.hint?.contains("add column") == true)
      #expect(await preview(fixture, merge, try await fixture.snapshot(4, "select 2 as id, 'b' as name")) == nil)
      #expect(try await fixture.rows("select * from mart.orders") == ["(1,a)"])
      #expect(try await fixture.rows(relations) == before)
    }
  }

  @Test("a target that is down may be previewed another time")
  func down() async throws {
    try await TargetFixture.with(url: "postgresql://loader:s3cret@127.0.0.1:1/none") { fixture in
      let snapshot = try await fixture.snapshot(1, "select 1 as id")
      let failure = try #require(await preview(fixture, TargetFixture.table(.merge), snapshot))
      #expect(failure.isTransient && !failure.description.contains("s3cret"))
    }
  }
}
