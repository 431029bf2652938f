import JobModel
import JobStore
import PipelineDefinition
import Synchronization
import TestSupport
import Testing

@testable import Ingestion

@Suite("What a pull waits for")
struct PullWaitTests {
  @Test("is the source while it answers and while it asks to wait, and the limit where requests have a rate")
  func causes() async throws {
    let told = Mutex<[String]>([])
    try await PullFixture.with { fixture async throws in
      try await withClient { client async throws in
        try await TestDatabase.withDatabase { database in
          let script: @Sendable (SourceServer.Request, Int) -> SourceServer.Response = { request, number in
            if number == 0 { return .status(429, headers: [("Retry-After", "2")]) }
            return request.parameter("t") == nil ? page([1], next: "\"2\"") : page([2])
          }
          try await SourceServer.serving(script) { server async throws in
            let line = RequestPaces().pace(of: "h", store: JobStore(database: database.pool), timing: fixture.timing)
            var context = fixture.context()
            context.waits = { cause, begins in told.withLock { $0.append("\(begins ? "+" : "-")\(cause)") } }
            let connector = httpConnector(
              server.url, client, fixture, paginate: .token(path: "$.next", param: "t"), requestsPerSecond: 1,
              line: line)
            let outcome = await carry(connector, in: context)
            #expect(outcome.objects.count == 2)
          }
        }
      }
    }
    let waits = told.withLock { $0 }
    // A request, what it asks for, and then two requests, before some of which the limit is waited for.
    #expect(
      waits.filter { $0.hasSuffix("source") } == ["+source", "-source"] + ["+source", "-source"] + [
        "+source", "-source",
      ] + ["+source", "-source"])
    #expect(waits.contains("+limit"))
    #expect(waits.count { $0.hasPrefix("+") } == waits.count { $0.hasPrefix("-") })
  }
}
