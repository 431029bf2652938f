import JobModel
import PipelineDefinition

/// Why one try of a request brought no page.
enum HTTPTrouble: Error, Equatable {
  /// The source answered, and not with a page.
  case status(Int, retryAfter: Duration?)
  /// No whole answer came: not reached, timed out, broken off.
  case transport(String)
  /// The body came more slowly than the source's `min_rate`, in bytes per second.
  case slow(MinimumRate.TooSlow, minimum: Int)
  /// Fewer bytes came than were announced.
  case truncated(received: Int64, announced: Int64)

  /// In a person's words, without the request.
  var text: String {
    switch self {
    case .status(let code, _): "the source answered \(code)"
    case .transport(let reason): reason
    case .slow(let slow, let minimum):
      "the source sent \(slow.bytes) bytes in \(slow.waited.components.seconds) s, less than min_rate (\(minimum) B/s)"
    case .truncated(let received, let announced): "the body ended after \(received) of \(announced) bytes"
    }
  }

  var code: String {
    switch self {
    case .status: "source_status"
    case .transport: "source_unreachable"
    case .slow: "source_slow"
    case .truncated: "source_truncated"
    }
  }
}

/// What to do after a try that failed: a pure rule over the definition's `retry`.
struct HTTPRetryRule: Sendable {
  enum Decision: Equatable {
    case wait(Duration, asTheSourceAsks: Bool)
    /// This answer is none that another try would change.
    case giveUp
    case exhausted
    /// The source asks for a longer wait than `limit` allows.
    case tooLong(asked: Duration, limit: WaitLimit)
  }

  /// What a wish of the source is held against.
  enum WaitLimit: Equatable {
    /// Of the retry of one request, from its first try on.
    case giveUpAfter(Duration)
    /// ``longestWish``.
    case longest
  }

  /// A job that is put off for longer is forgotten by people, and the stream with it.
  static let longestWish = Duration.seconds(30 * 86_400)

  /// Between two tries without a wish of the source. Reasons: half a second lets a restart pass, a minute is no longer a moment.
  static let backoff = RetryPolicy(firstDelay: .milliseconds(500), longestDelay: .seconds(60))

  let retry: HTTPRetry

  /// - Parameters:
  ///   - tries: Tries so far, this one included.
  ///   - elapsed: Since the first try of this request.
  ///   - jitter: 0..<1
  func decide(_ trouble: HTTPTrouble, tries: Int, elapsed: Duration, jitter: Double) -> Decision {
    guard isRetried(trouble) else { return .giveUp }
    guard tries <= retry.max else { return .exhausted }
    var delay = Self.backoff.delay(afterAttempt: tries, jitter: jitter)
    var isAsked = false
    if retry.honoursRetryAfter, case .status(_, let asked?) = trouble, asked > delay {
      delay = asked
      isAsked = true
    }
    guard elapsed + delay <= retry.giveUpAfter else {
      return isAsked ? .tooLong(asked: delay, limit: .giveUpAfter(retry.giveUpAfter)) : .exhausted
    }
    guard delay <= Self.longestWish else { return .tooLong(asked: delay, limit: .longest) }
    return .wait(delay, asTheSourceAsks: isAsked)
  }

  private func isRetried(_ trouble: HTTPTrouble) -> Bool {
    switch trouble {
    case .status(let code, _):
      retry.statuses.contains(.code(code)) || (500...599).contains(code) && retry.statuses.contains(.serverError)
    case .transport, .slow, .truncated: retry.statuses.contains(.timeout)
    }
  }
}
