import Catalog
import Testing

@testable import Ingestion

@Suite("Steps on their way to their checkpoint")
struct StepQueueTests {
  private func step(_ number: Int, bytes: Int64 = 1) -> PulledStep {
    PulledStep(
      object: NewRawObject(sequence: number, key: "k", bytes: bytes, sha256: "", request: "r"), state: "\(number)")
  }

  @Test("are taken all at once, in their order, and the end comes after the last")
  func order() async {
    let queue = StepQueue()
    for number in 0..<3 { await queue.put(step(number)) }
    #expect(await queue.takeAll()?.map(\.state) == ["0", "1", "2"])
    await queue.put(step(3))
    queue.finish()
    #expect(await queue.takeAll()?.map(\.state) == ["3"])
    #expect(await queue.takeAll() == nil)
  }

  @Test(
    "wait for room: so many, or so many bytes",
    arguments: [(StepQueue.maximumSteps, Int64(1)), (2, StepQueue.maximumBytes / 2), (1, StepQueue.maximumBytes * 5)])
  func room(most: Int, bytes: Int64) async throws {
    let queue = StepQueue()
    let taken = await withTaskGroup(of: Void.self) { group in
      group.addTask {
        for number in 0..<300 { await queue.put(step(number, bytes: bytes)) }
        queue.finish()
      }
      var taken: [String] = []
      var largest = 0
      while let steps = await queue.takeAll() {
        largest = max(largest, steps.count)
        taken += steps.map(\.state)
      }
      #expect(largest <= most)
      return taken
    }
    #expect(taken == (0..<300).map { "\($0)" })
  }

  @Test("of a queue that is closed are dropped, and nothing waits")
  func closed() async {
    let queue = StepQueue()
    await withTaskGroup(of: Void.self) { group in
      group.addTask { for number in 0..<300 { await queue.put(step(number)) } }
      _ = await queue.takeAll()
      queue.close()
    }
    queue.finish()
    #expect(await queue.takeAll() == nil)
  }
}
