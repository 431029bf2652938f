import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import PipelineDefinition

/// Posts the message's body as JSON to a URL. Any 2xx answer is a delivery.
///
/// A redirect is not followed: the URL may be a secret, and the message is for the host that the definition names.
package struct WebhookChannel: Channel {
  /// Shared by all webhooks, and never shut down.
  private static let client = HTTPClient(
    eventLoopGroupProvider: .singleton, configuration: .init(redirectConfiguration: .disallow))
  /// Answers take longer only when the receiver hangs.
  private static let timeout = TimeAmount.seconds(10)

  private let url: String

  package init(url: String) { self.url = url }

  package func deliver(_ message: OutboxMessage) async throws {
    guard WebAddress.isUsable(url) else {
      throw NotificationError(
        code: "webhook_url", message: "the address of the webhook is no http or https URL",
        hint: "write https://host/path; a port is a number from 1 to 65535")
    }
    var request = HTTPClientRequest(url: url)
    request.method = .POST
    request.headers.add(name: "content-type", value: "application/json")
    request.headers.add(name: "user-agent", value: "sluice")
    // The receiver can tell a second delivery of the same message by this number.
    request.headers.add(name: "idempotency-key", value: "sluice-\(message.id)")
    request.body = .bytes(ByteBuffer(string: message.body))
    let response: HTTPClientResponse
    do { response = try await Self.client.execute(request, timeout: Self.timeout) } catch {
      // The error's text may hold the URL, which may be a secret.
      throw NotificationError(
        code: "webhook_unreachable", message: "the webhook could not be reached (\(type(of: error)))",
        hint: "check the address and that it accepts connections from here")
    }
    // Where it leads is not told: the address may repeat a secret of the URL.
    guard !(300..<400).contains(Int(response.status.code)) else {
      throw NotificationError(
        code: "webhook_redirect", message: "the webhook answered \(response.status.code); redirects are not followed",
        hint: "write the final address under notify")
    }
    guard (200..<300).contains(Int(response.status.code)) else {
      throw NotificationError(
        code: "webhook_status", message: "the webhook answered \(response.status.code)",
        hint: "check that the address accepts a POST of JSON")
    }
  }
}
