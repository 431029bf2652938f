import Catalog
import FoundationEssentials
import Ingestion
import JobModel
import JobStore
import PipelineDefinition
import Postgres
import Testing

/// Many files of one stream, as several jobs.
@Suite("An ingest of many files")
struct SplitIngestTests {
  private static let stream = Stream(name: "stock", match: "**/*.csv", read: .incremental, records: .csv(CSVFormat()))
  private static let source = Source(
    name: "drops", kind: .files(FilesSource(at: ValueTemplate(literal: "file:in"))), streams: [stream])
  private static let pipeline = Pipeline(name: "orders", sources: [source])
  /// 40 files are four parts of ten.
  private static let rule = PartRule(maximum: 4, bytes: 1_000_000, files: 10)
  private static let partFormat = CheckpointFormat("ingest.files-part", 1)

  private func bench(
    files: [String], rule: PartRule = rule,
    _ body: @escaping @Sendable (IngestBench, PullFixture) async throws -> Void
  ) async throws {
    try await PullFixture.with { fixture async throws in
      try await withClient { client async throws in
        for name in files { try fixture.write("id\n\(name)\n", to: "in/\(name)") }
        try await IngestBench.with(Self.source, fixture: fixture, client: client, parts: rule) { bench async throws in
          try await body(bench, fixture)
        }
      }
    }
  }

  private struct Known: Equatable {
    var request: String
    var bytes: Int64
    var sha256: String
    var records: Int64?
  }

  private static func known(_ objects: [RawObject]) -> [Known] {
    objects.map { Known(request: $0.request, bytes: $0.bytes, sha256: $0.sha256, records: $0.records) }
  }

  private static let names = (100..<140).map { "\($0 % 3)/\($0).csv" }

  private func due(_ bench: IngestBench) async throws -> [RawObject] {
    try await bench.catalog.dueRaw(pipeline: "orders", dataset: "any", streams: [bench.stream], upTo: RunID(1_000))
      .first?.objects ?? []
  }

  private func isSealed(_ bench: IngestBench) async throws -> Bool {
    try await !bench.store.database.query("select from sluice.sealed", []).isEmpty
  }

  @Test("is due once all its parts are done, with the files, hashes, counts and order that one job gives")
  func same() async throws {
    try await bench(files: Self.names, rule: PartRule()) { unsplit, _ in
      try await unsplit.handler.run(try #require(try await unsplit.claim()))
      #expect(try await unsplit.claim() == nil)
      let expected = try await due(unsplit)
      #expect(expected.map(\.request) == Self.names.sorted())
      try await bench(files: Self.names) { bench, _ in
        // The parts end in another order than theirs.
        let first = try #require(try await bench.claim())
        first.requestYield()
        await #expect(throws: JobYield.self) { try await bench.handler.run(first) }
        let others = [try await bench.claim(), try await bench.claim(), try await bench.claim()].compactMap(\.self)
        #expect(others.map(\.claim.label) == (2...4).map { "drops.stock \($0)/4" })
        for other in others.reversed() {
          try await bench.handler.run(other)
          #expect(try await !isSealed(bench))
        }
        try await bench.giveBack(first)
        let again = try #require(try await bench.claim())
        #expect(again.jobID == first.jobID && again.mark?.format == Self.partFormat)
        try await bench.handler.run(again)
        let brought = Self.known(try await due(bench))
        #expect(brought == Self.known(expected))
        let objects = try await bench.catalog.objects(ofRun: bench.run)
        let sequences: [Int] = [0, 100_000_000, 200_000_000, 300_000_000].flatMap { Array($0..<($0 + 10)) }
        #expect(objects.sorted { $0.request < $1.request }.map(\.sequence) == sequences)
        #expect(Set(objects.map(\.jobID)).count == 4)
        #expect(try await bench.store.run(bench.run).first?.state == .succeeded)
        #expect(try await bench.claim() == nil)
        // The next run knows all of them, and is not split for what it knows.
        _ = try await bench.another(Self.pipeline)
        try await bench.handler.run(try #require(try await bench.claim()))
        #expect(try await due(bench).count == 40)
        #expect(try await bench.claim() == nil)
      }
    }
  }

  @Test("stays one job where it is small, where the pipeline runs one job at a time, and after its first checkpoint")
  func unsplit() async throws {
    try await bench(files: Array(Self.names.prefix(19))) { bench, _ in
      try await bench.handler.run(try #require(try await bench.claim()))
      #expect(try await bench.claim() == nil)
      #expect(try await due(bench).map(\.sequence) == Array(0..<19))
    }
    try await bench(files: Array(Self.names.prefix(5))) { bench, fixture in
      let first = try #require(try await bench.claim())
      try await first.checkpoint(
        format: CheckpointFormat("ingest.files", 1), state: #"{"bytes":0,"objects":0,"records":0}"#)
      try await bench.giveBack(first)
      for name in Self.names { try fixture.write("id\n\(name)\n", to: "in/\(name)") }
      let again = try #require(try await bench.claim())
      #expect(again.mark?.format == CheckpointFormat("ingest.files", 1))
      try await bench.handler.run(again)
      #expect(try await bench.claim() == nil)
      #expect(try await due(bench).count == 40)
    }
  }

  @Test("takes a file that comes while its parts run once, and one that goes not at all")
  func changes() async throws {
    try await bench(files: Self.names) { bench, fixture in
      let first = try #require(try await bench.claim())
      first.requestYield()
      await #expect(throws: JobYield.self) { try await bench.handler.run(first) }
      let sorted = Self.names.sorted()
      let new = ["0/0.csv", sorted[19] + ".csv", sorted[20].replacing(".csv", with: ".a.csv"), "9/9.csv"]
      for name in new { try fixture.write("id\n\(name)\n", to: "in/\(name)") }
      try FileManager.default.removeItem(atPath: fixture.directory + "/in/" + sorted[35])
      while let next = try await bench.claim() { try await bench.handler.run(next) }
      try await bench.giveBack(first)
      try await bench.handler.run(try #require(try await bench.claim()))
      let expected = (sorted + new).filter { $0 != sorted[35] }.sorted()
      #expect(try await due(bench).map(\.request) == expected)
    }
  }

  @Test("with a broken file in one part fails, keeps what the other parts brought, and is due after a retry")
  func broken() async throws {
    try await bench(files: Self.names) { bench, fixture in
      let bad = Self.names.sorted()[15]
      try fixture.write("<html>Sorry", to: "in/\(bad)")
      var failures: [StageFailure] = []
      while let next = try await bench.claim() {
        do { try await bench.handler.run(next) } catch let failure as StageFailure {
          failures.append(failure)
          try await bench.store.endAttempt(next.claim.holder, as: .dead(failure: "{}"))
        }
      }
      #expect(failures.map(\.code) == ["source_document"])
      #expect(try await bench.store.run(bench.run).first?.state == .failed)
      #expect(try await !isSealed(bench))
      try fixture.write("id\n1\n", to: "in/\(bad)")
      #expect(try await bench.store.retry(run: bench.run) == 1)
      try await bench.handler.run(try #require(try await bench.claim()))
      #expect(try await due(bench).map(\.request) == Self.names.sorted())
      #expect(try await bench.store.run(bench.run).first?.state == .succeeded)
    }
  }

  @Test("that another run outran leaves each file to one of both, also those of parts that had ended")
  func outrun() async throws {
    try await bench(files: Self.names) { bench, _ in
      let first = try #require(try await bench.claim())
      try await bench.handler.run(first)
      let second = try #require(try await bench.claim())
      try await bench.store.endAttempt(second.claim.holder, as: .dead(failure: "{}"))
      let waiting = [try await bench.claim(), try await bench.claim()].compactMap(\.self)
      let other = try await bench.another(Self.pipeline)
      while let next = try await bench.claim() { try await bench.handler.run(next) }
      #expect(try await bench.catalog.objects(ofRun: other).count == 40)
      for attempt in waiting { try await bench.giveBack(attempt) }
      #expect(try await bench.store.retry(run: bench.run) == 1)
      while let next = try await bench.claim() { try await bench.handler.run(next) }
      #expect(try await due(bench).map(\.request) == Self.names.sorted())
      let own = try await bench.catalog.objects(ofRun: bench.run)
      #expect(own.count == 10 && own.allSatisfy { $0.broken?.hasPrefix("superseded") == true })
    }
  }

  @Test("whose run lets another one in between its parts leaves each file to one of both")
  func between() async throws {
    try await bench(files: Self.names) { bench, _ in
      let other = try await bench.another(Self.pipeline)
      try await bench.handler.run(try #require(try await bench.claim()))
      let next = try #require(try await bench.claim())
      #expect(next.claim.runID == other)
      try await bench.handler.run(next)
      while let part = try await bench.claim() { try await bench.handler.run(part) }
      #expect(try await bench.store.run(bench.run).first?.state == .succeeded)
      #expect(try await bench.store.run(other).first?.state == .succeeded)
      let due = try await bench.catalog.dueRaw(
        pipeline: "orders", dataset: "any", streams: [bench.stream], upTo: RunID(1_000))
      #expect(due.flatMap(\.objects).map(\.request).sorted() == Self.names.sorted())
    }
  }

  @Test("keeps the parts of one run together: another run waits while one of them runs")
  func runsApart() async throws {
    try await bench(files: Self.names) { bench, _ in
      let first = try #require(try await bench.claim())
      first.requestYield()
      await #expect(throws: JobYield.self) { try await bench.handler.run(first) }
      _ = try await bench.another(Self.pipeline)
      var others: [JobAttempt] = []
      while let next = try await bench.claim() { others.append(next) }
      let other = try #require(others.last)
      await #expect(throws: JobWaits.self) { try await bench.handler.run(other) }
      for part in others.dropLast() { try await bench.handler.run(part) }
      try await bench.giveBack(first)
      try await bench.handler.run(try #require(try await bench.claim()))
      #expect(try await bench.store.run(bench.run).first?.state == .succeeded)
    }
  }

  @Test("whose parts are not all there any more fails, and does not pass for whole")
  func missing() async throws {
    try await bench(files: Self.names) { bench, _ in
      try await bench.handler.run(try #require(try await bench.claim()))
      let second = try #require(try await bench.claim())
      try await bench.store.database.query("delete from sluice.job where job_id = $1", [.int(second.jobID.rawValue)])
      let third = try #require(try await bench.claim())
      let failure = await #expect(throws: StageFailure.self) { try await bench.handler.run(third) }
      #expect(failure?.code == "parts_missing")
      #expect(try await !isSealed(bench))
    }
  }
}
