import AsyncHTTPClient
import Catalog
import JobModel
import JobStore
import ObjectStore
import PipelineDefinition
import Postgres
import Synchronization
import TestSupport
import Testing

@testable import Ingestion

@Suite("Limits of a host")
struct FleetLimitTests {
  /// When the source was asked, and by whom.
  private final class Arrivals: Sendable {
    private let all = Mutex<[(time: ContinuousClock.Instant, path: String)]>([])

    func note(_ request: SourceServer.Request) -> Int {
      all.withLock { all in
        all.append((.now, request.path))
        return all.count
      }
    }

    var times: [ContinuousClock.Instant] { all.withLock { $0.map(\.time).sorted() } }
    func count(_ path: String) -> Int { all.withLock { $0.count { $0.path == path } } }
    /// Of the second half: on a busy machine one process may begin a second after the other.
    func lateCount(_ path: String) -> Int { all.withLock { $0.suffix($0.count / 2).count { $0.path == path } } }

    /// The most that came in any second.
    var densest: Int {
      let times = times
      return times.indices.map { begin in
        times[begin...].prefix { times[begin].duration(to: $0) < .seconds(1) }.count
      }.max() ?? 0
    }
  }

  private static let start = ContinuousClock.now
  private static let clocks = PullTiming(
    now: { start.duration(to: .now) }, sleep: { try await ContinuousClock().sleep(for: $0) },
    wallSeconds: { 784_111_777 }, jitter: { 0.5 })

  /// A stream that is read page by page by a process with a pool of its own.
  private static func pull(
    _ path: String, _ server: SourceServer, _ client: HTTPClient, _ fixture: PullFixture, database: PostgresSettings,
    epoch: Int64
  ) async -> (any Error)? {
    let pool = PostgresPool(database, maximum: 2)
    let request = HTTPRequest(path: ValueTemplate(literal: path), paginate: .page(param: "page", start: 1))
    let stream = Stream(name: "invoices", request: request, records: .json(path: "$.data[*]"), key: ["id"])
    let connector = HTTPConnector(
      source: HTTPSource(baseURL: ValueTemplate(literal: server.url), requestsPerSecond: 50), stream: stream,
      resolver: ValueResolver(environment: { _ in nil }, secret: { _ in nil }), storedCursor: nil, client: client,
      timing: clocks, line: RequestPaces().pace(of: "h", store: JobStore(database: pool), timing: clocks))
    let outcome = await carry(connector, in: fixture.context(epoch: epoch))
    await pool.close()
    return outcome.error
  }

  @Test("two processes together never ask a host faster than its rate, use all of it, and get the same")
  func rate() async throws {
    let arrivals = Arrivals()
    let (rate, total) = (50, 200)
    try await PullFixture.with { fixture async throws in
      try await withClient { client async throws in
        try await TestDatabase.withDatabase { database in
          let script: @Sendable (SourceServer.Request, Int) -> SourceServer.Response = { request, _ in
            let number = arrivals.note(request)
            return number < total ? page([number]) : page([])
          }
          try await SourceServer.serving(script) { server async throws in
            let paths = ["/a", "/b"]
            try await withThrowingTaskGroup(of: (any Error)?.self) { group in
              for (index, path) in paths.enumerated() {
                group.addTask {
                  await Self.pull(
                    path, server, client, fixture, database: database.settings, epoch: Int64(index) + 1)
                }
              }
              for try await error in group { #expect(error == nil) }
            }
          }
        }
      }
    }
    let times = arrivals.times
    let seconds = times[0].duration(to: times[total - 1]) / .seconds(1)
    let reached = Double(total - 1) / seconds
    print(
      "rate of \(rate)/s: \(reached)/s in use, at most \(arrivals.densest) in any second; "
        + "\(arrivals.count("/a")) and \(arrivals.count("/b")) requests")
    // One more at the border of a second, and what comes up to 50 ms late; a loopback adds some milliseconds.
    #expect(arrivals.densest <= rate + 1 + rate / 10)
    // A machine that is busy with other suites loses places; alone it uses nearly all.
    #expect(reached > 0.6 * Double(rate))
    #expect(abs(arrivals.lateCount("/a") - arrivals.lateCount("/b")) < total / 4)
  }

  @Test("in_flight: a second stream of the host waits for the first, whatever its pipeline's name for it")
  func inFlight() async throws {
    try await PullFixture.with { fixture async throws in
      try await withClient { client async throws in
        try await SourceServer.serving({ _, _ in page([1]) }) { server async throws in
          let streams = ["invoices", "customers"].map { name in
            Stream(
              name: name, request: HTTPRequest(path: ValueTemplate(literal: "/\(name)")), read: .full,
              records: .json(path: "$.data[*]"), key: ["id"])
          }
          let http = HTTPSource(baseURL: ValueTemplate(literal: server.url), inFlight: 1)
          let source = Source(name: "billing", kind: .http(http), streams: streams)
          try await IngestBench.with(source, fixture: fixture, client: client) { bench async throws in
            let first = try #require(try await bench.claim())
            let second = try #require(try await bench.claim())
            try await first.takePermits([PermitNeed("source/127.0.0.1:\(server.port)")])
            await #expect(throws: JobWaits(key: "source/127.0.0.1:\(server.port)")) {
              try await bench.handler.run(second)
            }
            #expect(server.requests.isEmpty)
            #expect(try await bench.store.permitQueues().map(\.jobs) == [1])
            try await bench.handler.run(first)
            #expect(try await first.passPermitsOn().values.map { $0 } == [second.jobID])
            try await bench.handler.run(try #require(try await bench.claim()))
            #expect(server.requests.count == 2)
          }
        }
      }
    }
  }
}
