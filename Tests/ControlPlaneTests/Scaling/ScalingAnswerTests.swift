import JobStore
import Postgres
import TestSupport
import Testing

@testable import ControlPlane

@Suite("The number of workers over HTTP")
struct ScalingAnswerTests {
  /// One answer of an API whose number comes from the store.
  private func ask(_ store: JobStore, isScaled: Bool = true) async throws -> String {
    let (answers, answer) = AsyncStream<String>.makeStream()
    try await ControlAPITests.with(
      scaling: { try await ScalingAnswer.gather(store: store, isScaled: isScaled) },
      { answer.yield(try await $0.ask("GET /v1/scaling")) })
    return await answers.first { _ in true } ?? ""
  }

  @Test("it has flat numbers for a scaler, and is an error where zero would be a guess")
  func answers() async throws {
    try await TestDatabase.withDatabase { database in
      let store = JobStore(database: database.pool)
      let unscaled = try await ask(store, isScaled: false)
      #expect(unscaled.hasPrefix("HTTP/1.1 404") && unscaled.contains("\"not_scaled\""), "\(unscaled)")
      let none = try await ask(store)
      #expect(none.hasPrefix("HTTP/1.1 503") && none.contains("\"not_decided\""), "\(none)")

      let lead = try #require(try await store.leadScaling(as: "one", lease: .seconds(10)))
      let decision = JobStore.NewScalingDecision(
        total: 5, demanded: 9, counts: [7: 4, 8: 1], reasons: ["r"], limitedBy: "max")
      _ = try await store.keep(decision, as: "one", epoch: lead.epoch)
      let five = try await ask(store)
      #expect(five.hasPrefix("HTTP/1.1 200"), "\(five)")
      for part in [
        "\"workers\":5", "\"demanded\":9", "\"counts\":{\"7\":4,\"8\":1}", "\"limited_by\":\"max\"", "\"queued\":0",
      ] { #expect(five.contains(part), "\(five)") }

      try await database.pool.execute("update sluice.scaling_decision set decided_at = now() - interval '200 s'")
      let stale = try await ask(store)
      #expect(stale.hasPrefix("HTTP/1.1 503") && stale.contains("200 s old"), "\(stale)")
    }
  }
}
