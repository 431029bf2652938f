import Catalog
import Ingestion
import JobModel
import JobStore
import PipelineDefinition
import Testing

@Suite("A request that is put off")
struct LongWaitTests {
  /// Attempts of one job, each from the checkpoint of the one before, until one is not put off; at most 20.
  private static func attempts(_ connector: some Connector, _ fixture: PullFixture) async -> [PullOutcome] {
    var outcomes: [PullOutcome] = []
    while outcomes.count < 20 {
      let state = outcomes.compactMap(\.steps.last).last?.state
      outcomes.append(
        await carry(connector, from: state, in: fixture.context(epoch: Int64(outcomes.count + 1))))
      guard outcomes.last?.error is JobSnooze else { break }
    }
    return outcomes
  }

  private static func refusing(
    wait: String?, _ body: @escaping @Sendable (PullFixture, SourceServer) async throws -> Void
  )
    async throws
  {
    try await PullFixture.with { fixture async throws in
      let headers = wait.map { [("Retry-After", $0)] } ?? []
      try await SourceServer.serving({ _, _ in .status(429, headers: headers) }) { try await body(fixture, $0) }
    }
  }

  @Test(
    "by a source that never answers otherwise ends: its tries and its waits count over all attempts",
    arguments: [
      // The first asks and three waits of ten minutes fit into half an hour.
      (HTTPRetry(), 4, "after waits of 1800 s since 1994-11-06T08:49:37Z, longer than `give_up_after`"),
      (HTTPRetry(giveUpAfter: .seconds(86_400)), 9, "the source answered 429 (/v2/invoices, page 1), after 9 tries"),
      (HTTPRetry(max: 2, giveUpAfter: .seconds(86_400)), 3, "after 3 tries"),
    ])
  func ends(retry: HTTPRetry, tries: Int, told: String) async throws {
    try await Self.refusing(wait: "600") { fixture, server async throws in
      try await withClient { client async throws in
        let outcomes = await Self.attempts(httpConnector(server.url, client, fixture, retry: retry), fixture)
        #expect(server.requests.count == tries)
        #expect(
          outcomes.map { $0.error as? JobSnooze } == Array(repeating: JobSnooze(.seconds(600)), count: tries - 1) + [
            nil
          ])
        let failure = try #require(outcomes.last?.failure)
        #expect(failure.message.contains(told))
        #expect(!failure.isTransient)
        #expect(
          outcomes.first?.steps.first?.events == [
            PullEvent(
              .longWait,
              "billing.invoices: the source answered 429 and asks to wait 600 s: put off until 1994-11-06T08:59:37Z; asked for "
                + "since 1994-11-06T08:49:37Z, try 1 of \(retry.max + 1), within give_up_after (\(retry.giveUpAfter.components.seconds) s) (/v2/invoices, page 1)"
            )
          ])
        // `sluice runs retry` continues from the last checkpoint, with all tries.
        let state = try #require(outcomes.last?.steps.last?.state)
        let taken = await carry(
          httpConnector(server.url, client, fixture, retry: retry), from: state, in: fixture.context())
        #expect(taken.error is JobSnooze)
      }
    }
  }

  @Test("by the source's own pace ends as well when the source only fails")
  func pace() async throws {
    try await Self.refusing(wait: nil) { fixture, server async throws in
      try await withClient { client async throws in
        let line = RequestPace(now: fixture.timing.now) { _, _ in .seconds(server.requests.isEmpty ? 0 : 1000) }
        let connector = httpConnector(server.url, client, fixture, requestsPerSecond: 0.001, line: line)
        var outcomes = [await carry(connector, in: fixture.context())]
        while outcomes.count < 20, outcomes.last?.error is JobSnooze {
          // The time for which the job is put off.
          try await fixture.timing.sleep(.seconds(1000))
          outcomes.append(
            await carry(
              connector, from: outcomes.last?.steps.last?.state, in: fixture.context(epoch: Int64(outcomes.count + 1))))
        }
        #expect(outcomes.last?.failure?.code == "source_status")
        #expect(server.requests.count == 3)
      }
    }
  }

  @Test("and then answered continues with all tries for the next page")
  func answered() async throws {
    try await PullFixture.with { fixture async throws in
      try await withClient { client async throws in
        let script: @Sendable (SourceServer.Request, Int) -> SourceServer.Response = { _, number in
          [1, 3, 5].contains(number)
            ? page([number], next: "\"\(number)\"") : .status(429, headers: [("Retry-After", "400")])
        }
        try await SourceServer.serving(script) { server async throws in
          let connector = httpConnector(
            server.url, client, fixture, paginate: .token(path: "$.next", param: "t"), retry: HTTPRetry(max: 1))
          var states: [String?] = [nil]
          for epoch in 1...4 {
            let outcome = await carry(connector, from: states.last ?? nil, in: fixture.context(epoch: Int64(epoch)))
            #expect(outcome.error as? JobSnooze == JobSnooze(.seconds(400)))
            states.append(outcome.steps.last?.state)
          }
          #expect(server.requests.count == 7)
          #expect(states.last??.contains(#""page":3"#) == true)
          #expect(states.last??.contains(#""wait":{"since":784111777,"tries":1,"waited":400}"#) == true)
        }
      }
    }
  }

  /// A job whose source asks for ten minutes each time, of at most twenty.
  private static func refusedJob(_ body: @escaping @Sendable (IngestBench) async throws -> Void) async throws {
    try await refusing(wait: "600") { fixture, server async throws in
      try await withClient { client async throws in
        let request = HTTPRequest(path: ValueTemplate(literal: "/v2/invoices"))
        let stream = Stream(name: "invoices", request: request, records: .json(path: "$.data[*]"), key: ["id"])
        let http = HTTPSource(
          baseURL: ValueTemplate(literal: server.url), retry: HTTPRetry(giveUpAfter: .seconds(1200)))
        let source = Source(name: "billing", kind: .http(http), streams: [stream])
        try await IngestBench.with(source, fixture: fixture, client: client, body)
      }
    }
  }

  @Test("and then cancelled has all tries and the whole limit again when its run is retried by hand")
  func cancelled() async throws {
    try await Self.refusedJob { bench async throws in
      func putOff(waited: Int) async throws -> JobAttempt {
        let attempt = try #require(try await bench.claim())
        await #expect(throws: JobSnooze(.seconds(600))) { try await bench.handler.run(attempt) }
        let job = try #require(try await bench.store.jobs(job: attempt.jobID).first)
        #expect(job.mark?.state.contains(#""waited": \#(waited)"#) == true, "\(job)")
        return attempt
      }
      try await bench.giveBack(try await putOff(waited: 600))
      try await bench.store.endAttempt(
        try await putOff(waited: 1200).claim.holder, as: .snoozed(.seconds(600)))
      _ = try await bench.store.cancel(run: bench.run)
      #expect(try await bench.store.retry(run: bench.run) == 1)
      // Also where an attempt of before ended without a checkpoint of its own.
      try await bench.giveBack(try #require(try await bench.claim()))
      for waited in [600, 1200] { try await bench.giveBack(try await putOff(waited: waited)) }
      let last = try #require(try await bench.claim())
      let failure = await #expect(throws: StageFailure.self) { try await bench.handler.run(last) }
      #expect(failure?.code == "source_wait")
    }
  }

  @Test("is an event of its run at once, and the job's checkpoint says since when")
  func job() async throws {
    try await Self.refusedJob { bench async throws in
      for put in 1...2 {
        let attempt = try #require(try await bench.claim())
        await #expect(throws: JobSnooze(.seconds(600))) { try await bench.handler.run(attempt) }
        let events = try await bench.store.events(ofRun: bench.run)
        #expect(events.map(\.kind) == Array(repeating: "source_waits", count: put))
        try await bench.giveBack(attempt)
      }
      let last = try #require(try await bench.claim())
      #expect(last.mark?.state.contains(#""waited": 1200"#) == true)
      let failure = await #expect(throws: StageFailure.self) { try await bench.handler.run(last) }
      #expect(failure?.code == "source_wait")
      try await bench.giveBack(last)
      #expect(
        try await bench.claim()?.mark?.state.contains("wait") == false,
        "what is taken up again counts from the first")
    }
  }
}
