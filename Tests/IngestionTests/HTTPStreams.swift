import AsyncHTTPClient
import Ingestion
import JobModel
import NIOCore
import PipelineDefinition

/// A connector for one stream of a test server.
func httpConnector(
  _ base: String, _ client: HTTPClient, _ fixture: PullFixture, records: RecordFormat = .json(path: "$.data[*]"),
  method: String = "GET", path: String = "/v2/invoices", pathTemplate: ValueTemplate? = nil,
  query: [(name: String, value: ValueTemplate)] = [],
  body: ValueTemplate? = nil, paginate: Pagination = .none, maxPages: Int = HTTPRequest.defaultMaxPages,
  redirects: HTTPRequest.Redirects = .sameHost, end: Set<Int> = [], minimumRate: Int = HTTPSource.defaultMinimumRate,
  maximumBody: Int = Source.defaultMaximumBody,
  cursor: Cursor? = nil, storedCursor: String? = nil, range: CursorRange? = nil, auth: HTTPAuth? = nil,
  retry: HTTPRetry = HTTPRetry(), requestsPerSecond: Double? = nil, line: RequestPace? = nil,
  headTimeout: TimeAmount = .seconds(20), timing: PullTiming? = nil,
  secrets: [String: String] = [:], variables: [String: String] = [:]
) -> HTTPConnector {
  let request = HTTPRequest(
    method: method, path: pathTemplate ?? ValueTemplate(literal: path), query: query, body: body, paginate: paginate,
    maxPages: maxPages,
    redirects: redirects, end: end)
  let stream = Stream(
    name: "invoices", request: request, read: cursor == nil ? .full : .incremental, records: records, key: ["id"],
    cursor: cursor)
  let source = HTTPSource(
    baseURL: ValueTemplate(literal: base + "/"), auth: auth, retry: retry, requestsPerSecond: requestsPerSecond,
    minimumRate: minimumRate, maximumBody: maximumBody)
  return HTTPConnector(
    source: source, stream: stream,
    resolver: ValueResolver(
      environment: { variables[$0] }, secret: { secrets[$0] }, placeholders: ["env": "test", "run": "7"]),
    storedCursor: storedCursor, range: range, client: client, timing: timing ?? fixture.timing, line: line,
    headTimeout: headTimeout)
}

func page(_ ids: [Int], next: String = "null", at: String = "2024-01-01T00:00:00Z") -> SourceServer.Response {
  let records = ids.map { "{\"id\": \($0), \"updated_at\": \"\(at)\"}" }.joined(separator: ", ")
  return .json("{\"data\": [\(records)], \"next\": \(next)}")
}
