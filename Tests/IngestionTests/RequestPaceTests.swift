import Synchronization
import Testing

@testable import Ingestion

/// What the control database keeps of one host, in memory.
final class Reservations: Sendable {
  private let state = Mutex<(next: Duration, calls: [Int])>((.zero, []))
  private let now: @Sendable () -> Duration

  init(_ now: @escaping @Sendable () -> Duration) { self.now = now }

  /// How many each asked for.
  var calls: [Int] { state.withLock { $0.calls } }

  @Sendable func reserve(_ count: Int, _ interval: Duration) async -> Duration {
    let now = now()
    return state.withLock { state in
      let first = max(state.next, now)
      state.next = first + interval * count
      state.calls.append(count)
      return first - now
    }
  }
}

@Suite("Request pace")
struct RequestPaceTests {
  /// A clock that a test sets.
  private final class Hands: Sendable {
    private let time = Mutex<Duration>(.zero)
    var now: Duration { time.withLock { $0 } }
    func move(to time: Duration) { self.time.withLock { $0 = max($0, time) } }
    func move(by time: Duration) { self.time.withLock { $0 += time } }
  }

  @Test("places are an interval apart, and a busy process reserves more and more of them at a time")
  func batches() async throws {
    let hands = Hands()
    let host = Reservations { hands.now }
    let pace = RequestPace(now: { hands.now }, reserve: host.reserve)
    var slots: [Duration] = []
    for _ in 0..<500 {
      let slot = try await pace.turn(every: .milliseconds(20))
      hands.move(to: slot)
      slots.append(slot)
    }
    #expect(slots == (0..<500).map { .milliseconds(20) * $0 }, "ten seconds in full use")
    #expect(host.calls.count < 70)
    #expect(host.calls.max() == 10, "no more than others may wait for")
  }

  @Test("a place whose time has passed is lost: it is not caught up on")
  func late() async throws {
    let hands = Hands()
    let host = Reservations { hands.now }
    let pace = RequestPace(now: { hands.now }, reserve: host.reserve)
    for _ in 0..<205 { hands.move(to: try await pace.turn(every: .milliseconds(20))) }
    let before = host.calls.count
    hands.move(by: .seconds(5))
    let resumed = hands.now
    var slots: [Duration] = []
    for _ in 0..<10 {
      let slot = try await pace.turn(every: .milliseconds(20))
      hands.move(to: slot)
      slots.append(slot)
    }
    #expect(slots == (0..<10).map { resumed + .milliseconds(20) * $0 })
    #expect(host.calls[before] <= 5, "and it reserves fewer")
  }

  @Test("processes take turns, and together they use all of the rate")
  func shared() async throws {
    let hands = Hands()
    let host = Reservations { hands.now }
    let paces = (0..<3).map { _ in RequestPace(now: { hands.now }, reserve: host.reserve) }
    var waiting: [(slot: Duration, pace: Int)] = []
    for index in paces.indices { waiting.append((try await paces[index].turn(every: .milliseconds(20)), index)) }
    var served: [Int] = [0, 0, 0]
    var slots: [Duration] = []
    while slots.count < 1500 {
      waiting.sort { $0.slot < $1.slot }
      let next = waiting.removeFirst()
      hands.move(to: next.slot)
      slots.append(next.slot)
      served[next.pace] += 1
      waiting.append((try await paces[next.pace].turn(every: .milliseconds(20)), next.pace))
    }
    #expect(zip(slots, slots.dropFirst()).allSatisfy { $1 - $0 >= .milliseconds(20) })
    #expect(hands.now <= .milliseconds(20) * 1500)
    #expect((served.max() ?? 0) - (served.min() ?? 0) <= 30, "\(served)")
  }

  @Test("a rate of less than one in minutes survives that its job is put off")
  func slow() async throws {
    let hands = Hands()
    let host = Reservations { hands.now }
    let pace = RequestPace(now: { hands.now }, reserve: host.reserve)
    _ = try await pace.turn(every: .seconds(600))
    let second = try await pace.turn(every: .seconds(600))
    #expect(second == .seconds(600))
    pace.putBack(second)
    hands.move(to: .seconds(603))
    #expect(try await pace.turn(every: .seconds(600)) == .seconds(600))
    #expect(host.calls == [1, 1])
  }
}
