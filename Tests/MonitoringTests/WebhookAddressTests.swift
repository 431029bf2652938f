import Monitoring
import Testing

@Suite("The address of a notification")
struct WebhookAddressTests {
  @Test(
    "a webhook without a usable address fails, and the process goes on",
    arguments: ["http://127.0.0.1:70000/t0ken", "http+unix://%2Ft0ken", "t0ken"])
  func address(url: String) async throws {
    let error = await #expect(throws: NotificationError.self) {
      try await WebhookChannel(url: url).deliver(
        OutboxMessage(
          id: 42, kind: "failed", pipeline: "p", runID: 1, releaseID: 1, body: "{}", channel: 0, attempt: 1))
    }
    #expect(error?.code == "webhook_url")
    #expect(!"\(String(describing: error))".contains("t0ken"))
  }
}
