import AsyncHTTPClient
import JobModel
import NIOCore
import NIOHTTP1
import NIOPosix
import PipelineDefinition

#if canImport(Glibc)
  import Glibc
#endif

/// One request and its answer, redirects followed, before anything is said about what it means.
package struct HTTPExchange: Sendable {
  /// More in a row is a loop.
  static let maximumRedirects = 5
  /// Of an answer, all of them together. Cookies are not kept, and links are shorter.
  static let maximumHeaderBytes = 64 * 1024
  /// A source has so long for the head of its answer. Its silence is limited too; this one stops a source that sends its head
  /// byte by byte.
  package static let headTimeout: TimeAmount = .seconds(120)
  static let userAgent = "sluice/1"

  let client: HTTPClient
  let request: StreamRequest
  /// The media type that is asked for.
  let accept: String
  let label: String
  var headTimeout = HTTPExchange.headTimeout

  struct Answer: Sendable {
    var url: PageURL
    var response: HTTPClientResponse

    /// For the manifest, so no longer than a media type with its parameters is.
    var contentType: String? { response.headers.first(name: "Content-Type").map { String($0.prefix(256)) } }
    var links: [String] { response.headers["Link"] }
    var announcedBytes: Int64? {
      response.headers.first(name: "Content-Length").flatMap { Int64($0) }.flatMap { $0 >= 0 ? $0 : nil }
    }

    var coding: ContentCoding? { ContentCoding(headers: response.headers["Content-Encoding"]) }

    /// `gz` or `zst` where the body that is kept is compressed, by its header or its name.
    var compression: String? {
      switch coding {
      case .gzip, .deflate: return nil
      case .zstd: return "zst"
      case .other, nil: break
      }
      return url.path.hasSuffix(".gz") ? "gz" : url.path.hasSuffix(".zst") ? "zst" : nil
    }
  }

  /// Sends the request of a page and returns as soon as the head of a successful answer is there.
  ///
  /// A redirect to the same scheme, host and port is followed with all that the request holds. One that leads elsewhere is
  /// followed only where the stream says so, and from there on with nothing of the request: neither credentials nor a body,
  /// even where a later redirect leads back. Its address must not hold a secret either.
  ///
  /// - Throws: ``HTTPTrouble`` where another try may help, a terminal ``StageFailure`` where a redirect leads elsewhere.
  func send(_ url: PageURL, now: Int64) async throws -> Answer {
    var hop = Hop(url: url, method: request.method, body: request.body, carriesRequest: true)
    for _ in 0...Self.maximumRedirects {
      let response = try await execute(hop)
      let code = Int(response.status.code)
      guard [301, 302, 303, 307, 308].contains(code), let location = response.headers.first(name: "Location") else {
        guard (200...299).contains(code) else { throw await Self.trouble(response, now: now) }
        return Answer(url: hop.url, response: response)
      }
      await Self.drain(response.body)
      guard let target = hop.url.resolving(location) else { throw HTTPTrouble.status(code, retryAfter: nil) }
      hop = try next(hop, target, code)
    }
    throw StageFailure(
      code: "source_redirects",
      message: "\(label): more than \(Self.maximumRedirects) redirects from \(request.shownPath(url))",
      hint: "write the address that they should lead to")
  }

  /// One request of a chain of redirects.
  private struct Hop {
    var url: PageURL
    var method: String
    var body: String?
    /// Off as soon as the chain has left the host.
    var carriesRequest: Bool
  }

  private func next(_ hop: Hop, _ target: PageURL, _ code: Int) throws -> Hop {
    let isElsewhere = target.origin != hop.url.origin
    guard !isElsewhere || request.redirects == .follow else { throw elsewhere(hop.url) }
    var next = hop
    if hop.carriesRequest, !isElsewhere {
      next.url = request.withoutSecret(target)
    } else {
      next.url = request.stripped(target)
      next.carriesRequest = false
      guard !request.isDisclosed(by: next.url) else { throw disclosed(hop.url) }
    }
    if code < 307 || !next.carriesRequest, hop.method != "HEAD" {
      next.method = "GET"
      next.body = nil
    }
    return next
  }

  private func elsewhere(_ url: PageURL) -> StageFailure {
    StageFailure(
      code: "source_elsewhere", message: "\(label): \(request.shownPath(url)) redirects to another host",
      hint: "write `redirects: follow` on the stream to follow it without credentials, or write that host as base_url")
  }

  private func disclosed(_ url: PageURL) -> StageFailure {
    StageFailure(
      code: "source_elsewhere",
      message:
        "\(label): \(request.shownPath(url)) redirects to another host with a secret of this request in the address",
      hint: "send the secret by `auth` instead of in the path, if the source allows it, or write that host as base_url")
  }

  private func execute(_ hop: Hop) async throws -> HTTPClientResponse {
    var outgoing = HTTPClientRequest(url: hop.carriesRequest ? request.sent(hop.url) : hop.url.text)
    outgoing.method = HTTPMethod(rawValue: hop.method)
    outgoing.headers.add(name: "User-Agent", value: Self.userAgent)
    outgoing.headers.add(name: "Accept", value: accept)
    // No Accept-Encoding: raw is the bytes as they are, not as a transfer packed them.
    if hop.carriesRequest {
      for (name, value) in request.headers { outgoing.headers.replaceOrAdd(name: name, value: value) }
    }
    if let body = hop.body {
      outgoing.headers.add(name: "Content-Type", value: "application/json")
      outgoing.body = .bytes(ByteBuffer(string: body))
    }
    let response: HTTPClientResponse
    do { response = try await client.execute(outgoing, timeout: headTimeout) } catch {
      try Task.checkCancellation()
      if error as? HTTPParserError == .headerOverflow { throw tooLarge(hop.url) }
      if error is InterimHeads.TooMany { throw tooMany(hop.url) }
      throw HTTPTrouble.transport(Self.reason(error))
    }
    let bytes = response.headers.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count }
    guard bytes <= Self.maximumHeaderBytes else { throw tooLarge(hop.url) }
    return response
  }

  private func tooLarge(_ url: PageURL) -> StageFailure {
    StageFailure(
      code: "source_headers",
      message:
        "\(label): the headers of the answer to \(request.shownPath(url)) are larger than \(Self.maximumHeaderBytes / 1024) KiB",
      hint: "ask the source's owner; nothing that is needed is that large")
  }

  private func tooMany(_ url: PageURL) -> StageFailure {
    StageFailure(
      code: "source_headers",
      message:
        "\(label): more than \(InterimHeads.maximum) interim answers (status 1xx) to \(request.shownPath(url)) before its answer",
      hint: "ask the source's owner; a server sends one or two")
  }

  private static func trouble(_ response: HTTPClientResponse, now: Int64) async -> HTTPTrouble {
    let retryAfter = response.headers.first(name: "Retry-After").flatMap {
      RetryAfter.delay($0, date: response.headers.first(name: "Date"), now: now)
    }
    await drain(response.body)
    return .status(Int(response.status.code), retryAfter: retryAfter)
  }

  /// Reads the rest of a small answer, so that the connection serves the next try; one that is large or comes in many pieces
  /// is dropped with it.
  private static func drain(_ body: HTTPClientResponse.Body) async {
    var (bytes, pieces) = (0, 0)
    do {
      for try await buffer in body {
        bytes += buffer.readableBytes
        pieces += 1
        if bytes > 64 * 1024 || pieces >= 4 { return }
      }
    } catch {
      // The status is what counts; the text beside it is not used.
    }
  }

  /// Names what happened on the wire, never an address or a payload.
  static func reason(_ error: any Error) -> String {
    if let error = error as? HTTPClientError {
      switch error {
      case .connectTimeout: return "the source did not accept a connection in time"
      case .readTimeout, .writeTimeout: return "the source fell silent"
      case .deadlineExceeded: return "the source did not send the head of its answer in time"
      case .remoteConnectionClosed: return "the source closed the connection"
      default: return "the request failed (\(error.shortDescription))"
      }
    }
    if let error = error as? NIOConnectionError {
      return error.dnsAError != nil || error.dnsAAAAError != nil
        ? "the source's host name is not known" : "the source does not accept connections"
    }
    if let error = error as? IOError { return reason(errno: error.errnoCode) }
    if error is HTTPParserError { return "the source ended its answer early or does not speak HTTP" }
    return "the request failed (\(type(of: error)))"
  }
}

extension HTTPExchange {
  private static func reason(errno number: CInt) -> String {
    switch number {
    case ECONNREFUSED: "the source does not accept connections"
    case ECONNRESET, EPIPE: "the source broke the connection"
    case EHOSTUNREACH, ENETUNREACH, ETIMEDOUT: "the source cannot be reached"
    default: "the connection broke (errno \(number))"
    }
  }
}

extension HTTPClient {
  /// A client as sources need it: bytes as they are sent, redirects seen, no waiting for what does not answer.
  ///
  /// The caller shuts it down.
  ///
  /// - Parameter silence: How long a source may send nothing in the middle of an answer.
  package static func forSources(silence: TimeAmount = .seconds(60)) -> HTTPClient {
    var configuration = HTTPClient.Configuration()
    configuration.redirectConfiguration = .disallow
    configuration.decompression = .disabled
    configuration.timeout = .init(connect: .seconds(10), read: silence)
    configuration.connectionPool.retryConnectionEstablishment = false
    // All limits of a source's answer are those of this protocol.
    configuration.httpVersion = .http1Only
    configuration.http1_1ConnectionDebugInitializer = InterimHeads.bound
    return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
  }
}
