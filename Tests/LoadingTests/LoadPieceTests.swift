import JobModel
import PipelineDefinition
import Testing

@testable import Loading

@Suite("Pieces of data files")
struct LoadPieceTests {
  private func snapshot(_ rows: [Int64], columns: [String] = ["id"]) -> SnapshotToLoad {
    SnapshotToLoad(
      uuid: TargetFixture.uuid(1), number: 1, dataset: "orders", isFull: false,
      columns: columns.map { SnapshotToLoad.Column($0, "bigint") },
      files: rows.enumerated().map {
        DataFileToLoad(chunk: $0.offset, key: "\($0.offset)", localPath: "/f", rows: $0.element, sha256: "")
      })
  }

  @Test("every row of every file is in one piece, and pieces are numbered through")
  func divided() {
    let most = LoadPiece.maximumRows
    let pieces = snapshot([most, 0, 2 * most + 1, 5]).pieces
    #expect(pieces.map(\.number) == Array(0..<6))
    #expect(pieces.map(\.rows) == [most, 0, most, most, 1, 5])
    #expect(pieces.map(\.first) == [0, 0, 0, most, 2 * most, 0])
    #expect(pieces.map(\.isWholeFile) == [true, true, false, false, false, true])
    #expect(snapshot([2 * most], columns: ["id", "File_Row_Number"]).pieces.map(\.rows) == [2 * most])
  }

  @Test("a file of several pieces is staged in parts: what one attempt staged, the next does not stage again")
  func staged() async throws {
    try await TargetFixture.with { fixture in
      let merge = TargetFixture.table(.merge)
      let snapshot = try await fixture.snapshot(1, "select i as id, i % 7 as n from range(600000) r(i)")
      await #expect(throws: Fault.self) {
        try await fixture.load(
          merge, [snapshot], hooks: Steps().hooks(at: .loadChunkStaged) { throw Fault() })
      }
      let staged = try await fixture.rows("select count(*) from sluice_ledger.staged")
      let steps = Steps()
      try await fixture.load(merge, [snapshot], ticket: 2, hooks: steps.hooks())
      #expect(steps[.loadChunkStaged] < 3 && staged != ["(0)"])
      #expect(
        try await fixture.rows("select count(*), count(distinct id), sum(n) from mart.orders")
          == ["(600000,600000,1799995)"])
    }
  }

  @Test("a file that has more or fewer rows than the catalog says is refused, whichever piece shows it")
  func differs() async throws {
    try await TargetFixture.with { fixture in
      var snapshot = try await fixture.snapshot(1, "select i as id from range(300000) r(i)")
      for rows in [Int64(299_999), 300_001, 200_000] {
        snapshot.files[0].rows = rows
        snapshot.uuid = TargetFixture.uuid(Int(rows))
        #expect(await fixture.failure(TargetFixture.table(.append), [snapshot])?.code == "data_file_differs")
      }
      #expect(try await fixture.rows("select count(*) from mart.orders") == ["(0)"])
    }
  }
}
