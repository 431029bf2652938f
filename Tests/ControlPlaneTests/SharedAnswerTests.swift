import Synchronization
import TestSupport
import Testing

@testable import ControlPlane

@Suite("Shared answer")
struct SharedAnswerTests {
  /// Counts its computations, each of which waits until the test lets it end.
  private final class Computer: Sendable {
    struct State {
      var begun = 0
      var time = ContinuousClock.now
      var failure: TestSupportError?
    }
    let state = Mutex(State())
    let gates = AsyncStream<Void>.makeStream()

    func compute() async throws -> Int {
      let number = state.withLock { state in
        state.begun += 1
        return state.begun
      }
      for await _ in gates.stream { break }
      if let failure = state.withLock({ $0.failure }) { throw failure }
      return number
    }

    var begun: Int { state.withLock { $0.begun } }
    func letEnd() { gates.continuation.yield() }
    func advance(_ duration: Duration) { state.withLock { $0.time = $0.time.advanced(by: duration) } }
  }

  /// - Parameter lifetime: Of an answer by the test's clock; of a computation that no caller waits for by the real one.
  private static func with(
    lifetime: Duration = .seconds(1), _ body: @escaping @Sendable (Computer, SharedAnswer<Int>) async throws -> Void
  ) async throws {
    let computer = Computer()
    let answer = SharedAnswer(
      lifetime: lifetime, now: { computer.state.withLock { $0.time } }, compute: { try await computer.compute() })
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { await answer.run() }
      group.addTask { try await body(computer, answer) }
      try await group.next()
      group.cancelAll()
    }
  }

  @Test("sixty callers at once cost one computation, and so does everyone in the second after it")
  func shared() async throws {
    try await Self.with { computer, answer in
      let given = try await withThrowingTaskGroup(of: Int.self) { group in
        for _ in 0..<60 { group.addTask { try await answer.value() } }
        try await eventually("all wait") { answer.waiting == 60 }
        computer.letEnd()
        return try await group.reduce(into: []) { $0.append($1) }
      }
      #expect(given == Array(repeating: 1, count: 60))
      computer.advance(.milliseconds(999))
      #expect(try await answer.value() == 1)
      #expect(computer.begun == 1)
      computer.advance(.milliseconds(1))
      computer.letEnd()
      #expect(try await answer.value() == 2)
    }
  }

  @Test("a failure is given to all who wait, and is not computed again within its second")
  func failure() async throws {
    try await Self.with { computer, answer in
      computer.state.withLock { $0.failure = TestSupportError("the database is away") }
      computer.letEnd()
      await #expect(throws: TestSupportError.self) { _ = try await answer.value() }
      computer.state.withLock { $0.failure = nil }
      await #expect(throws: TestSupportError.self) { _ = try await answer.value() }
      #expect(computer.begun == 1)
      computer.advance(.seconds(1))
      computer.letEnd()
      let again = try await answer.value()
      #expect(again == 2)
    }
  }

  @Test("callers that leave are not waited for; when the last one leaves, the computation is cancelled")
  func abandoned() async throws {
    let (begun, cancelled) = (Counter(), Counter())
    let answer = SharedAnswer<Int>(
      lifetime: .milliseconds(50),
      compute: {
        begun.next()
        await waitForCancellation()
        cancelled.next()
        throw CancellationError()
      })
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { await answer.run() }
      let callers = (0..<2).map { _ in Task { try await answer.value() } }
      try await eventually("both wait") { answer.waiting == 2 && begun.value == 1 }
      callers[0].cancel()
      await #expect(throws: CancellationError.self) { _ = try await callers[0].value }
      #expect(answer.waiting == 1)
      #expect(cancelled.value == 0)
      callers[1].cancel()
      await #expect(throws: CancellationError.self) { _ = try await callers[1].value }
      try await eventually("the computation ends") { cancelled.value == 1 }
      group.cancelAll()
    }
    await #expect(throws: CancellationError.self) { _ = try await answer.value() }
  }

  @Test("callers that come and go start one computation, which the next one that stays gets")
  func passing() async throws {
    try await Self.with(lifetime: .seconds(3600)) { computer, answer in
      for _ in 0..<50 {
        let caller = Task { try await answer.value() }
        try await eventually("it waits") { answer.waiting == 1 }
        caller.cancel()
        await #expect(throws: CancellationError.self) { _ = try await caller.value }
      }
      async let last = answer.value()
      try await eventually("it waits") { answer.waiting == 1 && computer.begun == 1 }
      computer.letEnd()
      let given = try await last
      #expect(given == 1)
    }
  }
}
