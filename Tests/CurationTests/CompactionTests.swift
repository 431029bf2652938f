import Catalog
import DuckDB
import FoundationEssentials
import JobModel
import ObjectStore
import Postgres
import TestSupport
import Testing

@testable import Curation

/// When readers open a compaction, and when they do not.
@Suite("Compactions")
struct CompactionTests {
  private func ids(_ bench: CompactionFixture) async throws -> [Int] {
    let select = try DatasetView.select(try await bench.parts(), bench.objects)
    return try await bench.session { session in
      try await session.rows("select id from (\(select)) order by 1").compactMap { $0["id"]?.int }
    }
  }

  @Test("300 small snapshots leave a reader few files, and every row")
  func few() async throws {
    try await CompactionFixture.with { bench in
      // The catalog alone: what has no files needs no engine.
      for _ in 0..<300 {
        try await bench.add([], columns: [SnapshotColumn(name: "id", type: "integer")])
        try await bench.compact()
      }
      let parts = try await bench.parts()
      #expect(parts.reduce(0) { $0 + $1.count } == 300)
      #expect(parts.count <= 3 * 7 + 2)
    }
  }

  @Test("a full snapshot that comes while it works keeps it from being read")
  func full() async throws {
    try await CompactionFixture.with { bench in
      try await bench.addPlain(8)
      let plan = try #require(try await bench.plan())
      let id = try await bench.catalog.open(plan.compaction)
      try await bench.addPlain(1, full: true)
      #expect(try await bench.compactor.carryOut(plan, id: id) == false)
      #expect(try await bench.parts().map(\.isCompacted) == [false])
      #expect(try await bench.values("select state from sluice.compaction") == ["superseded"])
    }
  }

  @Test("a snapshot that is removed while it works, or later, takes its rows along")
  func removed() async throws {
    try await CompactionFixture.with { bench in
      try await bench.addPlain(8)
      let plan = try #require(try await bench.plan())
      let id = try await bench.catalog.open(plan.compaction)
      let number = plan.parts[3].lastNumber
      let all = try await ids(bench)
      _ = try await bench.values("delete from sluice.snapshot where number = \(number)")
      // The rows of the catalog are compared first.
      await #expect(throws: StageFailure.self) { try await bench.compactor.carryOut(plan, id: id) }
      #expect(try await bench.parts().count == 7)
      try await bench.catalog.abandon(compaction: id, error: nil, in: bench.catalog.database)

      try await bench.addPlain(1)
      #expect(try await bench.compact())
      #expect(try await bench.parts().map(\.count) == [8])
      _ = try await bench.values("delete from sluice.snapshot where number = \(plan.parts[5].lastNumber)")
      #expect(try await bench.parts().map(\.count) == [1, 1, 1, 1, 1, 1, 1])
      #expect(try await ids(bench).count == all.count - 1)
      try await bench.compactor.removeOutlived(pipeline: "p", dataset: "d")
      #expect(try await bench.values("select count(*) from sluice.compaction where state = 'current'") == ["0"])
    }
  }

  @Test("rows that are not those of the catalog or of the files fail it, and readers keep the snapshots' own files")
  func differs() async throws {
    try await CompactionFixture.with { bench in
      try await bench.addPlain(8)
      let plan = try #require(try await bench.plan())
      let file = plan.parts[2].snapshot.files[0]
      _ = try await bench.values("update sluice.data_file set rows = 2 where key = '\(file.key)'")
      let id = try await bench.catalog.open(plan.compaction)
      await #expect { try await bench.compactor.carryOut(plan, id: id) } throws: {
        ($0 as? StageFailure)?.code == "compaction_differs"
      }
      #expect(try await bench.compactedObjects() == 0)
      #expect(try await bench.parts().map(\.isCompacted) == Array(repeating: false, count: 8))

      // A failed one is left alone for a day; what comes after it is not.
      try await bench.catalog.abandon(compaction: id, error: "differs", in: bench.catalog.database)
      #expect(try await bench.plan() == nil)
      _ = try await bench.values("update sluice.data_file set rows = 1 where key = '\(file.key)'")
      try await bench.addPlain(8)
      #expect(try await bench.plan()?.parts.count == 8)
      #expect(try await bench.plan()?.parts.first?.firstNumber ?? 0 > plan.compaction.numbers.upperBound)
      _ = try await bench.values("update sluice.compaction set changed_at = now() - interval '25 hours'")
      #expect(try await bench.plan()?.parts.count == 16)
      let missing = bench.objects.root + "/" + file.key
      try FileManager.default.removeItem(atPath: missing)
      let again = try #require(try await bench.plan())
      let second = try await bench.catalog.open(again.compaction)
      await #expect(throws: DuckDBError.self) { try await bench.compactor.carryOut(again, id: second) }
      #expect(try await bench.parts().count == 16)
      #expect(try FileManager.default.contentsOfDirectory(atPath: bench.directory + "/scratch").isEmpty)
    }
  }

  @Test("one is under way at a time, and of two that overlap the second is not read")
  func overlap() async throws {
    try await CompactionFixture.with { bench in
      try await bench.addPlain(8)
      let first = try #require(try await bench.plan())
      let id = try await bench.catalog.open(first.compaction)
      #expect(try await bench.plan() == nil)
      // As if it had been taken for one that a crash left.
      _ = try await bench.values("update sluice.compaction set changed_at = now() - interval '16 minutes'")
      try await bench.addPlain(3)
      #expect(try await bench.compact())
      #expect(try await bench.parts().map(\.count) == [11])
      #expect(try await bench.compactor.carryOut(first, id: id) == false)
      #expect(try await bench.parts().map(\.count) == [11])
      #expect(try await ids(bench).count == 11)
    }
  }

  @Test("a compaction whose object is gone is not opened: its snapshots are, until they are compacted again")
  func lost() async throws {
    try await CompactionFixture.with { bench in
      try await bench.addPlain(9)
      #expect(try await bench.compact())
      let all = try await ids(bench)
      let object = try #require(try await bench.objects.list(prefix: "compacted/").first)
      try await bench.objects.delete(object.key)
      #expect(try await bench.parts().map(\.count) == Array(repeating: 1, count: 9))
      #expect(try await ids(bench) == all)
      #expect(try await bench.compact())
      #expect(try await bench.parts().map(\.count) == [9])
      #expect(try await ids(bench) == all)
    }
  }

  @Test("what is superseded, failed, replaced or left by a crash is removed two days later, and nothing else")
  func outlived() async throws {
    try await CompactionFixture.with { bench in
      func remove(after days: Int) async throws {
        let now = try await bench.values("select (now() + interval '\(days) days')::text")[0]
        try await bench.compactor.removeOutlived(pipeline: "p", dataset: "d", now: now)
      }
      try await bench.addPlain(8)
      #expect(try await bench.compact())
      for _ in 0..<7 {
        try await bench.addPlain(8)
        #expect(try await bench.compact())
      }
      #expect(try await bench.compact())
      #expect(try await bench.parts().map(\.count) == [64])
      #expect(try await bench.compactedObjects() == 9)
      // A crash after its object was written.
      let orphan = NewCompaction(
        pipeline: "p", dataset: "d", numbers: 1...2, count: 2, folder: "compacted/p/d/99-1-crash", jobID: JobID(99))
      _ = try await bench.catalog.open(orphan)
      try await bench.objects.put(ObjectKey("\(orphan.folder)/part-0.parquet"), condition: .absent, bytes: [1])
      try await remove(after: 1)
      #expect(try await bench.compactedObjects() == 10)
      try await remove(after: 3)
      #expect(try await bench.compactedObjects() == 1)
      #expect(try await bench.values("select state from sluice.compaction") == ["current"])
      #expect(try await ids(bench).count == 64)

      try await bench.addPlain(1, full: true)
      try await remove(after: 0)
      #expect(try await bench.compactedObjects() == 1)
      try await remove(after: 3)
      #expect(try await bench.compactedObjects() == 0)
      #expect(try await bench.values("select count(*) from sluice.compaction") == ["0"])
      #expect(try await ids(bench).count == 1)
    }
  }

  @Test("a reader sees each snapshot once, whatever is committed while it looks")
  func oneView() async throws {
    try await CompactionFixture.with { bench in
      let columns = [SnapshotColumn(name: "id", type: "integer")]
      let total = 80
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask {
          for _ in 0..<total { try await bench.add([], columns: columns) }
        }
        group.addTask {
          while try await bench.values("select count(*) from sluice.snapshot") != ["\(total)"] {
            try await bench.compact()
          }
          while try await bench.compact() {}
        }
        group.addTask {
          var seen = 0
          while seen < total {
            let parts = try await bench.parts()
            let count = parts.reduce(0) { $0 + $1.count }
            #expect(count >= seen)
            for (one, next) in zip(parts, parts.dropFirst()) { #expect(one.lastNumber + 1 == next.firstNumber) }
            #expect(parts.allSatisfy { $0.lastNumber - $0.firstNumber + 1 == Int64($0.count) })
            seen = count
          }
        }
        try await group.waitForAll()
      }
      #expect(try await bench.parts().contains { $0.isCompacted })
    }
  }
}
