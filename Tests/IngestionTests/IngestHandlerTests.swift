import Catalog
import FoundationEssentials
import Ingestion
import JobModel
import JobStore
import ObjectStore
import PipelineDefinition
import Postgres
import Testing

@Suite("An ingest job")
struct IngestHandlerTests {
  private func source(_ server: SourceServer) -> Source {
    let request = HTTPRequest(
      path: ValueTemplate(literal: "/v2/invoices"),
      query: [("since", ValueTemplate(parts: [.placeholder("cursor")]))], paginate: .token(path: "$.next", param: "t"))
    let stream = Stream(
      name: "invoices", request: request, read: .incremental, records: .json(path: "$.data[*]"), key: ["id"],
      cursor: Cursor(field: "updated_at", type: ColumnType("timestamptz"), start: "2024-01-01T00:00:00Z"))
    let http = HTTPSource(baseURL: ValueTemplate(literal: server.url), retry: HTTPRetry(max: 1))
    return Source(name: "billing", kind: .http(http), streams: [stream])
  }

  /// Three pages, and whatever `fault` answers in place of one.
  private func threePages(
    fault: @escaping @Sendable (Int) -> SourceServer.Response? = { _ in nil }
  ) -> @Sendable (SourceServer.Request, Int) -> SourceServer.Response {
    { request, number in
      if let response = fault(number) { return response }
      switch request.parameter("t") {
      case nil: return page([1], next: "\"2\"", at: "2024-02-01T00:00:00Z")
      case "2": return page([2], next: "\"3\"", at: "2024-02-03T00:00:00Z")
      default: return page([3], at: "2024-02-02T00:00:00Z")
      }
    }
  }

  private func bench(
    _ script: @escaping @Sendable (SourceServer.Request, Int) -> SourceServer.Response,
    _ body: @escaping @Sendable (IngestBench, PullFixture, SourceServer) async throws -> Void
  ) async throws {
    try await PullFixture.with { fixture async throws in
      try await withClient { client async throws in
        try await SourceServer.serving(script) { server async throws in
          try await IngestBench.with(source(server), fixture: fixture, client: client) { bench async throws in
            try await body(bench, fixture, server)
          }
        }
      }
    }
  }

  @Test("records every page with its hash, advances the cursor and makes the stream due, once it is done")
  func whole() async throws {
    try await bench(threePages()) { bench, fixture, _ async throws in
      let attempt = try #require(try await bench.claim())
      try await bench.handler.run(attempt)
      #expect(attempt.isEnded)
      let objects = try await bench.catalog.objects(ofRun: bench.run)
      #expect(objects.map(\.sequence) == [0, 1, 2])
      #expect(objects.compactMap(\.records) == [1, 1, 1])
      for object in objects {
        let bytes = Array(try await fixture.text(object.key).utf8)
        #expect(object.sha256 == SHA256Hasher.hex(of: bytes))
        #expect(object.key == "raw/orders/billing/invoices/\(bench.run)/\(attempt.jobID)-1-\(object.sequence).json")
      }
      #expect(try await bench.catalog.cursor(of: bench.stream) == "2024-02-03T00:00:00Z")
      let due = try await bench.catalog.dueRaw(
        pipeline: "orders", dataset: "any", streams: [bench.stream], upTo: bench.run)
      #expect(due.first?.objects.count == 3)
      #expect(try await bench.store.run(bench.run).first?.state == .succeeded)
    }
  }

  @Test("whose cursor cannot be read succeeds, and the run has an event")
  func events() async throws {
    let script: @Sendable (SourceServer.Request, Int) -> SourceServer.Response = { _, _ in page([1], at: "soon") }
    try await bench(script) { bench, _, _ async throws in
      try await bench.handler.run(try #require(try await bench.claim()))
      let events = try await bench.store.events(ofRun: bench.run)
      #expect(events.map(\.kind) == ["cursor_unreadable"])
      #expect(
        events.first?.message.contains("billing.invoices: none of 1 records has a timestamptz in updated_at") == true)
      #expect(try await bench.catalog.cursor(of: bench.stream) == nil)
    }
  }

  @Test("that fails on page 2 keeps page 1, and its next attempt pulls only the rest")
  func resumes() async throws {
    try await bench(threePages { [1, 2].contains($0) ? .status(500) : nil }) { bench, _, server async throws in
      let first = try #require(try await bench.claim())
      let failure = await #expect(throws: StageFailure.self) { try await bench.handler.run(first) }
      #expect(failure?.code == "source_status")
      #expect(try await bench.catalog.objects(ofRun: bench.run).count == 1)
      #expect(try await bench.catalog.cursor(of: bench.stream) == nil, "a failing run never moves the cursor")
      try await bench.giveBack(first)
      let second = try #require(try await bench.claim())
      #expect(second.mark?.format == CheckpointFormat("ingest.http", 2))
      try await bench.handler.run(second)
      let objects = try await bench.catalog.objects(ofRun: bench.run)
      #expect(objects.map(\.sequence) == [0, 1, 2])
      #expect(objects.map { $0.key.contains("-2-") } == [false, true, true], "the epoch is in the key")
      #expect(server.requests.filter { $0.parameter("t") == nil }.count == 1)
      #expect(try await bench.catalog.cursor(of: bench.stream) == "2024-02-03T00:00:00Z")
    }
  }

  @Test("that reads local times next to others moves its cursor by the zone of the dataset's contract")
  func zone() async throws {
    let zurich = ContractColumn(name: "updated_at", type: ColumnType("timestamptz"), sourceTimezone: "Europe/Zurich")
    let step = CurateStep(
      name: "invoices", from: [StreamReference(source: "billing", stream: "invoices")], columns: [zurich])
    try await PullFixture.with { fixture async throws in
      try await withClient { client async throws in
        let script: @Sendable (SourceServer.Request, Int) -> SourceServer.Response = { request, _ in
          request.parameter("t") == nil
            ? page([1], next: "\"2\"", at: "2024-07-15T12:00:00") : page([2], at: "2024-07-15T11:00:00Z")
        }
        try await SourceServer.serving(script) { server async throws in
          try await IngestBench.with(source(server), curate: [step], fixture: fixture, client: client) {
            bench async throws in
            try await bench.handler.run(try #require(try await bench.claim()))
            // At noon in Zurich it is ten in UTC.
            #expect(try await bench.catalog.cursor(of: bench.stream) == "2024-07-15T11:00:00Z")
          }
        }
      }
    }
  }

  @Test("of a backfill asks for its range, waits for no run, and leaves the cursor to the runs")
  func backfill() async throws {
    try await bench(threePages()) { bench, _, server async throws in
      let running = try #require(try await bench.claim())
      try await running.takePermits([PermitNeed("ingest/orders/billing.invoices")])
      let range = CursorRange(from: "2024-01-15T00:00:00Z", to: "2024-02-15T00:00:00Z")
      let plan = Pipeline(name: "orders", sources: [source(server)])
        .backfillPlan([(StreamReference(source: "billing", stream: "invoices"), range)])
      let run = try await bench.store.enqueue(plan, release: bench.release).runID
      try await bench.handler.run(try #require(try await bench.claim()))
      #expect(server.requests.map { $0.parameter("since") } == Array(repeating: "2024-01-15T00%3A00%3A00Z", count: 3))
      #expect(try await bench.catalog.objects(ofRun: run).count == 3)
      #expect(try await bench.catalog.cursor(of: bench.stream) == nil)
    }
  }

  @Test("yields after the page at hand when its worker drains")
  func yields() async throws {
    try await bench(threePages()) { bench, _, server async throws in
      let first = try #require(try await bench.claim())
      first.requestYield()
      await #expect(throws: JobYield.self) { try await bench.handler.run(first) }
      #expect(try await bench.catalog.objects(ofRun: bench.run).count == 1)
      try await bench.giveBack(first)
      try await bench.handler.run(try #require(try await bench.claim()))
      #expect(server.requests.count == 3)
    }
  }

  @Test("goes on from a checkpoint of the format before, where it was; one of a later format is left to who reads it")
  func olderFormat() async throws {
    try await bench(threePages()) { bench, _, server async throws in
      let first = try #require(try await bench.claim())
      first.requestYield()
      await #expect(throws: JobYield.self) { try await bench.handler.run(first) }
      try await bench.giveBack(first)
      // As an engine of the time before wrote it, after the same page.
      let older = """
        {"bytes":90,"cursor":"2024-01-01T00:00:00Z","cursor_max":"2024-02-01T00:00:00Z","last_body":"ab","next":{"token":"2"},\
        "objects":1,"page":1,"recent":[{"mark":"0011223344556677","page":1}],"records":2}
        """
      try await bench.mark(JobMark(format: CheckpointFormat("ingest.http", 1), state: older))
      let second = try #require(try await bench.claim())
      second.requestYield()
      await #expect(throws: JobYield.self) { try await bench.handler.run(second) }
      #expect(server.requests.last?.parameter("t") == "2", "it asks for the page at which the older engine stood")
      try await bench.giveBack(second)
      let third = try #require(try await bench.claim())
      #expect(third.mark?.format == CheckpointFormat("ingest.http", 2))
      #expect(third.mark?.state.contains("1:0011223344556677") == true, "what was remembered is remembered")
      try await bench.giveBack(third)
      try await bench.mark(JobMark(format: CheckpointFormat("ingest.http", 3), state: "{}"))
      let fourth = try #require(try await bench.claim())
      await #expect(throws: JobSnooze.self) { try await bench.handler.run(fourth) }
      try await bench.giveBack(fourth)
      #expect(server.requests.count == 2)
    }
  }

  @Test("that another run outran between two attempts begins anew, and what it had brought is not due")
  func outrun() async throws {
    try await bench(threePages()) { bench, _, server async throws in
      let first = try #require(try await bench.claim())
      first.requestYield()
      await #expect(throws: JobYield.self) { try await bench.handler.run(first) }
      try await bench.giveBack(first)
      let other = try await bench.another(Pipeline(name: "orders", sources: [source(server)]))
      let again = try #require(try await bench.claim())
      #expect(again.jobID == first.jobID)
      let second = try #require(try await bench.claim())
      try await bench.handler.run(second)
      #expect(try await bench.catalog.cursor(of: bench.stream) == "2024-02-03T00:00:00Z")

      try await bench.handler.run(again)
      let objects = try await bench.catalog.objects(ofRun: bench.run)
      #expect(objects.map(\.sequence) == [0, 0, 1, 2])
      #expect(objects.map { $0.broken == nil } == [false, true, true, true])
      #expect(objects[0].broken == "superseded: run \(other) has read the stream since")
      #expect(server.requests.suffix(3).allSatisfy { $0.parameter("since") == "2024-02-03T00%3A00%3A00Z" })
    }
  }

  @Test("keeps a version of a file that an earlier run had taken too, and the run that outran it had not")
  func outrunOfFiles() async throws {
    try await PullFixture.with { fixture async throws in
      try await withClient { client async throws in
        let stream = Stream(name: "stock", match: "*.csv", read: .incremental, records: .csv(CSVFormat()))
        let source = Source(
          name: "drops", kind: .files(FilesSource(at: ValueTemplate(literal: "file:in"))), streams: [stream])
        let pipeline = Pipeline(name: "orders", sources: [source])
        try await IngestBench.with(source, fixture: fixture, client: client) { bench async throws in
          try fixture.write("id\n1\n", to: "in/a.csv")
          try await bench.handler.run(try #require(try await bench.claim()))
          let first = try #require(try await bench.catalog.objects(ofRun: bench.run).first)
          try fixture.write("id\n2\n", to: "in/a.csv")
          _ = try await bench.another(pipeline)
          try await bench.handler.run(try #require(try await bench.claim()))
          // The third run took the first content again, and was interrupted.
          let third = try await bench.another(pipeline)
          let interrupted = try #require(try await bench.claim())
          try await interrupted.checkpoint(
            format: CheckpointFormat("ingest.files", 1),
            state: #"{"after":"a.csv","bytes":5,"objects":1,"records":0}"#
          ) { transaction in
            let object = NewRawObject(
              sequence: 0, key: first.key + ".3", bytes: first.bytes, sha256: first.sha256, request: "a.csv",
              originBytes: first.bytes, originSHA256: first.sha256)
            try await bench.catalog.record([object], of: bench.stream, by: interrupted, in: transaction)
          }
          try await bench.giveBack(interrupted)
          try fixture.write("id\n3\n", to: "in/a.csv")
          let fourth = try await bench.another(pipeline)
          let again = try #require(try await bench.claim())
          try await bench.handler.run(try #require(try await bench.claim()))
          try await bench.handler.run(again)
          #expect(try await bench.catalog.objects(ofRun: third).map(\.broken) == [nil])
          #expect(try await bench.catalog.objects(ofRun: fourth).count == 1)
        }
      }
    }
  }

  @Test("is not outrun by a backfill, nor by a run whose raw was given up")
  func notOutrun() async throws {
    try await bench(threePages()) { bench, _, server async throws in
      let first = try #require(try await bench.claim())
      first.requestYield()
      await #expect(throws: JobYield.self) { try await bench.handler.run(first) }
      try await bench.giveBack(first)
      let pipeline = Pipeline(name: "orders", sources: [source(server)])
      let (backfill, skipped) = (try await bench.another(pipeline), try await bench.another(pipeline))
      try await bench.store.database.query(
        "insert into sluice.backfill values ($1, 'a', 'b', '{billing.invoices}')", [.int(backfill.rawValue)])
      for run in [backfill, skipped] {
        try await bench.catalog.seal(bench.stream, run: run, read: "incremental", in: bench.store.database)
      }
      try await bench.store.database.query(
        "update sluice.sealed set skipped = true where run_id = $1", [.int(skipped.rawValue)])
      try await bench.handler.run(try #require(try await bench.claim()))
      let objects = try await bench.catalog.objects(ofRun: bench.run)
      #expect(objects.map(\.sequence) == [0, 1, 2])
      #expect(objects.allSatisfy { $0.broken == nil })
    }
  }

  @Test("that lost its lease records nothing more")
  func fenced() async throws {
    try await bench(threePages()) { bench, _, _ async throws in
      let zombie = try #require(try await bench.claim())
      try await bench.giveBack(zombie)
      let owner = try #require(try await bench.claim())
      await #expect(throws: LeaseLost.self) { try await bench.handler.run(zombie) }
      #expect(try await bench.catalog.objects(ofRun: bench.run).isEmpty)
      try await bench.handler.run(owner)
      #expect(try await bench.catalog.objects(ofRun: bench.run).count == 3)
    }
  }

  @Test("keeps a document that is none as broken, which is never due, and goes on from its page")
  func broken() async throws {
    try await bench(threePages { $0 == 1 ? .text("<html>Sorry") : nil }) { bench, fixture, _ async throws in
      let first = try #require(try await bench.claim())
      let failure = await #expect(throws: StageFailure.self) { try await bench.handler.run(first) }
      #expect(failure?.code == "source_document")
      #expect(failure?.isTransient == false)
      let kept = try await bench.catalog.objects(ofRun: bench.run)
      #expect(kept.map(\.broken) == [nil, "HTML where JSON was promised"])
      #expect(try await fixture.text(try #require(kept.last).key) == "<html>Sorry")
      try await bench.giveBack(first)
      try await bench.handler.run(try #require(try await bench.claim()))
      let due = try await bench.catalog.dueRaw(
        pipeline: "orders", dataset: "any", streams: [bench.stream], upTo: bench.run)
      #expect(due.first?.objects.map(\.sequence) == [0, 2, 3])
    }
  }

  @Test("of many small files records several in one transaction, and goes on behind them")
  func manyFiles() async throws {
    try await PullFixture.with { fixture async throws in
      try await withClient { client async throws in
        let stream = Stream(name: "stock", match: "*.csv", read: .incremental, records: .csv(CSVFormat()))
        let source = Source(
          name: "drops", kind: .files(FilesSource(at: ValueTemplate(literal: "file:in"))), streams: [stream])
        let names = (1000..<1300).map { "\($0).csv" }
        for name in names { try fixture.write("id\n\(name)\n", to: "in/\(name)") }
        try await IngestBench.with(source, fixture: fixture, client: client) { bench async throws in
          let first = try #require(try await bench.claim())
          first.requestYield()
          await #expect(throws: JobYield.self) { try await bench.handler.run(first) }
          try await bench.giveBack(first)
          try await bench.handler.run(try #require(try await bench.claim()))
          let objects = try await bench.catalog.objects(ofRun: bench.run)
          #expect(objects.map(\.request) == names)
          #expect(objects.map(\.sequence) == Array(0..<300))
          #expect(objects.map(\.id) == objects.map(\.id).sorted())
          for object in objects {
            #expect(try await fixture.text(object.key) == "id\n\(object.request)\n")
            #expect(object.bytes == 12)
          }
          let rows = try await bench.store.database.query(
            "select count(distinct xmin::text) as n from sluice.raw_object")
          #expect(try rows.only.int("n") < 150)
        }
      }
    }
  }

  @Test("of files takes each once over the runs; a rewrite of the same size and a return to an earlier version are new")
  func files() async throws {
    try await PullFixture.with { fixture async throws in
      try await withClient { client async throws in
        let stream = Stream(name: "stock", match: "*.csv", read: .incremental, records: .csv(CSVFormat()))
        let source = Source(
          name: "drops", kind: .files(FilesSource(at: ValueTemplate(literal: "file:in"))), streams: [stream])
        let pipeline = Pipeline(name: "orders", sources: [source])
        try fixture.write("id\n1\n", to: "in/a.csv")
        try await IngestBench.with(source, fixture: fixture, client: client) { bench async throws in
          try await bench.handler.run(try #require(try await bench.claim()))
          try fixture.write("id\n2\n", to: "in/b.csv")
          let second = try await bench.another(pipeline)
          try await bench.handler.run(try #require(try await bench.claim()))
          try fixture.write("id\n9\n", to: "in/a.csv")
          let third = try await bench.another(pipeline)
          try await bench.handler.run(try #require(try await bench.claim()))
          let fourth = try await bench.another(pipeline)
          try await bench.handler.run(try #require(try await bench.claim()))
          // a.csv returns to what it was; b.csv is gone for a run.
          try fixture.write("id\n1\n", to: "in/a.csv")
          try FileManager.default.removeItem(atPath: fixture.directory + "/in/b.csv")
          let fifth = try await bench.another(pipeline)
          try await bench.handler.run(try #require(try await bench.claim()))
          try fixture.write("id\n2\n", to: "in/b.csv")
          let sixth = try await bench.another(pipeline)
          try await bench.handler.run(try #require(try await bench.claim()))
          var taken: [[String]] = []
          for run in [bench.run, second, third, fourth, fifth, sixth] {
            taken.append(try await bench.catalog.objects(ofRun: run).map(\.request))
          }
          #expect(taken == [["a.csv"], ["b.csv"], ["a.csv"], [], ["a.csv"], []])
        }
      }
    }
  }
}
