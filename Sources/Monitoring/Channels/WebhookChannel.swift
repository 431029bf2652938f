import AsyncHTTPClient
import NIOCore
import NIOHTTP1

/// Posts the message's body as JSON to a URL. Any 2xx answer is a delivery.
package struct WebhookChannel: Channel {
  /// Answers take longer only when the receiver hangs.
  private static let timeout = TimeAmount.seconds(10)

  private let url: String

  package init(url: String) { self.url = url }

  package func deliver(_ message: OutboxMessage) async throws {
    var request = HTTPClientRequest(url: url)
    request.method = .POST
    request.headers.add(name: "content-type", value: "application/json")
    request.headers.add(name: "user-agent", value: "sluice")
    // The receiver can tell a second delivery of the same message by this number.
    request.headers.add(name: "idempotency-key", value: "sluice-\(message.id)")
    request.body = .bytes(ByteBuffer(string: message.body))
    let response: HTTPClientResponse
    do { response = try await HTTPClient.shared.execute(request, timeout: Self.timeout) } catch {
      // The error's text may hold the URL, which may be a secret.
      throw NotificationError(
        code: "webhook_unreachable", message: "the webhook could not be reached (\(type(of: error)))",
        hint: "check the address and that it accepts connections from here")
    }
    guard (200..<300).contains(Int(response.status.code)) else {
      throw NotificationError(
        code: "webhook_status", message: "the webhook answered \(response.status.code)",
        hint: "check that the address accepts a POST of JSON")
    }
  }
}
