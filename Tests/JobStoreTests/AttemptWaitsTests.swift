import JobModel
import JobStore
import Testing

@Suite("The waits of an attempt")
struct AttemptWaitsTests {
  private let start = ContinuousClock.now

  @Test("are summed by cause; those of one cause that overlap count once, those of two causes each")
  func sums() {
    var waits = AttemptWaits<ContinuousClock.Instant>()
    #expect(waits.current == nil && waits.waited().isEmpty)
    waits.begin(.target, at: start)
    waits.begin(.target, at: start + .seconds(1))
    waits.begin(.limit, at: start + .seconds(2))
    #expect(waits.current == .target)
    #expect(waits.waited().isEmpty)
    #expect(waits.waited(until: start + .seconds(3)) == [.target: .seconds(3), .limit: .seconds(1)])
    waits.end(.target, at: start + .seconds(4))
    #expect(waits.current == .target)
    waits.end(.target, at: start + .seconds(5))
    #expect(waits.current == .limit)
    #expect(waits.waited() == [.target: .seconds(5)])
    waits.begin(.target, at: start + .seconds(7))
    waits.end(.target, at: start + .seconds(9))
    waits.end(.limit, at: start + .seconds(9))
    #expect(waits.current == nil)
    #expect(waits.waited(until: start + .seconds(99)) == [.target: .seconds(7), .limit: .seconds(7)])
  }

  @Test("are written in tenths of a second, without what is shorter")
  func json() {
    typealias Waits = AttemptWaits<ContinuousClock.Instant>
    #expect(Waits.json([:]) == nil)
    #expect(Waits.json([.source: .milliseconds(99)]) == nil)
    #expect(
      Waits.json([.limit: .seconds(3600), .source: .milliseconds(12_399), .memory: .milliseconds(50)])
        == #"{"source":12.3,"limit":3600.0}"#)
  }
}
