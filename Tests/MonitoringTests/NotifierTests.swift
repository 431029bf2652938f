import JobStore
import Logging
import Monitoring
import PipelineDefinition
import Postgres
import Synchronization
import TestSupport
import Testing

@Suite("Notifier")
struct NotifierTests {
  /// Holds up what the test says, and notes the rest.
  private final class Receivers: Sendable {
    private struct State {
      var delivered: [String] = []
      var isOpen = false
    }
    private let state = Mutex(State())

    var delivered: [String] { state.withLock { $0.delivered } }
    func open() { state.withLock { $0.isOpen = true } }

    func receive(_ pipeline: String) async throws {
      if pipeline == "slow" {
        try await eventually("the slow receiver is let go") { state.withLock { $0.isOpen } }
      }
      state.withLock { $0.delivered.append(pipeline) }
    }
  }

  private struct Receiving: Channel {
    let receivers: Receivers
    func deliver(_ message: OutboxMessage) async throws { try await receivers.receive(message.pipeline) }
  }

  @Test("a receiver that hangs holds up no other one, also for what is told later")
  func slow() async throws {
    try await TestDatabase.withDatabase { database in
      let store = JobStore(database: database.pool)
      let receivers = Receivers()
      let notifier = Notifier(
        store: store, poll: .milliseconds(20), logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
      ) { _ in
        [NotifyRule(when: ["failed"], channel: .command([], secrets: []))]
      } channel: { _ in
        Receiving(receivers: receivers)
      }
      for pipeline in ["slow", "quick"] { try await tell(pipeline, store, database) }
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { while try await notifier.deliverDue() > 0 {} }
        try await eventually("the other one is told") { receivers.delivered == ["quick"] }
        try await tell("later", store, database)
        try await eventually("the later one is told") { receivers.delivered == ["quick", "later"] }
        receivers.open()
        try await group.next()
      }
      #expect(receivers.delivered == ["quick", "later", "slow"])
      let open = try await database.pool.query("select outbox_id from sluice.outbox where delivered_at is null", [])
      #expect(open.isEmpty)
    }
  }

  private func tell(_ pipeline: String, _ store: JobStore, _ database: TestDatabase.Handle) async throws {
    try await database.pool.transaction {
      try await store.tell("failed", pipeline: pipeline, run: nil, body: "{}", in: $0)
    }
  }
}
