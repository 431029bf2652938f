import JobModel
import PipelineDefinition

/// How a pull tells what went wrong: stream, path and page; no query, for it may hold a secret.
extension HTTPPull {
  func atPage(_ url: PageURL) -> String { " (\(exchange.request.shownPath(url)), page \(state.page + 1))" }

  func failure(_ code: String, _ message: String, hint: String? = nil) -> StageFailure {
    StageFailure(code: code, message: "\(context.label): \(message)", hint: hint)
  }

  /// The failure that ends the job; `tries` is nil where no further one was allowed.
  func final(_ trouble: HTTPTrouble, _ url: PageURL, tries: Int?) -> StageFailure {
    var message = trouble.text + atPage(url)
    if let tries, tries > 1 { message += ", after \(tries) tries" }
    var hint = "pages before it are kept (\(state.page)): `sluice runs retry` goes on from there"
    switch trouble {
    case .status(401, _), .status(403, _):
      let names = exchange.request.secretNames.map { "\"\($0)\"" }.joined(separator: ", ")
      hint =
        names.isEmpty ? "the source wants credentials: write `auth`" : "is the secret \(names) right and still valid?"
    case .status(404, _), .status(410, _): hint = "check base_url and the stream's path"
    case .slow: hint = "lower `limits: {min_rate: …}` of the source if it is always that slow; " + hint
    case .status, .transport, .truncated: if state.page == 0 { hint = "try again when the source is well" }
    }
    return failure(trouble.code, message, hint: hint)
  }

  /// The source asks for a wait that is longer than allowed: what, until when, the limit and the way out.
  ///
  /// - Parameter earlier: Where the request was put off before: when it was first made, and how much of the limit is used.
  func refused(
    _ trouble: HTTPTrouble, asked: Duration, limit: HTTPRetryRule.WaitLimit,
    earlier: (since: Int64, waited: Duration)?, _ url: PageURL
  ) -> StageFailure {
    let until = end(of: asked)
    let allowed: String
    var ways: [String] = []
    switch limit {
    case .giveUpAfter(let limit):
      allowed = "`give_up_after` of the source's `retry` (\(Self.text(limit)) from the first try on)"
      ways.append("wait until then and run `sluice runs retry`")
      if asked <= HTTPRetryRule.longestWish {
        ways.append("write `retry: {give_up_after: \(Self.definition(asked + (earlier?.waited ?? .zero)))}`")
      }
      ways.append("write `retry_after: ignore` there")
    case .longest:
      allowed = "\(Self.text(HTTPRetryRule.longestWish))"
      ways = ["wait until then and run `sluice runs retry`", "write `retry: {retry_after: ignore}` of the source"]
    }
    let before = earlier.map { ", after waits of \(Self.text($0.waited)) since \(HTTPDate.text($0.since))" } ?? ""
    return failure(
      "source_wait",
      "\(trouble.text) and asks to wait \(Self.text(asked)), until \(until)\(before), longer than \(allowed)"
        + atPage(url),
      hint: ways.joined(separator: ", or ") + "; pages before it are kept (\(state.page))")
  }

  /// What progress says of a wait.
  func note(of delay: Duration, since: Int64, isAsked: Bool, _ trouble: HTTPTrouble) -> String {
    var wait = "waiting \(Self.text(delay))"
    if delay > Self.longestWait { wait += ", since \(HTTPDate.text(since)) until \(end(of: delay))," }
    return isAsked ? "\(wait) as the source asks" : "\(wait): \(trouble.text)"
  }

  /// A wait for which the job is put off: since when the page is asked for, until when it waits, and what is allowed.
  func longWait(_ trouble: HTTPTrouble, _ delay: Duration, since: Int64, tries: Int, _ url: PageURL) -> PullEvent {
    let limit = "give_up_after (\(Self.text(rule.retry.giveUpAfter)))"
    return PullEvent(
      .longWait,
      "\(context.label): \(trouble.text) and asks to wait \(Self.text(delay)): put off until \(end(of: delay)); asked for since "
        + "\(HTTPDate.text(since)), try \(tries) of \(rule.retry.max + 1), within \(limit)" + atPage(url))
  }

  private func end(of delay: Duration) -> String { HTTPDate.text(timing.wallSeconds() + delay.components.seconds) }

  /// A duration as a definition writes it, rounded up, with room for the tries before.
  private static func definition(_ delay: Duration) -> String {
    let seconds = delay.components.seconds + 60
    return seconds < 7_200 ? "\((seconds + 59) / 60)m" : "\((seconds + 3_599) / 3_600)h"
  }

  static func text(_ delay: Duration) -> String {
    let (seconds, attoseconds) = delay.components
    let tenths = attoseconds / 100_000_000_000_000_000
    return seconds >= 10 || tenths == 0 ? "\(seconds) s" : "\(seconds).\(tenths) s"
  }

  static func hint(_ report: BodyReport, _ kept: String) -> String {
    [report.hint, kept].compactMap { $0 }.joined(separator: "; ")
  }

  static func fileExtension(_ format: RecordFormat, _ answer: HTTPExchange.Answer) -> String {
    let name = format == .bytes ? "bin" : format.name
    return answer.compression.map { "\(name).\($0)" } ?? name
  }
}
