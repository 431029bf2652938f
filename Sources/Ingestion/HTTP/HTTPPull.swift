import AsyncHTTPClient
import Catalog
import JobModel
import JobStore
import NIOCore
import NIOHTTP1
import ObjectStore
import PipelineDefinition
import Records

/// The pages of one HTTP stream, one a step. Knows nothing of jobs but what its context says.
struct HTTPPull: Pull {
  let stream: PipelineDefinition.Stream
  let exchange: HTTPExchange
  let paginator: Paginator
  let rule: HTTPRetryRule
  let timing: PullTiming
  let context: PullContext
  /// The time between two requests of the whole fleet to the host, and the line in which it stands; nil: no limit.
  let pace: (line: RequestPace, interval: Duration)?
  /// The stream's cursor as the catalog has it.
  let storedCursor: String?
  /// Of the cursor's times without an offset; nil: UTC.
  let clock: LocalClock?
  /// Bytes per second.
  let minimumRate: Int
  let limit: BodyLimit
  /// Off in a backfill: a run over a range says nothing of what is behind it.
  let movesCursor: Bool

  var state: HTTPPullState
  /// Bytes of this attempt, tries that failed included: a sign of life.
  private var moved: Int64 = 0
  /// Whether the first page was answered with a status that ends the pages; 204 says by itself that there is nothing.
  private(set) var hasEndedAtOnce = false
  private(set) var endStatus: Int?

  init(
    stream: PipelineDefinition.Stream, exchange: HTTPExchange, paginator: Paginator, rule: HTTPRetryRule,
    timing: PullTiming, context: PullContext, pace: (line: RequestPace, interval: Duration)?, storedCursor: String?,
    clock: LocalClock?, minimumRate: Int, limit: BodyLimit, movesCursor: Bool, state: HTTPPullState
  ) {
    self.stream = stream
    self.exchange = exchange
    self.paginator = paginator
    self.rule = rule
    self.timing = timing
    self.context = context
    self.pace = pace
    self.storedCursor = storedCursor
    self.clock = clock
    self.minimumRate = minimumRate
    self.limit = limit
    self.movesCursor = movesCursor
    self.state = state
  }

  var newCursor: String? {
    guard movesCursor else { return nil }
    return stream.cursor.flatMap {
      CursorProgress($0, highest: state.cursorMax, clock: clock).advanced(from: storedCursor)
    }
  }

  var remark: String? { nil }

  /// Of a run over a range too: only what is said about the cursor's place does not concern it.
  var events: [PullEvent] {
    var events = hasEndedAtOnce ? [nothingRead] : []
    if let cursor = stream.cursor { events += cursorEvents(cursor) }
    return events
  }

  mutating func next() async throws -> PulledStep? {
    guard let place = state.next else { return nil }
    let maxPages = stream.request?.maxPages ?? HTTPRequest.defaultMaxPages
    guard state.page < maxPages else {
      throw failure(
        "source_pages", "after \(maxPages) pages (max_pages) the source announces another",
        hint: "raise max_pages of the stream, or correct `paginate` if the pages never end; the pages are kept")
    }
    guard let url = paginator.url(of: place, of: exchange.request) else {
      throw failure("source_link", "the link to page \(state.page + 1) is no URL")
    }
    guard url.origin == exchange.request.first.origin || !exchange.request.holdsSecrets else {
      throw failure(
        "source_elsewhere",
        "the link to page \(state.page + 1) leads to another host, which must not see the credentials",
        hint: "write that host as base_url, or use paginate with token, page or offset")
    }
    guard state.wait != nil else { return try await ask(for: place, url) }
    do { return try await ask(for: place, url) } catch let failure as StageFailure {
      // Tries are counted up to the job's end: `sluice runs retry` begins again with the first.
      state.wait = nil
      return PulledStep(state: try state.json, fault: failure)
    }
  }

  /// Brings a page in, and asks for it again for as long as the rule allows.
  ///
  /// Tries and waits count over all attempts of the job: where the job is put off or given back between two tries, the checkpoint
  /// has them.
  private mutating func ask(for place: HTTPPullState.Place, _ url: PageURL) async throws -> PulledStep {
    let began = timing.now()
    let (earlier, since) = (state.wait, state.wait?.since ?? timing.wallSeconds())
    var tries = earlier?.tries ?? 0
    var events: [PullEvent] = []
    do {
      while true {
        try await waitForTurn()
        tries += 1
        do { return try await page(at: place, url) } catch let trouble as HTTPTrouble {
          if case .status(let code, _) = trouble, stream.request?.end.contains(code) == true {
            return try ended(by: code)
          }
          let elapsed = .seconds(earlier?.waited ?? 0) + (timing.now() - began)
          switch rule.decide(trouble, tries: tries, elapsed: elapsed, jitter: timing.jitter()) {
          case .giveUp: throw final(trouble, url, tries: nil)
          case .exhausted: throw final(trouble, url, tries: tries)
          case .tooLong(let asked, let limit):
            throw refused(
              trouble, asked: asked, limit: limit, earlier: earlier.map { (since: $0.since, waited: elapsed) }, url)
          case .wait(let delay, let isAsked):
            if delay > Self.longestWait { events = [longWait(trouble, delay, since: since, tries: tries, url)] }
            try await pause(delay, for: .source, note: note(of: delay, since: since, isAsked: isAsked, trouble))
          }
        }
      }
    } catch let error where tries > 0 && (error is JobSnooze || error is JobYield) {
      let delay = (error as? JobSnooze)?.delay ?? .zero
      let waited = Duration.seconds(earlier?.waited ?? 0) + (timing.now() - began) + delay
      state.wait = HTTPPullState.Wait(since: since, waited: waited.components.seconds, tries: tries)
      return PulledStep(state: try state.json, pause: error, events: events)
    }
  }

  /// There are no more pages, as the answer's status says.
  private mutating func ended(by status: Int) throws -> PulledStep {
    hasEndedAtOnce = state.page == 0 && status != 204
    endStatus = status
    (state.next, state.wait) = (nil, nil)
    return PulledStep(state: try state.json)
  }

  /// Brings one page in: the body streams to the raw zone and is watched on the way.
  private mutating func page(at place: HTTPPullState.Place, _ url: PageURL) async throws -> PulledStep {
    let answer = try await context.waiting(for: .source) { try await exchange.send(url, now: timing.wallSeconds()) }
    if answer.response.status == .noContent { return try ended(by: 204) }
    try refuse(answer)
    let cursor = stream.cursor.map {
      CursorProgress($0, highest: state.cursorMax, beyond: state.cursorBeyond, now: timing.wallSeconds(), clock: clock)
    }
    let monitor = try BodyMonitor(
      format: stream.records, values: try paginator.valuePaths.map(JSONPath.init), cursor: cursor,
      columns: stream.columns.map(\.name), countsLines: paginator.countsRecords, isCompressed: answer.compression != nil
    )
    let key = try context.keys.key(sequence: state.objects, extension: Self.fileExtension(stream.records, answer))
    let staged = try await store(answer, as: key, monitor)
    let report = monitor.finish()
    var object = NewRawObject(
      sequence: state.objects, key: key.text, bytes: staged.object.bytes, sha256: staged.object.sha256,
      request: exchange.request.shown(answer.url), contentType: answer.contentType, records: report.records)
    if let fault = try await fault(report, answer, staged) {
      object.broken = fault
      state.objects += 1
      state.wait = nil
      return PulledStep(
        object: object, staged: staged, state: try state.json,
        fault: failure("source_document", fault + atPage(url), hint: Self.hint(report, "its bytes are kept as \(key)")))
    }
    try advance(past: place, answer, report, hash: staged.object.sha256)
    tell(note: nil)
    return PulledStep(object: object, staged: staged, state: try state.json)
  }

  private mutating func store(_ answer: HTTPExchange.Answer, as key: ObjectKey, _ monitor: BodyMonitor) async throws
    -> StagedObject
  {
    let announced = answer.announcedBytes
    let what = "the answer" + atPage(answer.url)
    let coding = answer.coding.flatMap { $0.isInflated ? $0 : nil }
    try limit.check(announced ?? 0, of: what)
    var rate = MinimumRate(bytesPerSecond: minimumRate)
    var received: Int64 = 0
    let sent = MonitoredBody(
      base: answer.response.body.map { Array($0.readableBytesView) }, now: timing.now,
      onChunk: { [limit] chunk, waited in
        try rate.received(chunk.count, waiting: waited)
        received += Int64(chunk.count)
        // Packed bytes need not become any.
        try limit.check(received, of: what)
      },
      onEnd: {
        guard let announced, received != announced else { return }
        throw HTTPTrouble.truncated(received: received, announced: announced)
      })
    let body = MonitoredBody(
      base: InflatedBody(base: sent, inflater: coding.map(Inflater.init)),
      onChunk: { [context, state, moved, limit] chunk, _ in
        try limit.check(monitor.bytes + Int64(chunk.count), of: what)
        monitor.take(chunk)
        context.report(
          JobProgress(
            bytes: state.bytes + moved + monitor.bytes, rows: state.records, units: state.page,
            totalBytes: state.page == 0 && coding == nil ? announced : nil))
      },
      onEnd: {})
    do { return try await context.store.stage(key, from: body) } catch {
      moved += monitor.bytes
      try Task.checkCancellation()
      if error is any Failure || error is HTTPTrouble { throw error }
      if let slow = error as? MinimumRate.TooSlow { throw HTTPTrouble.slow(slow, minimum: minimumRate) }
      if error is Inflater.Damaged {
        throw HTTPTrouble.transport(
          "the answer is damaged: it is not what its Content-Encoding says, or it ended early")
      }
      guard let announced, received < announced else { throw HTTPTrouble.transport(HTTPExchange.reason(error)) }
      throw HTTPTrouble.truncated(received: received, announced: announced)
    }
  }

  private func fault(
    _ report: BodyReport, _ answer: HTTPExchange.Answer, _ staged: StagedObject
  ) async throws -> String? {
    if let fault = report.fault { return fault }
    guard let compression = answer.compression, let path = staged.localPath else { return nil }
    return try await CompressedBody.fault(of: path, compression: compression)
  }

  /// Counts a good page and finds the next place.
  ///
  /// - Throws: A terminal failure where the source leads in a circle; the state is then as before.
  private mutating func advance(
    past place: HTTPPullState.Place, _ answer: HTTPExchange.Answer, _ report: BodyReport, hash: String
  ) throws {
    var after = state
    after.page += 1
    after.objects += 1
    after.bytes += report.bytes
    after.records += report.records ?? 0
    after.cursorMax = report.cursor?.highest ?? after.cursorMax
    after.cursorBeyond = report.cursor?.beyond ?? after.cursorBeyond
    if place.number != nil, hash == state.lastBody, (report.records ?? report.bytes) > 0 {
      throw failure(
        "source_repeats", "the source answered page \(state.page) again as page \(after.page)" + atPage(answer.url),
        hint: "does it know the parameter of `paginate`?")
    }
    after.lastBody = hash
    after.wait = nil
    do {
      after.next = try paginator.place(after: place, report: report, links: answer.links, url: answer.url)
    } catch {
      throw failure("source_link", error.text(page: after.page + 1) + atPage(answer.url), hint: error.hint)
    }
    if let link = after.next?.url, let url = PageURL(link) {
      after.next?.url = exchange.request.kept(url)
    }
    if let next = after.next, let mark = Paginator.mark(of: next), let earlier = after.remember(mark, page: after.page)
    {
      let what = next.token != nil ? "token" : "link"
      throw failure(
        "source_repeats",
        "the source answered the \(what) of page \(earlier) again as that of page \(after.page)" + atPage(answer.url),
        hint: "nothing of page \(after.page) was kept; ask the source's owner")
    }
    state = after
  }

  private func refuse(_ answer: HTTPExchange.Answer) throws {
    if case .other(let coding) = answer.coding, stream.records != .bytes {
      throw failure(
        "source_encoding",
        "the answer's Content-Encoding is \(coding.prefix(64)), which is not read" + atPage(answer.url),
        hint: "have the source send it without one, or by gzip, deflate or zstd")
    }
    guard answer.compression != nil, paginator.pagination != .none || stream.cursor != nil else { return }
    throw failure(
      "not_supported", "a compressed body cannot be paged or followed by a cursor yet" + atPage(answer.url),
      hint: "leave out `paginate` and `cursor`, or ask for it uncompressed")
  }

  /// Waits until the host's line has come to this request.
  private func waitForTurn() async throws {
    guard let pace else { return }
    let slot = try await pace.line.turn(every: pace.interval)
    let delay = slot - timing.now()
    guard delay > .zero else { return }
    if delay > Self.longestWait { pace.line.putBack(slot) }
    try await pause(
      delay, for: .limit, note: delay < .seconds(1) ? nil : "waiting \(Self.text(delay)): as many requests as allowed")
  }

  /// Waits in small steps, so that a drain is not kept waiting; a long wait gives the slot back.
  private func pause(_ delay: Duration, for cause: WaitCause, note: String?) async throws {
    tell(note: note)
    if delay > Self.longestWait { throw JobSnooze(delay) }
    try await context.waiting(for: cause) {
      var rest = delay
      while rest > .zero {
        if context.shouldYield() { throw JobYield() }
        let step = min(rest, .seconds(1))
        try await timing.sleep(step)
        rest -= step
      }
    }
    tell(note: nil)
  }

  /// Half of the time after which an attempt that moves nothing counts as hung.
  static let longestWait: Duration = .seconds(300)

  private func tell(note: String?) {
    context.report(JobProgress(bytes: state.bytes + moved, rows: state.records, units: state.page, note: note))
  }
}
