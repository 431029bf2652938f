import JobModel
import Simulation
import Testing

/// One body of tests for both stores.
@Suite("A queue, modelled and on PostgreSQL")
struct ConformanceTests {
  @Test("answers every call in every state as the table says: the model", arguments: StateTable.rows)
  func model(row: StateTable.Row) async throws {
    for cell in row.cells {
      var store = ModelledStore()
      try await check(row.state, cell, in: &store)
    }
  }

  /// The jobs of earlier cells are ended, so that one database serves a row.
  @Test("answers every call in every state as the table says: PostgreSQL", arguments: StateTable.rows)
  func postgres(row: StateTable.Row) async throws {
    try await PostgresQueue.with { store in
      for cell in row.cells {
        try await check(row.state, cell, in: &store)
        try await store.clear()
      }
    }
  }

  private func check(
    _ state: String, _ cell: (call: String, expected: String), in store: inout some QueueStore
  ) async throws {
    let subject = try await StateTable.reach(state, in: &store, at: SimulatedInstant(milliseconds: 0))
    let before = try #require(try await store.picture().jobs[subject.job])
    let operation = try StateTable.operation(cell.call, on: subject, epoch: before.epoch)
    let answer = try await operation.apply(to: &store)
    let after = try #require(try await store.picture().jobs[subject.job])
    var unmoved = after
    unmoved.mark = before.mark
    unmoved.isCancelRequested = before.isCancelRequested
    let found =
      unmoved != before
      ? "\(after.state.rawValue):\(after.epoch)/\(after.attempt)" : answer.didAct ? "=" : "."
    #expect(found == cell.expected, "\(cell.call) in the state \(state)")
    if cell.call.hasPrefix("mark") { #expect(after.mark == (cell.expected == "=" ? 9 : nil)) }
  }
}
