import FoundationEssentials
import Hummingbird
import Logging
import NIOCore
import ServiceLifecycle

/// The HTTP API of `sluice control`, on loopback: `GET /health` and `GET /v1/status`.
package struct ControlAPI: Service {
  private let status: @Sendable () async throws -> StatusReport
  private let onReady: @Sendable (_ url: String) async -> Void
  private let port: Int
  private let logger: Logger

  /// - Parameters:
  ///   - port: 0 for one that is free.
  ///   - onReady: Called once with the URL at which the API answers.
  package init(
    port: Int = 0, logger: Logger, status: @escaping @Sendable () async throws -> StatusReport,
    onReady: @escaping @Sendable (_ url: String) async -> Void
  ) {
    self.port = port
    self.logger = logger
    self.status = status
    self.onReady = onReady
  }

  package func run() async throws {
    let router = Router()
    router.get("/health") { _, _ in Self.json("{\"ok\":true}") }
    router.get("/v1/status") { [status] _, _ in
      Self.json(String(decoding: try StatusReport.encoder.encode(try await status()), as: UTF8.self))
    }
    let application = Application(
      router: router, configuration: .init(address: .hostname("127.0.0.1", port: port), serverName: "sluice"),
      onServerRunning: { [onReady] channel in
        if let port = channel.localAddress?.port { await onReady("http://127.0.0.1:\(port)") }
      }, logger: logger)
    try await application.run()
  }

  private static func json(_ body: String) -> Response {
    Response(
      status: .ok, headers: [.contentType: "application/json"], body: .init(byteBuffer: ByteBuffer(string: body)))
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
