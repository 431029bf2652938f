import JobModel
import JobStore
import Postgres
import Synchronization
import TestSupport
import Testing

@testable import JobWorker

/// Real workers, whose jobs end when the test says so.
@Suite("Workers that claim by memory")
struct MemoryAdmissionTests {
  private static let megabyte = 1_000_000.0

  /// What runs, and what may end.
  private final class Bench: Sendable {
    private struct State {
      var running: [String: Int] = [:]
      var most: [String: Int] = [:]
      var order: [String] = []
      var open: Set<String> = []
    }
    private let state = Mutex(State())
    let changed = WakeUp()

    var running: [String: Int] { state.withLock { $0.running.filter { $0.value > 0 } } }
    var most: [String: Int] { state.withLock { $0.most } }
    var order: [String] { state.withLock { $0.order } }
    func open(_ name: String) { state.withLock { _ = $0.open.insert(name) } }

    func run(_ attempt: JobAttempt) async throws {
      let name = attempt.pipeline
      state.withLock {
        $0.order.append(name)
        let count = $0.running[name, default: 0] + 1
        $0.running[name] = count
        $0.most[name] = max(count, $0.most[name] ?? 0)
      }
      while !state.withLock({ $0.open.contains(name) }) { try await Task.sleep(for: .milliseconds(5)) }
      state.withLock { $0.running[name, default: 1] -= 1 }
      try await attempt.complete()
    }
  }

  private static func expect(
    _ queue: WorkerFixture, _ pipeline: String, megabytes: Double, seconds: Double
  ) async throws {
    let lead = try #require(try await queue.store.leadScaling(as: "control", lease: .seconds(3600)))
    let expected = JobStore.ExpectedNeed(
      secondsMean: seconds, secondsDeviation: 0, bytesMean: megabytes * megabyte, bytesDeviation: 0)
    try await queue.store.keep(
      [JobStore.NeedEstimate(kind: "test", pipeline: pipeline, expected: expected)], as: "control", epoch: lead.epoch,
      retention: .seconds(3600))
  }

  private static func enqueue(_ queue: WorkerFixture, _ pipeline: String, _ count: Int) async throws {
    try await queue.store.enqueue((0..<count).map { _ in NewJob(kind: "test", pipeline: pipeline) })
  }

  private static func memory(_ megabytes: Double) -> WorkerMemory {
    WorkerMemory(workerBytes: 0) { megabytes * megabyte }
  }

  @Test("two workers of one host share its memory: both have slots, and no more jobs run than have room together")
  func sharing() async throws {
    try await WorkerFixture.with { queue in
      try await Self.expect(queue, "heavy", megabytes: 300, seconds: 60)
      let bench = Bench()
      let workers = (0..<2).map { _ in
        queue.worker(slots: 4, memory: Self.memory(1000)) { try await bench.run($0) }
      }
      try await Self.enqueue(queue, "heavy", 12)
      try await queue.running(workers) {
        try await eventually("the room is taken") { bench.running == ["heavy": 3] }
        bench.open("heavy")
        try await queue.allDone(12)
      }
      #expect(bench.most == ["heavy": 3], "950 of 1000 MB are given out")
    }
  }

  @Test("a heavy job waits for room without blocking the light ones behind it, and the room that comes is its own")
  func heavyAndLight() async throws {
    try await WorkerFixture.with { queue in
      try await Self.expect(queue, "first", megabytes: 600, seconds: 3600)
      try await Self.expect(queue, "heavy", megabytes: 800, seconds: 60)
      try await Self.expect(queue, "light", megabytes: 100, seconds: 1)
      let bench = Bench()
      let workers = (0..<2).map { _ in
        queue.worker(slots: 2, memory: Self.memory(1000)) { try await bench.run($0) }
      }
      try await queue.running(workers) {
        try await Self.enqueue(queue, "first", 1)
        try await eventually("it runs") { bench.running == ["first": 1] }
        try await Self.enqueue(queue, "heavy", 1)
        try await eventually("room is kept for the heavy one") {
          try await queue.store.memoryLook(worker: 1, jobs: []).waiting != nil
        }
        try await Self.enqueue(queue, "light", 40)
        try await eventually("light ones run next to the first") { bench.running == ["first": 1, "light": 3] }
        bench.open("light")
        try await queue.allDone(40)
        #expect(bench.running == ["first": 1])
        // Now light ones come without end: they have room next to the first, and one next to the heavy one.
        bench.open("first")
        try await Self.enqueue(queue, "light", 200)
        try await eventually("the heavy one runs") { bench.running["heavy"] == 1 }
        bench.open("heavy")
        try await queue.allDone(242)
      }
      #expect(bench.most["heavy"] == 1 && bench.most["light"] == 3)
    }
  }

  @Test("without an estimate, and without a limit, every slot works")
  func unlimited() async throws {
    try await WorkerFixture.with { queue in
      let bench = Bench()
      let worker = queue.worker(slots: 4, memory: WorkerMemory(workerBytes: 0) { nil }) { try await bench.run($0) }
      try await Self.enqueue(queue, "p", 8)
      try await queue.running([worker]) {
        try await eventually("all slots") { bench.running == ["p": 4] }
        bench.open("p")
        try await queue.allDone(8)
      }
    }
  }

  @Test("a job that ran out of memory is claimed alone once its host has room for half more")
  func killed() async throws {
    try await WorkerFixture.with { queue in
      try await Self.expect(queue, "large", megabytes: 500, seconds: 60)
      try await Self.expect(queue, "other", megabytes: 400, seconds: 60)
      let bench = Bench()
      let killed = Mutex(false)
      let workers = (0..<2).map { _ in
        queue.worker(slots: 2, memory: Self.memory(1000)) { attempt in
          if attempt.pipeline == "large", attempt.claim.memoryKills == 0 {
            killed.withLock { $0 = true }
            throw Exhausted()
          }
          try await bench.run(attempt)
        }
      }
      try await queue.running(workers) {
        try await Self.enqueue(queue, "other", 1)
        try await eventually("it runs") { bench.running == ["other": 1] }
        try await Self.enqueue(queue, "large", 1)
        try await eventually("room is kept for the second attempt") {
          try await queue.store.memoryLook(worker: 1, jobs: []).waiting?.memoryKills == 1
        }
        #expect(killed.withLock { $0 } && bench.running == ["other": 1], "750 MB have no room next to 400")
        bench.open("other")
        try await eventually("it runs") { bench.running == ["large": 1] }
        bench.open("large")
        try await queue.allDone(2)
      }
    }
  }

  private struct Exhausted: Failure {
    var code: String { "memory_limit" }
    var message: String { "the SQL needs more memory" }
    var hint: String? { nil }
    var isTransient: Bool { false }
    var isOutOfMemory: Bool { true }
  }
}
