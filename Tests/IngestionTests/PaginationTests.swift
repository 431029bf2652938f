import Catalog
import Ingestion
import JobModel
import PipelineDefinition
import Testing

@Suite("Pages of an HTTP stream")
struct PaginationTests {
  /// Pulls everything of a scripted source.
  private func pull(
    records: RecordFormat = .json(path: "$.data[*]"), query: [(name: String, value: ValueTemplate)] = [],
    paginate: Pagination, _ script: @escaping @Sendable (SourceServer.Request, Int) -> SourceServer.Response
  ) async throws -> (outcome: PullOutcome, targets: [String]) {
    try await PullFixture.with { fixture async throws in
      try await withClient { client async throws in
        try await SourceServer.serving(script) { server async throws in
          let connector = httpConnector(server.url, client, fixture, records: records, query: query, paginate: paginate)
          let outcome = await carry(connector, in: fixture.context())
          for object in outcome.objects {
            #expect(try await fixture.text(object.key).utf8.count == Int(object.bytes))
          }
          return (outcome, server.targets)
        }
      }
    }
  }

  @Test("without pagination one request brings one object, byte for byte")
  func single() async throws {
    let body = "{\"data\": [ {\"id\":1},\n{\"id\": 2.50} ]}  \n"
    try await PullFixture.with { fixture async throws in
      try await withClient { client async throws in
        try await SourceServer.serving({ _, _ in .json(body) }) { server async throws in
          let outcome = await carry(httpConnector(server.url, client, fixture), in: fixture.context())
          #expect(outcome.error == nil)
          let object = try #require(outcome.objects.first)
          #expect(outcome.objects.count == 1)
          #expect(object.key == "raw/orders/billing/invoices/7/40-1-0.json")
          #expect(try await fixture.text(object.key) == body)
          #expect(object.records == 2)
          #expect(object.contentType == "application/json")
          #expect(object.request == server.url + "/v2/invoices")
          let request = try #require(server.requests.first)
          #expect(request.headers["accept-encoding"] == nil, "raw is the bytes as they are")
          #expect(request.headers["user-agent"]?.hasPrefix("sluice") == true)
        }
      }
    }
  }

  @Test(
    "a status can mean that there are no more", arguments: [(404, [404]), (410, [404, 410]), (204, []), (204, [404])])
  func endStatus(status: Int, end: [Int]) async throws {
    try await PullFixture.with { fixture async throws in
      try await withClient { client async throws in
        let script: @Sendable (SourceServer.Request, Int) -> SourceServer.Response = { _, number in
          number < 2 ? page([number]) : SourceServer.Response(status: status)
        }
        try await SourceServer.serving(script) { server async throws in
          let outcome = await carry(
            httpConnector(server.url, client, fixture, paginate: .page(param: "p", start: 1), end: Set(end)),
            in: fixture.context())
          #expect(outcome.error == nil)
          #expect(outcome.objects.count == 2)
          #expect(outcome.events.isEmpty)
          #expect(server.requests.count == 3)
        }
      }
    }
  }

  @Test("a first page with such a status is an event of the run; any other status is a failure")
  func endAtOnce() async throws {
    try await PullFixture.with { fixture async throws in
      try await withClient { client async throws in
        try await SourceServer.serving({ _, _ in .status(404) }) { server async throws in
          let none = await carry(httpConnector(server.url, client, fixture, end: [404]), in: fixture.context())
          #expect(none.error == nil && none.objects.isEmpty)
          #expect(none.events.map(\.kind) == [.noPages])
          #expect(none.events.first?.message.contains("the first page was answered 404") == true)
          let other = await carry(httpConnector(server.url, client, fixture, end: [410]), in: fixture.context(epoch: 2))
          #expect(other.failure?.code == "source_status")
        }
      }
    }
  }

  @Test("a token is sent back until none comes", arguments: ["null", "\"\"", "false"])
  func token(end: String) async throws {
    let (outcome, targets) = try await pull(
      query: [("limit", ValueTemplate(literal: "2"))], paginate: .token(path: "$.next", param: "page_token")
    ) { request, _ in
      switch request.parameter("page_token") {
      case nil: page([1, 2], next: "\"a b&c\"")
      case "a%20b%26c": page([3, 4], next: "77")
      default: page([5], next: end)
      }
    }
    #expect(outcome.error == nil)
    #expect(
      targets == [
        "/v2/invoices?limit=2", "/v2/invoices?limit=2&page_token=a%20b%26c", "/v2/invoices?limit=2&page_token=77",
      ])
    #expect(outcome.objects.map(\.sequence) == [0, 1, 2])
    #expect(outcome.objects.compactMap(\.records) == [2, 2, 1])
  }

  @Test("a next URL is followed, be it relative or whole")
  func nextURL() async throws {
    let (outcome, targets) = try await pull(paginate: .nextURL(path: "$.next")) { request, number in
      switch number {
      case 0: page([1], next: "\"/v2/invoices?p=2\"")
      case 1: page([2], next: "\"http://\(request.headers["host"] ?? "")/other?p=3\"")
      default: page([3])
      }
    }
    #expect(outcome.error == nil)
    #expect(targets == ["/v2/invoices", "/v2/invoices?p=2", "/other?p=3"])
  }

  @Test("the Link header is followed while it has a next")
  func linkHeader() async throws {
    let (outcome, targets) = try await pull(records: .ndjson, paginate: .linkHeader) { _, number in
      let first = "</v2/invoices?p=1>; rel=\"first\"; title=\"a, b\""
      return number < 2
        ? .text("{\"id\": 1}\n", headers: [("Link", "\(first), </v2/invoices?p=\(number + 2)>; rel=\"next\"")])
        : .text("{\"id\": 1}\n", headers: [("Link", first)])
    }
    #expect(outcome.error == nil)
    #expect(targets == ["/v2/invoices", "/v2/invoices?p=2", "/v2/invoices?p=3"])
  }

  @Test("page numbers count from their start until a page has no records")
  func pages() async throws {
    let (outcome, targets) = try await pull(paginate: .page(param: "page", start: 1)) { _, number in
      number < 2 ? page([number]) : page([])
    }
    #expect(outcome.error == nil)
    #expect(targets == ["/v2/invoices?page=1", "/v2/invoices?page=2", "/v2/invoices?page=3"])
    #expect(outcome.objects.compactMap(\.records) == [1, 1, 0])
  }

  @Test("offsets grow by the records of the page before, quoted line breaks and all")
  func offsets() async throws {
    let (outcome, targets) = try await pull(records: .csv(CSVFormat()), paginate: .offset(param: "from", start: 0)) {
      _, number in
      switch number {
      case 0: .text("id,text\n1,\"a\nb\"\n2,\"x \"\"y\"\"\"\n\n3,c")
      case 1: .text("id,text\n4,d\n")
      default: .text("id,text\n")
      }
    }
    #expect(outcome.error == nil)
    #expect(targets == ["/v2/invoices?from=0", "/v2/invoices?from=3", "/v2/invoices?from=4"])
  }

  @Test("an answer without content ends the pages and leaves no object")
  func noContent() async throws {
    let (outcome, _) = try await pull(paginate: .page(param: "page", start: 1)) { _, number in
      number == 0 ? page([1]) : SourceServer.Response(status: 204)
    }
    #expect(outcome.error == nil)
    #expect(outcome.objects.count == 1)
  }

  @Test("a token that comes again ends the pull and names the page that had it", arguments: [1, 2, 5])
  func loop(length: Int) async throws {
    let (outcome, _) = try await pull(paginate: .token(path: "$.next", param: "t")) { _, number in
      page([number], next: "\"token-\(number % length)\"")
    }
    let failure = try #require(outcome.failure)
    #expect(failure.code == "source_repeats")
    #expect(!failure.isTransient)
    #expect(failure.message.contains("the token of page 1 again"))
    #expect(failure.message.contains("billing.invoices"))
    #expect(outcome.objects.count == length, "the page that repeats is not kept")
  }

  @Test("a loop longer than what is remembered is found as well")
  func longLoop() async throws {
    let (outcome, targets) = try await pull(paginate: .token(path: "$.next", param: "t")) { _, number in
      page([number], next: "\"token-\(number % 50)\"")
    }
    #expect(outcome.failure?.code == "source_repeats")
    #expect(targets.count < 250)
  }

  @Test("a source that ignores the page number is found out")
  func ignoredParameter() async throws {
    let (outcome, targets) = try await pull(paginate: .page(param: "page", start: 1)) { _, _ in page([1, 2]) }
    #expect(outcome.failure?.code == "source_repeats")
    #expect(targets.count == 2)
  }
}
