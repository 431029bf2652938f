import JobModel
import NIOCore
import PipelineDefinition
import Synchronization
import Testing

@testable import Ingestion

@Suite("A source that never ends")
struct HTTPLimitTests {
  private func pull(
    _ script: @escaping @Sendable (SourceServer.Request, Int) -> SourceServer.Response,
    _ connector: (SourceServer, PullFixture) -> (HTTPConnector, String?),
    _ test: (PullOutcome, SourceServer, PullFixture) async throws -> Void
  ) async throws {
    try await PullFixture.with { fixture async throws in
      try await SourceServer.serving(script) { server async throws in
        let (connector, state) = connector(server, fixture)
        try await test(await carry(connector, from: state, in: fixture.context()), server, fixture)
      }
    }
  }

  @Test("and sends a byte now and then is given up, naming the setting")
  func slowBody() async throws {
    try await withClient { client async throws in
      // Each look at the clock is a minute later: what comes, comes slowly.
      let clock = Mutex(Duration.zero)
      try await pull({ _, _ in page([1]) }) { server, fixture in
        var timing = fixture.timing
        timing.now = {
          clock.withLock {
            $0 += .seconds(61)
            return $0
          }
        }
        return (httpConnector(server.url, client, fixture, retry: HTTPRetry(max: 1), timing: timing), nil)
      } _: { outcome, server, fixture async throws in
        #expect(outcome.failure?.code == "source_slow")
        #expect(outcome.failure?.message.contains("billing.invoices") == true)
        #expect(outcome.failure?.message.contains("less than min_rate (1000 B/s)") == true)
        #expect(outcome.failure?.hint?.contains("min_rate") == true)
        #expect(server.requests.count == 2, "it is tried again like one that is silent")
        #expect(try await fixture.keys.isEmpty)
      }
    }
  }

  @Test(
    "is measured over a minute of waiting",
    arguments: [
      // Bytes and seconds of each piece, and whether the source is too slow for 1000 bytes a second.
      (Array(repeating: (1, 1), count: 59), false), (Array(repeating: (1, 1), count: 60), true),
      (Array(repeating: (1000, 1), count: 300), false), ([(60_000, 0), (1, 59)], false), ([(10, 600)], true),
      (Array(repeating: (60_000, 60), count: 5) + [(1, 60)], true), (Array(repeating: (1, 0), count: 10_000), false),
    ] as [([(Int, Int)], Bool)])
  func rate(pieces: [(bytes: Int, seconds: Int)], isTooSlow: Bool) {
    var rate = MinimumRate(bytesPerSecond: 1000)
    var refused = false
    for piece in pieces {
      do { try rate.received(piece.bytes, waiting: .seconds(piece.seconds)) } catch { refused = true }
    }
    #expect(refused == isTooSlow)
  }

  @Test("and sends its head byte by byte is given up")
  func slowHead() async throws {
    try await withClient { client async throws in
      let slow = SourceServer.Response(
        headers: [("X-Pad", String(repeating: "x", count: 10_000))], headPause: .milliseconds(20))
      try await pull({ _, _ in slow }) { server, fixture in
        (
          httpConnector(
            server.url, client, fixture, retry: HTTPRetry(max: 0), headTimeout: .milliseconds(300)), nil
        )
      } _: { outcome, _, _ in
        #expect(outcome.failure?.code == "source_unreachable")
        #expect(outcome.failure?.message.contains("head of its answer in time") == true)
      }
    }
  }

  @Test("in its interim answers is refused at once", arguments: [(2, false), (16, false), (17, true), (20_000, true)])
  func interim(count: Int, isRefused: Bool) async throws {
    try await withClient { client async throws in
      var answer = page([1])
      answer.interimHeads = count
      let script: @Sendable (SourceServer.Request, Int) -> SourceServer.Response = { [answer] _, _ in answer }
      try await pull(script) { server, fixture in
        (httpConnector(server.url, client, fixture), nil)
      } _: { outcome, server, _ in
        #expect((outcome.failure?.code == "source_headers") == isRefused, "\(String(describing: outcome.error))")
        #expect(outcome.objects.count == (isRefused ? 0 : 1))
        #expect(server.requests.count == 1)
        guard isRefused else { return }
        #expect(outcome.failure?.isTransient == false)
        #expect(outcome.failure?.message.contains("more than 16 interim answers") == true)
      }
    }
  }

  @Test("in its headers is refused at once", arguments: [[100_000], Array(repeating: 1_000, count: 70)])
  func headers(sizes: [Int]) async throws {
    try await withClient { client async throws in
      let headers = sizes.enumerated().map { ("X-\($0)", String(repeating: "x", count: $1)) }
      try await pull({ _, _ in .json("{\"data\": []}", headers: headers) }) { server, fixture in
        (httpConnector(server.url, client, fixture), nil)
      } _: { outcome, server, fixture async throws in
        #expect(outcome.failure?.code == "source_headers")
        #expect(outcome.failure?.message.contains("64 KiB") == true)
        #expect(server.requests.count == 1)
        #expect(try await fixture.keys.isEmpty)
      }
    }
  }

  @Test("in its pages ends at max_pages; what came is kept, and a higher limit goes on from there")
  func pages() async throws {
    try await withClient { client async throws in
      let endless: @Sendable (SourceServer.Request, Int) -> SourceServer.Response = { request, _ in
        page([1], next: "\"\(request.parameter("t") ?? "t")x\"")
      }
      let state = Mutex<String?>(nil)
      try await pull(endless) { server, fixture in
        (httpConnector(server.url, client, fixture, paginate: .token(path: "$.next", param: "t"), maxPages: 3), nil)
      } _: { outcome, server, _ in
        #expect(outcome.failure?.code == "source_pages")
        #expect(outcome.failure?.isTransient == false)
        #expect(outcome.failure?.message.contains("after 3 pages (max_pages)") == true)
        #expect(outcome.objects.count == 3)
        #expect(server.requests.count == 3)
        state.withLock { $0 = outcome.steps.last?.state }
      }
      try await pull(endless) { server, fixture in
        (
          httpConnector(server.url, client, fixture, paginate: .token(path: "$.next", param: "t"), maxPages: 5),
          state.withLock { $0 }
        )
      } _: { outcome, server, _ in
        #expect(outcome.objects.count == 2)
        #expect(server.targets.first?.hasSuffix("t=txxx") == true)
      }
    }
  }

  @Test("in its token goes into no checkpoint", arguments: [4097, 6_000_000])
  func token(length: Int) async throws {
    try await withClient { client async throws in
      let token = String(repeating: "x", count: length)
      try await pull({ _, _ in page([1], next: "\"\(token)\"") }) { server, fixture in
        (httpConnector(server.url, client, fixture, paginate: .token(path: "$.next", param: "t")), nil)
      } _: { outcome, server, fixture async throws in
        #expect(outcome.failure?.code == "source_link")
        #expect(outcome.failure?.message.contains("the token to page 2 is longer than 4096 bytes") == true)
        #expect(outcome.steps.isEmpty)
        #expect(server.requests.count == 1)
        #expect(try await fixture.keys.isEmpty)
      }
    }
  }

  @Test("in its link goes into no checkpoint", arguments: [Pagination.nextURL(path: "$.next"), .linkHeader])
  func link(pagination: Pagination) async throws {
    try await withClient { client async throws in
      let link = "/v2/invoices?p=" + String(repeating: "x", count: 4096)
      let script: @Sendable (SourceServer.Request, Int) -> SourceServer.Response = { _, _ in
        .json("{\"data\": [1], \"next\": \"\(link)\"}", headers: [("Link", "<\(link)>; rel=next")])
      }
      try await pull(script) { server, fixture in
        (httpConnector(server.url, client, fixture, paginate: pagination), nil)
      } _: { outcome, _, _ in
        #expect(outcome.failure?.code == "source_link")
        #expect(outcome.failure?.message.contains("the link to page 2 is longer than 4096 bytes") == true)
        #expect(outcome.steps.isEmpty)
      }
    }
  }

  @Test("in its cursor goes into no checkpoint", arguments: ["json", "csv"])
  func cursor(format: String) async throws {
    try await withClient { client async throws in
      let long = String(repeating: "z", count: 2000)
      let body = format == "csv" ? "id,v\n1,a\n2,\(long)\n" : "[{\"v\": \"a\"}, {\"v\": \"\(long)\"}]"
      try await pull({ _, _ in .text(body) }) { server, fixture in
        (
          httpConnector(
            server.url, client, fixture, records: format == "csv" ? .csv(CSVFormat()) : .json(path: "$[*]"),
            cursor: Cursor(field: "v", type: .text)), nil
        )
      } _: { outcome, _, _ in
        #expect(outcome.error == nil)
        #expect(outcome.newCursor == "a")
        #expect((outcome.steps.last?.state.utf8.count ?? .max) < 1000)
      }
    }
  }
}
