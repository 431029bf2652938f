import JobModel
import PipelineDefinition
import Testing

@testable import Loading

@Suite("Rows of a parent in a target")
struct ReplacedRowTests {
  private func lines(
    _ fixture: TargetFixture, _ number: Int, _ rows: String
  ) async throws -> SnapshotToLoad {
    var snapshot = try await fixture.snapshot(
      number, key: ["o", "line"], cursor: "ver", cursorType: "bigint",
      "select o::bigint as o, ver::bigint as ver, line::int as line, sku::varchar as sku from (values \(rows)) t(o, ver, line, sku)"
    )
    snapshot.replaces = ["o"]
    return snapshot
  }

  @Test("go when a newer record of the parent has fewer, in the same transaction; older records change nothing")
  func merge() async throws {
    try await TargetFixture.with { fixture in
      let table = TargetFixture.table(.merge, key: ["o", "line"])
      let snapshots = [
        try await lines(fixture, 1, "(1, 1, 1, 'a'), (1, 1, 2, 'b'), (2, 5, 1, 'c'), (3, 1, 1, 'd')"),
        try await lines(fixture, 2, "(1, 2, 1, 'A'), (3, 2, null, null), (4, 1, null, null)"),
        try await lines(fixture, 3, "(2, 4, 1, 'x'), (2, 4, 2, 'y')"),
      ]
      var loaded: [LoadedSnapshot] = []
      for count in 1...3 {
        loaded = try await fixture.load(table, Array(snapshots.prefix(count)), ticket: Int64(count))
      }
      #expect(try await fixture.rows("select o, line, sku from mart.orders order by 1, 2") == ["(1,1,A)", "(2,1,c)"])
      #expect(loaded.map(\.deleted) == [0, 2, 0])
      #expect(loaded.map(\.inserted) == [4, 0, 0])
      #expect(loaded.map(\.updated) == [0, 1, 0])
      // The count of rows that the table must have is right: a further load does not take it for truncated.
      let last = try await lines(fixture, 4, "(9, 1, 1, 'z')")
      try await fixture.load(table, snapshots + [last], ticket: 9)
      #expect(try await fixture.rows("select count(*) from mart.orders") == ["(3)"])
    }
  }

  @Test("are marked where the table deletes softly; marks are in no table")
  func others() async throws {
    try await TargetFixture.with { fixture in
      let first = try await lines(fixture, 1, "(1, 1, 1, 'a'), (1, 1, 2, 'b')")
      let second = try await lines(fixture, 2, "(1, 2, 1, 'a'), (2, 1, null, null)")
      let soft = TargetFixture.table(.merge, key: ["o", "line"], deletes: LoadTable.Deletes(kind: .soft))
      try await fixture.load(soft, [first, second])
      #expect(
        try await fixture.rows("select line, _sluice_deleted_at is null from mart.orders order by 1") == [
          "(1,t)", "(2,f)",
        ])
      let append = TargetFixture.table(.append, name: "history")
      try await fixture.load(append, [first, second])
      #expect(
        try await fixture.rows("select o, line from mart.history order by ver, 2") == ["(1,1)", "(1,2)", "(1,1)"])
    }
  }
}
