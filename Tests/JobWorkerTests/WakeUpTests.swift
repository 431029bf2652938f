import JobStore
import Testing

@testable import JobWorker

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

  @Test("all who wait are woken")
  func all() async {
    let wakeUp = WakeUp()
    let waiting = (0..<3).map { _ in Task { await wakeUp.wait() } }
    // Whoever was not waiting yet is woken by a later call.
    let ringing = Task {
      while !Task.isCancelled {
        wakeUp.set()
        try? await Task.sleep(for: .milliseconds(5))
      }
    }
    for task in waiting { await task.value }
    ringing.cancel()
  }

  @Test("an alarm for a time that has passed rings at once, and an earlier one takes the place of a later")
  func alarm() async {
    let wakeUp = WakeUp()
    let alarm = Alarm(wakeUp)
    let clock = ContinuousClock()
    alarm.set(clock.now.advanced(by: .seconds(60)))
    let start = clock.now
    alarm.set(start.advanced(by: .milliseconds(-5)))
    await wakeUp.wait()
    alarm.set(clock.now.advanced(by: .seconds(60)))
    alarm.set(clock.now.advanced(by: .milliseconds(20)))
    await wakeUp.wait()
    #expect(start.duration(to: clock.now) < .seconds(30))
    alarm.stop()
  }

  private actor Counter {
    private(set) var value = 0
    func add() { value += 1 }
  }
}
