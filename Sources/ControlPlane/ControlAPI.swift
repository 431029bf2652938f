import FoundationEssentials
import Hummingbird
import JobModel
import Logging
import NIOCore
import ServiceLifecycle

/// The HTTP API of `sluice control`, on loopback: `GET /health`, `GET /v1/status`, and `POST /v1/runs`, which starts a run.
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

  private struct RunRequest: Decodable { var pipeline: String }
  /// Of a request's body.
  private static let mostBytes = 64 * 1024

  private let socket: ListeningSocket
  private let status: @Sendable () async throws -> StatusReport
  private let start: @Sendable (_ pipeline: String) async throws -> StartedRun
  private let onReady: @Sendable (_ url: String) async -> Void
  private let logger: Logger

  /// - Parameters:
  ///   - start: Puts a run of a pipeline into the queue; what it throws is answered with its code.
  ///   - onReady: Called once with the URL at which the API answers.
  package init(
    socket: ListeningSocket, logger: Logger, status: @escaping @Sendable () async throws -> StatusReport,
    start: @escaping @Sendable (_ pipeline: String) async throws -> StartedRun,
    onReady: @escaping @Sendable (_ url: String) async -> Void
  ) {
    self.socket = socket
    self.logger = logger
    self.status = status
    self.start = start
    self.onReady = onReady
  }

  package func run() async throws {
    let router = Router()
    router.get("/health") { _, _ in Self.json("{\"ok\":true}") }
    router.get("/v1/status") { [status] _, _ in
      Self.json(String(decoding: try StatusReport.encoder.encode(try await status()), as: UTF8.self))
    }
    router.post("/v1/runs") { [start] request, _ in
      // Nor can one that has made its own name mean this machine.
      guard Self.isLocal(request.head.authority) else {
        return Self.refused(.forbidden, "usage", "the host is not this machine")
      }
      // A page in a browser can post here, but not with this type, unless it asks first and is told no.
      guard request.headers[.contentType]?.hasPrefix("application/json") == true else {
        return Self.refused(.unsupportedMediaType, "usage", "the content type is not application/json")
      }
      let body = try await request.body.collect(upTo: Self.mostBytes)
      guard let asked = try? JSONDecoder().decode(RunRequest.self, from: Data(body.readableBytesView)) else {
        return Self.refused(.badRequest, "usage", "the body is no JSON object with a \"pipeline\"")
      }
      do {
        let started = try StatusReport.encoder.encode(try await start(asked.pipeline))
        return Self.json(String(decoding: started, as: UTF8.self), status: .created)
      } catch let failure as any Failure {
        return Self.refused(Self.status(of: failure), failure.code, failure.message)
      }
    }
    await onReady("http://127.0.0.1:\(socket.port)")
    try await ControlServer(socket: socket, responder: router.buildResponder(), logger: logger).run()
  }

  private static func isLocal(_ authority: String?) -> Bool {
    guard let host = authority?.split(separator: ":").first else { return true }
    return host == "127.0.0.1" || host == "localhost"
  }

  private static func status(of failure: any Failure) -> HTTPResponse.Status {
    switch failure.code {
    case "unknown_pipeline": .notFound
    case "paused": .conflict
    default: failure.isTransient ? .serviceUnavailable : .unprocessableContent
    }
  }

  private static func refused(_ status: HTTPResponse.Status, _ code: String, _ message: String) -> Response {
    struct Body: Encodable {
      struct Fault: Encodable { var code, message: String }
      var error: Fault
    }
    let body = try? JSONEncoder().encode(Body(error: .init(code: code, message: message)))
    return json(String(decoding: body ?? Data(), as: UTF8.self), status: status)
  }

  private static func json(_ body: String, status: HTTPResponse.Status = .ok) -> Response {
    Response(
      status: status, headers: [.contentType: "application/json"], body: .init(byteBuffer: ByteBuffer(string: body)))
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
