import AsyncHTTPClient
import JobModel
import NIOCore
import PipelineDefinition
import Records

/// Pulls a stream over HTTP, page by page: each page one raw object.
///
/// A body streams through whatever its size; one that breaks off is asked for again whole.
package struct HTTPConnector: Connector {
  package static let checkpointFormat = CheckpointFormat("ingest.http", 2)
  package static let migrations: [CheckpointFormat: @Sendable (_ state: String) throws -> String] = [
    CheckpointFormat("ingest.http", 1): { try FirstHTTPPullState.migrated($0) }
  ]
  /// Its cursor was read when it began.
  package static let seesOtherRuns = false

  private let source: HTTPSource
  private let stream: PipelineDefinition.Stream
  private let resolver: ValueResolver
  private let storedCursor: String?
  private let clock: LocalClock?
  private let range: CursorRange?
  private let client: HTTPClient
  private let timing: PullTiming
  private let line: RequestPace?
  private let headTimeout: TimeAmount

  /// - Parameters:
  ///   - resolver: With the run's placeholders; `cursor` is added here.
  ///   - storedCursor: The stream's cursor as the catalog has it.
  ///   - clock: Of the cursor's times without an offset; nil: UTC.
  ///   - range: Of a backfill: what is read instead of what is behind the cursor, which stays where it is.
  ///   - headTimeout: How long the head of an answer may take.
  ///   - line: Where requests to the host wait for their turn, when the source has a rate.
  package init(
    source: HTTPSource, stream: PipelineDefinition.Stream, resolver: ValueResolver, storedCursor: String?,
    clock: LocalClock? = nil, range: CursorRange? = nil, client: HTTPClient, timing: PullTiming,
    line: RequestPace? = nil,
    headTimeout: TimeAmount = HTTPExchange.headTimeout
  ) {
    self.source = source
    self.stream = stream
    self.resolver = resolver
    self.storedCursor = storedCursor
    self.clock = clock
    self.range = range
    self.client = client
    self.timing = timing
    self.line = line
    self.headTimeout = headTimeout
  }

  /// Host and port of the stream's requests; the cursor has no part in them.
  static func host(
    of stream: PipelineDefinition.Stream, _ source: HTTPSource, _ resolver: ValueResolver, label: String
  ) throws -> String? {
    guard let request = stream.request else { return nil }
    return try StreamRequest(request, of: source, resolver: resolver.adding(["cursor": ""]), label: label).first.host
  }

  package func pull(from text: String?, in context: PullContext) async throws -> any Pull {
    guard let request = stream.request else {
      throw StageFailure(
        code: "stream_request", message: "\(context.label): the stream of an http source has no request",
        hint: "write get: /path", at: "\(stream.place)")
    }
    let paginator = Paginator(pagination: request.paginate)
    try refuse(paginator, label: context.label)
    var state = try start(text, paginator: paginator, label: context.label)
    if context.isRetriedByHand { state.wait = nil }
    let cursor = state.cursor ?? ""
    state.cursor = cursor
    var placeholders = ["cursor": cursor]
    if let range { placeholders["until"] = range.to }
    let filled = try StreamRequest(request, of: source, resolver: resolver.adding(placeholders), label: context.label)
    return HTTPPull(
      stream: stream,
      exchange: HTTPExchange(
        client: client, request: filled, accept: Self.accept(stream.records), label: context.label,
        headTimeout: headTimeout),
      paginator: paginator, rule: HTTPRetryRule(retry: source.retry), timing: timing, context: context,
      pace: line.flatMap { line in source.requestsPerSecond.map { (line, .seconds(1) / $0) } },
      storedCursor: storedCursor, clock: clock, minimumRate: source.minimumRate,
      limit: BodyLimit(bytes: source.maximumBody, label: context.label), movesCursor: range == nil, state: state)
  }

  private func start(_ text: String?, paginator: Paginator, label: String) throws -> HTTPPullState {
    if let text {
      do { return try HTTPPullState(json: text) } catch {
        throw StageFailure(
          code: "checkpoint_unreadable", message: "\(label): the checkpoint \(Self.checkpointFormat) cannot be read",
          hint: "start a new run: sluice run PIPELINE")
      }
    }
    var state = HTTPPullState()
    state.next = paginator.start
    state.cursor =
      try range?.from ?? stream.cursor.map { try CursorProgress.begin($0, stored: storedCursor, label: label) }
    return state
  }

  private func refuse(_ paginator: Paginator, label: String) throws {
    let needsDocument = !paginator.valuePaths.isEmpty
    if needsDocument, !Self.isJSON(stream.records) {
      throw StageFailure(
        code: "not_supported",
        message: "\(label): the next page is looked for in JSON, and the records are \(stream.records.name)",
        hint: "use link_header, page or offset", at: "\(stream.place)")
    }
    if case .offset = paginator.pagination, stream.records == .bytes {
      throw StageFailure(
        code: "not_supported", message: "\(label): an offset counts records, and bytes have none",
        hint: "use page or link_header", at: "\(stream.place)")
    }
    if let cursor = stream.cursor {
      switch stream.records {
      case .json, .ndjson: break
      case .csv(let csv) where !csv.encoding.hasPrefix("utf-16"): break
      case .csv, .bytes:
        throw StageFailure(
          code: "not_supported",
          message:
            "\(label): a cursor (\(cursor.field)) cannot be followed in \(stream.records.name) of this encoding yet",
          hint: "leave out `cursor`: each run then reads everything", at: "\(stream.place)")
      }
    }
  }

  private static func isJSON(_ format: RecordFormat) -> Bool { if case .json = format { true } else { false } }

  private static func accept(_ format: RecordFormat) -> String {
    switch format {
    case .json: "application/json, */*;q=0.5"
    case .ndjson: "application/x-ndjson, */*;q=0.5"
    case .csv: "text/csv, */*;q=0.5"
    case .bytes: "*/*"
    }
  }
}
