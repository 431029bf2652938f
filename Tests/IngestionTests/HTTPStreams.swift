import AsyncHTTPClient
import Ingestion
import JobModel
import PipelineDefinition

/// A connector for one stream of a test server.
func httpConnector(
  _ base: String, _ client: HTTPClient, _ fixture: PullFixture, records: RecordFormat = .json(path: "$.data[*]"),
  path: String = "/v2/invoices", query: [(name: String, value: ValueTemplate)] = [], paginate: Pagination = .none,
  cursor: Cursor? = nil, storedCursor: String? = nil, range: CursorRange? = nil, auth: HTTPAuth? = nil,
  retry: HTTPRetry = HTTPRetry(), requestsPerSecond: Double? = nil, line: RequestPace? = nil,
  secrets: [String: String] = [:], variables: [String: String] = [:]
) -> HTTPConnector {
  let request = HTTPRequest(path: ValueTemplate(literal: path), query: query, paginate: paginate)
  let stream = Stream(
    name: "invoices", request: request, read: cursor == nil ? .full : .incremental, records: records, key: ["id"],
    cursor: cursor)
  let source = HTTPSource(
    baseURL: ValueTemplate(literal: base + "/"), auth: auth, retry: retry, requestsPerSecond: requestsPerSecond)
  return HTTPConnector(
    source: source, stream: stream,
    resolver: ValueResolver(
      environment: { variables[$0] }, secret: { secrets[$0] }, placeholders: ["env": "test", "run": "7"]),
    storedCursor: storedCursor, range: range, client: client, timing: fixture.timing, line: line)
}

func page(_ ids: [Int], next: String = "null", at: String = "2024-01-01T00:00:00Z") -> SourceServer.Response {
  let records = ids.map { "{\"id\": \($0), \"updated_at\": \"\(at)\"}" }.joined(separator: ", ")
  return .json("{\"data\": [\(records)], \"next\": \(next)}")
}
