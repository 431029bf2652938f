import JobStore
import Testing

@Suite("Wake-up")
struct WakeUpTests {
  @Test("a call before the wait is kept, and only one")
  func kept() async {
    let wakeUp = WakeUp()
    wakeUp.set()
    wakeUp.set()
    await wakeUp.wait()
    let second = Task { await wakeUp.wait() }
    wakeUp.set()
    await second.value
  }

  @Test("a cancelled wait ends, and the next one still waits")
  func cancelled() async {
    let wakeUp = WakeUp()
    let cancelled = Task { await wakeUp.wait() }
    cancelled.cancel()
    await cancelled.value
    let count = Counter()
    let waiting = Task {
      await wakeUp.wait()
      await count.add()
    }
    for _ in 0..<100 { await Task.yield() }
    #expect(await count.value == 0)
    wakeUp.set()
    await waiting.value
    #expect(await count.value == 1)
  }

  private actor Counter {
    private(set) var value = 0
    func add() { value += 1 }
  }
}
