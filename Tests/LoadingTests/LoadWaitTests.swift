import JobModel
import PipelineDefinition
import Synchronization
import Testing

@testable import Loading

@Suite("What a load waits for")
struct LoadWaitTests {
  @Test("is the target while it plans and while it applies", arguments: [LoadTable.Mode.append, .merge])
  func target(mode: LoadTable.Mode) async throws {
    try await TargetFixture.with { fixture in
      let told = Mutex<[String]>([])
      let hooks = LoadHooks(waits: { cause, begins in told.withLock { $0.append("\(begins ? "+" : "-")\(cause)") } })
      let table = LoadTable(
        schema: "mart", table: "orders", from: "orders", mode: mode, key: mode == .merge ? ["id"] : [])
      let loaded = try await fixture.load(
        table, [try await fixture.snapshot(1, "select 1 as id, 'a' as name")], ticket: 1, hooks: hooks)
      #expect(loaded.map(\.status) == [.loaded])
      #expect(told.withLock { $0 } == ["+target", "-target", "+target", "-target"])
    }
  }
}
