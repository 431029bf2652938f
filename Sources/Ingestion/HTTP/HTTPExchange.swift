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
struct HTTPExchange: Sendable {
  /// More in a row is a loop.
  static let maximumRedirects = 5
  static let userAgent = "sluice/1"

  let client: HTTPClient
  let request: StreamRequest
  /// The media type that is asked for.
  let accept: String
  let label: String

  struct Answer: Sendable {
    var url: PageURL
    var response: HTTPClientResponse

    var contentType: String? { response.headers.first(name: "Content-Type") }
    var links: [String] { response.headers["Link"] }
    var announcedBytes: Int64? { response.headers.first(name: "Content-Length").flatMap { Int64($0) } }

    /// `gz` or `zst` where the body is compressed, by its header or its name.
    var compression: String? {
      switch response.headers.first(name: "Content-Encoding")?.lowercased() {
      case "gzip", "x-gzip": return "gz"
      case "zstd": return "zst"
      default: break
      }
      return url.path.hasSuffix(".gz") ? "gz" : url.path.hasSuffix(".zst") ? "zst" : nil
    }
  }

  /// Sends the request of a page and returns as soon as the head of a successful answer is there.
  ///
  /// - Throws: ``HTTPTrouble`` where another try may help, a terminal ``StageFailure`` where a redirect leads elsewhere.
  func send(_ url: PageURL, now: Int64) async throws -> Answer {
    var url = url
    var method = request.method
    var body = request.body
    for _ in 0...Self.maximumRedirects {
      let response = try await execute(url, method: method, body: body)
      let code = Int(response.status.code)
      guard [301, 302, 303, 307, 308].contains(code), let location = response.headers.first(name: "Location") else {
        guard (200...299).contains(code) else { throw await Self.trouble(response, now: now) }
        return Answer(url: url, response: response)
      }
      guard let target = url.resolving(location) else { throw HTTPTrouble.status(code, retryAfter: nil) }
      guard target.origin == url.origin || !request.isAuthenticated else { throw Self.elsewhere(url, label: label) }
      if code < 307, method != "HEAD" {
        method = "GET"
        body = nil
      }
      url = request.withoutSecret(target)
    }
    throw StageFailure(
      code: "source_redirects", message: "\(label): more than \(Self.maximumRedirects) redirects from \(url.path)",
      hint: "write the address that they should lead to")
  }

  static func elsewhere(_ url: PageURL, label: String) -> StageFailure {
    StageFailure(
      code: "source_elsewhere",
      message: "\(label): \(url.path) leads to another host, which must not see the credentials",
      hint: "write that host as base_url, or leave out `auth`")
  }

  private func execute(_ url: PageURL, method: String, body: String?) async throws -> HTTPClientResponse {
    var outgoing = HTTPClientRequest(url: request.sent(url))
    outgoing.method = HTTPMethod(rawValue: method)
    outgoing.headers.add(name: "User-Agent", value: Self.userAgent)
    outgoing.headers.add(name: "Accept", value: accept)
    // No Accept-Encoding: raw is the bytes as they are, not as a transfer packed them.
    for (name, value) in request.headers { outgoing.headers.replaceOrAdd(name: name, value: value) }
    if let body {
      outgoing.headers.add(name: "Content-Type", value: "application/json")
      outgoing.body = .bytes(ByteBuffer(string: body))
    }
    do { return try await client.execute(outgoing, deadline: .distantFuture) } catch {
      try Task.checkCancellation()
      throw HTTPTrouble.transport(Self.reason(error))
    }
  }

  private static func trouble(_ response: HTTPClientResponse, now: Int64) async -> HTTPTrouble {
    let retryAfter = response.headers.first(name: "Retry-After").flatMap {
      RetryAfter.delay($0, date: response.headers.first(name: "Date"), now: now)
    }
    await drain(response.body)
    return .status(Int(response.status.code), retryAfter: retryAfter)
  }

  /// Reads the rest of a small answer, so that the connection serves the next try; a large one is dropped with it.
  private static func drain(_ body: HTTPClientResponse.Body) async {
    var bytes = 0
    do {
      for try await buffer in body {
        bytes += buffer.readableBytes
        if bytes > 64 * 1024 { return }
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
      case .readTimeout, .deadlineExceeded, .writeTimeout: return "the source fell silent"
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
    return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
  }
}
