import Curation
import JobModel
import Testing

@testable import Catalog

/// Which parts are written into one file: pure, without files.
@Suite("The plan of a compaction")
struct CompactionPlanTests {
  static func part(
    _ number: Int64, bytes: Int64 = 5_000, files: Int = 1, columns: [String] = ["id"], full: Bool = false
  ) -> DatasetPart {
    let snapshot = Snapshot(
      id: "\(number)", number: number, pipeline: "p", dataset: "d", runID: RunID(1), isFull: full,
      columns: columns.map { SnapshotColumn(name: $0, type: "text") }, key: [], cursorField: nil,
      counts: SnapshotCounts(rowsIn: 1, rowsOut: 1, filtered: 0, deduplicated: 0, quarantined: 0), quarantineKey: nil,
      quarantineKeysReadable: true, createdAt: "",
      files: (0..<files).map {
        DataFile(chunk: $0, key: "\(number)/\($0)", partition: "", rows: 1, bytes: bytes / Int64(files), sha256: "")
      })
    return DatasetPart(snapshot)
  }

  /// One part of several, as a compaction leaves it.
  static func merged(_ parts: ArraySlice<DatasetPart>) -> DatasetPart {
    var snapshot = parts[parts.endIndex - 1].snapshot
    let bytes = parts.reduce(0) { $0 + $1.bytes }
    snapshot.files = [DataFile(chunk: 0, key: "c", partition: "", rows: 1, bytes: bytes, sha256: "")]
    return DatasetPart(
      snapshot: snapshot, firstNumber: parts[parts.startIndex].firstNumber, count: parts.reduce(0) { $0 + $1.count },
      compaction: 1)
  }

  @Test(
    "after each of 2,000 runs a reader opens few parts, and each snapshot was written again once for each power of 8")
  func logarithmic() {
    var parts: [DatasetPart] = []
    var written = 0
    for number in 1...2_000 as ClosedRange<Int64> {
      parts.append(Self.part(number))
      if let range = CompactionPlan.next(parts) {
        written += parts[range].reduce(0) { $0 + $1.count }
        parts.replaceSubrange(range, with: [Self.merged(parts[range])])
      }
      // Seven of each size: 1, 8, 64, 512; and what waits for its turn, as a run compacts once.
      #expect(parts.count <= 4 * 7 + 4, "after \(number) runs")
    }
    #expect(parts.reduce(0) { $0 + $1.count } == 2_000)
    #expect(written <= 2_000 * 5)
  }

  @Test("what an older engine has left is one part after one compaction")
  func backlog() {
    var parts = (1...300).map { Self.part($0) }
    #expect(CompactionPlan.next(parts) == 0..<300)
    parts = [Self.merged(parts[...])] + [Self.part(301)]
    #expect(CompactionPlan.next(parts) == nil)
  }

  @Test("rows of other columns, large files and what is held stay apart")
  func apart() {
    let small = (1...7).map { Self.part($0) }
    #expect(CompactionPlan.next(small) == nil)
    #expect(CompactionPlan.next(small + [Self.part(8)]) == 0..<8)
    // Where other columns follow, seven are all that will come.
    #expect(CompactionPlan.next(small + [Self.part(8, columns: ["id", "new"])]) == 0..<7)
    #expect(CompactionPlan.next([Self.part(1), Self.part(2, columns: ["id", "new"])]) == nil)
    let large = Self.part(8, bytes: CompactionPlan.largeBytes)
    #expect(CompactionPlan.next(small + [large]) == 0..<7)
    #expect(CompactionPlan.next([large] + small.map { Self.part($0.lastNumber + 8) }) == nil)
    #expect(CompactionPlan.next(small + [Self.part(8)], except: [1...8]) == nil)
    #expect(CompactionPlan.next(small + (8...16).map { Self.part($0) }, except: [1...7]) == 7..<16)
    for name in ["file_index", "FILE_INDEX", "_sluice_snapshot"] {
      #expect(CompactionPlan.next((1...20).map { Self.part($0, columns: ["id", name]) }) == nil)
    }
  }

  @Test("one compaction reads a bounded number of bytes, parts and files")
  func bounded() {
    let heavy = (1...30).map { Self.part($0, bytes: CompactionPlan.largeBytes - 1) }
    #expect(CompactionPlan.next(heavy) == 0..<8)
    let many = (1...1_500).map { Self.part($0) }
    #expect(CompactionPlan.next(many) == 0..<CompactionPlan.maximumParts)
    let divided = (1...12).map { Self.part($0, files: 1_000) }
    #expect(CompactionPlan.next(divided) == 0..<8)
    #expect(CompactionPlan.next((1...12).map { Self.part($0, files: 1_001) }) == nil)
  }
}
