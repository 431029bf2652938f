import FoundationEssentials
import Hummingbird
import JobModel
import Logging
import NIOCore
import Postgres
import ServiceLifecycle

/// The HTTP API of `sluice control`, on loopback: `GET /health`, `GET /v1/status`, `GET /v1/scaling`, and `POST /v1/runs`, which starts a
/// run.
package struct ControlAPI: Service {
  /// A run that was started.
  package struct StartedRun: Sendable, Codable {
    package var run: Int64
    package var pipeline: String
    package var release: Int64

    package init(run: Int64, pipeline: String, release: Int64) {
      self.run = run
      self.pipeline = pipeline
      self.release = release
    }
  }

  private struct RunRequest: Decodable {
    var pipeline: String
    /// One that `env up` made; nil: control's own.
    var environment: String?
  }

  private let socket: ListeningSocket
  private let requestGuard: RequestGuard
  private let limits: ControlLimits
  /// The open connections, and what is being answered.
  let connections: OpenConnections
  /// The encoded report, so that a client costs no more than its bytes.
  private let status: SharedAnswer<ByteBuffer>
  private let scaling: SharedAnswer<ByteBuffer>
  private let start: @Sendable (_ pipeline: String, _ environment: String?) async throws -> StartedRun
  private let onReady: @Sendable (_ url: String) async -> Void
  private let logger: Logger

  /// - Parameters:
  ///   - requestGuard: Decides who may ask.
  ///   - status: Gathers the report, at most once a second, for all who ask.
  ///   - scaling: The number of workers that is wanted, at most once a second too.
  ///   - start: Puts a run of a pipeline into the queue, of an environment that is named or of control's own; what it throws is
  ///     answered with its code.
  ///   - onReady: Called once with the URL at which the API answers.
  package init(
    socket: ListeningSocket, requestGuard: RequestGuard, limits: ControlLimits = ControlLimits(), logger: Logger,
    status: @escaping @Sendable () async throws -> StatusReport,
    scaling: @escaping @Sendable () async throws -> ScalingAnswer,
    start: @escaping @Sendable (_ pipeline: String, _ environment: String?) async throws -> StartedRun,
    onReady: @escaping @Sendable (_ url: String) async -> Void
  ) {
    self.socket = socket
    self.requestGuard = requestGuard
    self.limits = limits
    connections = OpenConnections(limits)
    self.logger = logger
    self.status = SharedAnswer(lifetime: limits.statusLifetime) {
      ByteBuffer(bytes: try StatusReport.encoder.encode(try await status()))
    }
    self.scaling = SharedAnswer(lifetime: limits.statusLifetime) {
      ByteBuffer(bytes: try StatusReport.encoder.encode(try await scaling()))
    }
    self.start = start
    self.onReady = onReady
  }

  package func run() async throws {
    let server = ControlServer(
      socket: socket, limits: limits, connections: connections, logger: logger,
      refuse: { [requestGuard] in requestGuard.refusal(of: $0.head) },
      respond: { request, _ in
        do { return try await answer(request) } catch let failure as any Failure { throw APIFault(failure) }
      })
    await onReady(socket.url)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { [status] in await status.run() }
      group.addTask { [scaling] in await scaling.run() }
      group.addTask { try await server.run() }
      defer { group.cancelAll() }
      try await group.next()
    }
  }

  /// Four requests are the whole API.
  private func answer(_ request: Request) async throws -> Response {
    let path = request.uri.path
    let method: HTTPRequest.Method? =
      switch path {
      case "/health", "/v1/status", "/v1/scaling": .get
      case "/v1/runs": .post
      default: nil
      }
    guard let method else {
      throw APIFault(
        .notFound, "not_found", "the API has no such path",
        hint: "/health, /v1/status, /v1/scaling and /v1/runs are there")
    }
    guard request.method == method else {
      var fault = APIFault(
        .methodNotAllowed, "wrong_method", "the path takes no such method", hint: "use \(method.rawValue)")
      fault.allowed = method
      throw fault
    }
    switch path {
    case "/health": return Self.json(ByteBuffer(string: "{\"ok\":true}"))
    case "/v1/status": return Self.json(try await status.value())
    case "/v1/scaling": return Self.json(try await scaling.value())
    default: return try await startRun(request)
    }
  }

  private func startRun(_ request: Request) async throws -> Response {
    // A page in a browser can post here, but not with this type, unless it asks first and is told no.
    guard request.headers[.contentType]?.hasPrefix("application/json") == true else {
      throw APIFault(.unsupportedMediaType, "usage", "the content type is not application/json")
    }
    let body: ByteBuffer
    do { body = try await request.body.collect(upTo: limits.maxBodyBytes) } catch is NIOTooManyBytesError {
      throw APIFault(.contentTooLarge, "usage", "the body has more than \(limits.maxBodyBytes) bytes")
    }
    guard let asked = try? JSONDecoder().decode(RunRequest.self, from: Data(body.readableBytesView)) else {
      throw APIFault(.badRequest, "usage", "the body is no JSON object with a \"pipeline\"")
    }
    // The database can keep no such text, so no pipeline has it in its name.
    guard !asked.pipeline.utf8.contains(0) else {
      throw APIFault(.notFound, "unknown_pipeline", "no pipeline has a name with a NUL character")
    }
    let started = try StatusReport.encoder.encode(try await start(asked.pipeline, asked.environment))
    return Self.json(ByteBuffer(bytes: started), status: .created)
  }

  private static func json(_ body: ByteBuffer, status: HTTPResponse.Status = .ok) -> Response {
    Response(status: status, headers: [.contentType: "application/json"], body: .init(byteBuffer: body))
  }
}

extension StatusReport {
  /// Keys as in the documentation of the command line: `control_url`.
  package static var encoder: JSONEncoder {
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return encoder
  }
}
