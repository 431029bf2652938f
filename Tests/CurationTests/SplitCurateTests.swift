import Catalog
import FoundationEssentials
import JobModel
import JobStore
import Logging
import PipelineDefinition
import Postgres
import Testing

@testable import Curation

/// One batch as several jobs.
@Suite("A curation of a large batch")
struct SplitCurateTests {
  private static let contract = [
    ContractColumn(name: "id", type: ColumnType("integer"), required: true, min: "0"),
    ContractColumn(name: "day", type: ColumnType("date")), ContractColumn(name: "note", type: .text),
  ]

  private static var dataset: CurateStep {
    var dataset = step(
      columns: contract, stopOver: 0.5,
      checks: [DatasetCheck(rule: .rowsChange(-0.1...0.1), severity: .warn)],
      partitionBy: [Partition(transform: .month, column: "day")], minRows: 10)
    dataset.extra = .drop
    return dataset
  }

  /// Objects of ten records each, of which some are bad in each of the ways that there are.
  private static func csv(_ objects: Range<Int>) -> [String] {
    objects.map { object in
      "id,day,note,more\n"
        + (0..<10).map { row in
          let id = row == 3 && object % 2 == 0 ? "x" : row == 5 ? "-\(object)" : "\(object * 10 + row)"
          let end = row == 7 && object % 4 == 1 ? ",1,2\n" : "\n"
          return "\(id),2024-0\(1 + row % 3)-01,\"n\n\(object)\",\(row)\(end)"
        }.joined()
    }
  }

  private static func json(_ objects: Range<Int>) -> [String] {
    objects.map { object in
      (0..<10).map { row in
        row == 4 && object % 3 == 0
          ? "{broken\n"
          : #"{"id": \#(row == 2 ? "null" : "\(object)"), "day": "2024-02-0\#(1 + row % 5)", "note": {"a": [\#(row)]}, "more": 1}"#
            + "\n"
      }.joined()
    }
  }

  struct Case: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var stream: PipelineDefinition.Stream
    var batches: [[String]]
    var sql: String?
    var step = SplitCurateTests.dataset
  }

  static let same = [
    Case(testDescription: "CSV", stream: stream(), batches: [csv(0..<9)]),
    Case(
      testDescription: "CSV through a SELECT", stream: stream(), batches: [csv(0..<9)],
      sql: "select *, upper(note) as loud from orders where id <> '11' and _position % 4 <> 0"),
    Case(
      testDescription: "CSV of a typed stream",
      stream: stream(columns: [StreamColumn(name: "id", type: ColumnType("integer"))]),
      batches: [csv(0..<9)]),
    Case(testDescription: "NDJSON", stream: stream(records: .ndjson), batches: [json(0..<9), json(2..<12)]),
    Case(
      testDescription: "NDJSON through a SELECT of its records", stream: stream(records: .ndjson),
      batches: [json(0..<9)],
      sql: "select id, day, _record as note from orders where more = '1'"),
    Case(
      testDescription: "records that are all bad in one part", stream: stream(),
      batches: [csv(0..<6) + Array(repeating: "id,day,note,more\nx,,,\n", count: 3)]),
  ]

  private func expected(_ sample: Case) async throws -> [String] {
    let left = Left()
    try await PartBench.with(sample.stream, sample.step, sql: sample.sql, rule: PartRule()) { bench in
      for batch in sample.batches {
        try await bench.bring(batch)
        #expect(try await bench.curateAll() == ["orders"])
      }
      await left.set(try await bench.left())
    }
    return await left.lines
  }

  private actor Left {
    var lines: [String] = []
    func set(_ lines: [String]) { self.lines = lines }
  }

  @Test(
    "gives in three jobs, in any order, what one gives: rows, counts, quarantine, partitions, events", arguments: same)
  func inParts(_ sample: Case) async throws {
    let expected = try await expected(sample)
    try await PartBench.with(sample.stream, sample.step, sql: sample.sql) { bench in
      for (number, batch) in sample.batches.enumerated() {
        let run = try await bench.bring(batch)
        let first = try #require(try await bench.claim())
        try await bench.handler.run(first)
        let others = [try await bench.claim(), try await bench.claim()].compactMap(\.self)
        #expect(others.map(\.claim.label) == ["orders 2/3", "orders 3/3"])
        #expect(others.allSatisfy { $0.mark?.format == PartBench.format })
        for other in others.reversed() {
          #expect(try await bench.snapshots().count == number)
          try await bench.handler.run(other)
        }
        #expect(try await bench.store.run(run).first?.state == .succeeded)
        #expect(try await bench.claim() == nil)
        let made = try await bench.snapshots().last
        #expect(Set(made?.files.map { $0.key.split(separator: "/")[3] } ?? []).count >= 2, "one job made all files")
      }
      #expect(try await bench.left() == expected)
      #expect(try await bench.orphans().isEmpty)
      #expect(try await bench.texts("select message from sluice.job_log where message like '%whole%'") == [])
    }
  }

  /// Where an attempt dies: the statement that it does not come to commit.
  static let deaths = [
    "before insert or update on sluice.mark for each row when (new.state ? 'outcome')",
    "before delete on sluice.lease for each row", "before insert on sluice.snapshot for each row",
    "before insert on sluice.consumed for each row",
  ]

  @Test("is the same whatever attempt dies before what it commits, and is done again", arguments: deaths)
  func dies(_ death: String) async throws {
    let sample = Self.same[0]
    let expected = try await expected(sample)
    try await PartBench.with(sample.stream, sample.step) { bench in
      _ = try await bench.texts(
        "create function sluice.dies() returns trigger language plpgsql as $$ begin raise exception 'dies'; end $$"
      )
      for batch in sample.batches {
        let run = try await bench.bring(batch)
        while let attempt = try await bench.claim() {
          _ = try await bench.texts("create trigger dies \(death) execute function sluice.dies()")
          var hasDied = false
          do { try await bench.handler.run(attempt) } catch is PostgresError { hasDied = true }
          _ = try await bench.texts(
            "drop trigger dies on \(death.split(separator: " ").first { $0.hasPrefix("sluice.") } ?? "")")
          guard hasDied else { continue }
          try await bench.giveBack(attempt)
          let again = try #require(try await bench.claim())
          #expect(again.jobID == attempt.jobID && again.mark?.format == PartBench.format)
          try await bench.handler.run(again)
        }
        #expect(try await bench.store.run(run).first?.state == .succeeded)
      }
      #expect(try await bench.left() == expected)
    }
  }

  @Test("with a dead part commits nothing, and all of it after a retry of the run")
  func dead() async throws {
    let sample = Self.same[1]
    let expected = try await expected(sample)
    try await PartBench.with(sample.stream, sample.step, sql: sample.sql) { bench in
      let run = try await bench.bring(sample.batches[0])
      try await bench.handler.run(try #require(try await bench.claim()))
      try await bench.kill(try #require(try await bench.claim()))
      try await bench.curateAll()
      #expect(try await bench.store.run(run).first?.state == .failed)
      #expect(try await bench.snapshots().isEmpty)
      #expect(try await bench.texts("select 1 from sluice.consumed").isEmpty)
      #expect(try await bench.store.retry(run: run) == 1)
      #expect(try await bench.curateAll() == ["orders 2/3"])
      #expect(try await bench.left() == expected)
      #expect(try await bench.orphans().isEmpty)
    }
  }

  private static func strict(_ change: (inout CurateStep) -> Void) -> CurateStep {
    var step = dataset
    change(&step)
    return step
  }

  /// Batches of which a part alone says something else than the whole does.
  static let whole = [
    Case(
      testDescription: "fields that only some parts have", stream: stream(records: .ndjson),
      batches: [
        json(0..<6) + Array(repeating: #"{"note": "a", "day": "2024-02-01", "id": 5, "new": 1}"# + "\n", count: 3)
      ],
      sql: "select * from orders"),
    Case(
      testDescription: "headers that differ", stream: stream(),
      batches: [csv(0..<6) + Array(repeating: "ID,note,day\n1,a,2024-01-01\n", count: 3)]),
    Case(
      testDescription: "a required column that one part lacks", stream: stream(),
      batches: [csv(0..<6) + Array(repeating: "day,note,more\n2024-01-01,a,\n", count: 3)]),
    Case(
      testDescription: "too many bad rows", stream: stream(), batches: [csv(0..<9)],
      step: strict { $0.badRows.stopOver = 0.1 }),
    Case(
      testDescription: "too few rows", stream: stream(), batches: [csv(0..<9)], step: strict { $0.minRows = 1_000 }),
    Case(
      testDescription: "values of another type", stream: stream(), batches: [csv(0..<9)],
      step: strict { $0.drift.typeChange = .fail }),
    Case(
      testDescription: "a check that fails", stream: stream(), batches: [csv(0..<9), csv(0..<20)],
      step: strict { $0.checks = [DatasetCheck(rule: .rowsChange(-0.1...0.1))] }),
    Case(
      testDescription: "an object that is no CSV", stream: stream(),
      batches: [csv(0..<8) + ["id,day,note,more\n1,\"never closed\n"]]),
  ]

  @Test("is curated by the last job as one where only the whole of it can be judged", arguments: whole)
  func asOne(_ sample: Case) async throws {
    let unsplit = Left()
    let parts = Left()
    for (left, rule) in [(unsplit, PartRule()), (parts, PartBench.rule)] {
      try await PartBench.with(sample.stream, sample.step, sql: sample.sql, rule: rule) { bench in
        var lines: [String] = []
        for batch in sample.batches {
          try await bench.bring(batch)
          lines += try await bench.failures()
        }
        await left.set(lines + (try await bench.left()))
        #expect(try await bench.orphans() == [])
        let split = try await bench.texts("select 1 from sluice.job where label = 'orders 2/3'")
        #expect(split.isEmpty == (rule.maximum == 1))
      }
    }
    #expect(await unsplit.lines == parts.lines)
  }

  @Test("is taken up as one job by a retry where other raw is due by then")
  func changed() async throws {
    try await PartBench.with(stream(), Self.dataset) { bench in
      let run = try await bench.bring(Self.csv(0..<9))
      try await bench.handler.run(try #require(try await bench.claim()))
      try await bench.kill(try #require(try await bench.claim()))
      try await bench.curateAll()
      // The next run takes what the failed one left.
      let other = try await bench.bring(Self.csv(9..<10))
      try await bench.curateAll()
      #expect(try await bench.snapshots().map(\.runID) == [other])
      #expect(try await bench.snapshots().map(\.counts.rowsIn) == [100])
      #expect(try await bench.store.retry(run: run) == 1)
      #expect(try await bench.curateAll() == ["orders 2/3"])
      #expect(try await bench.store.run(run).first?.state == .succeeded)
      #expect(try await bench.snapshots().map(\.runID) == [other])
    }
  }

  @Test("keeps its parts together: another run waits while one of them runs, and between two of them")
  func runsApart() async throws {
    try await PartBench.with(stream(), Self.strict { $0.minRows = nil }) { bench in
      let run = try await bench.bring(Self.csv(0..<9))
      try await bench.handler.run(try #require(try await bench.claim()))
      let parts = [try await bench.claim(), try await bench.claim()].compactMap(\.self)
      let other = try await bench.bring(Self.csv(9..<10))
      let next = try #require(try await bench.claim())
      try await parts[0].takePermits([PermitNeed("curate/p/orders", isOfRun: true)])
      await #expect(throws: JobWaits.self) { try await bench.handler.run(next) }
      try await bench.giveBack(parts[0])
      _ = try await bench.store.passOn(["curate/p/orders"])
      let claims = [try await bench.claim(), try await bench.claim()].compactMap(\.self)
      let again = try #require(claims.first { $0.claim.runID == other })
      await #expect(throws: JobSnooze.self) { try await bench.handler.run(again) }
      try await bench.giveBack(again)
      for part in [parts[1]] + claims.filter({ $0.claim.runID == run }) { try await bench.handler.run(part) }
      try await bench.curateAll()
      #expect(try await bench.snapshots().map(\.counts.rowsIn) == [90, 10])
      #expect(try await bench.snapshots().map(\.runID) == [run, other])
    }
  }

  @Test(
    "stays one job where rows depend on others, and where the pipeline runs one job at a time",
    arguments: [
      ("a key", stream(key: ["id"]), nil, dataset),
      (
        "an aggregate", stream(), "select count(*) as id, null as day, '' as note from orders",
        strict { $0.over = .batch }
      ),
      ("a window", stream(), "select row_number() over () as id, day, note from orders", strict { $0.over = .batch }),
      (
        "a join", stream(), "select a.id, a.day, b.note from orders a join orders b using (id)",
        strict { $0.over = .batch }
      ),
      ("everything", stream(), "select id, day, note from orders", strict { $0.over = .all }),
      ("a check of rows", stream(), nil, strict { $0.checks = [DatasetCheck(rule: .unique(["id"]), severity: .warn)] }),
      ("no contract", stream(), nil, strict { ($0.columns, $0.partitionBy) = ([], []) }),
    ] as [(String, PipelineDefinition.Stream, String?, CurateStep)])
  func unsplit(_ name: String, _ stream: PipelineDefinition.Stream, _ sql: String?, _ step: CurateStep) async throws {
    var step = step
    step.minRows = nil
    try await PartBench.with(stream, step, sql: sql) { bench in
      try await bench.bring(Self.csv(0..<9))
      #expect(try await bench.curateAll() == ["orders"])
      #expect(try await bench.snapshots().count == 1)
    }
  }

  @Test("is right also where an engine that knows no parts takes one of them for a whole job")
  func mistaken() async throws {
    let sample = Self.same[1]
    let expected = try await expected(sample)
    try await PartBench.with(sample.stream, sample.step, sql: sample.sql) { bench in
      let run = try await bench.bring(sample.batches[0])
      try await bench.handler.run(try #require(try await bench.claim()))
      var claim = try #require(try await bench.claim()).claim
      claim.mark = nil
      try await bench.whole.run(JobAttempt(claim: claim, store: bench.store, logger: Logger(label: "test")))
      #expect(try await bench.curateAll() == ["orders 3/3"])
      #expect(try await bench.store.run(run).first?.state == .succeeded)
      #expect(try await bench.left() == expected)
      #expect(try await bench.orphans().isEmpty)
    }
  }

  @Test("is put off where its checkpoint is of a format that the engine does not read")
  func unread() async throws {
    #expect(CurateHandler.formats.reading(PartBench.format) == .asIs)
    try await PartBench.with(stream(), Self.dataset) { bench in
      try await bench.bring(Self.csv(0..<9))
      try await bench.handler.run(try #require(try await bench.claim()))
      _ = try await bench.texts("update sluice.mark set format = 'curate.part/99'")
      let part = try #require(try await bench.claim())
      await #expect(throws: JobSnooze.self) { try await bench.handler.run(part) }
      #expect(try await bench.snapshots().isEmpty)
    }
  }
}
