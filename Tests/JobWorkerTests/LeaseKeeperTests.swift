import Testing

@testable import JobWorker

@Suite("Lease keeper")
struct LeaseKeeperTests {
  private let start = ContinuousClock.now

  @Test("the lease is counted from sending the last beat that was accepted")
  func countsFromSending() {
    var keeper = LeaseKeeper(lease: .seconds(15), registeredAt: start)
    keeper.answered(sentAt: start + .seconds(10), accepted: true)
    let holds1 = keeper.holds(at: start + .seconds(24))
    #expect(holds1)
    let holds2 = keeper.holds(at: start + .seconds(25))
    #expect(!holds2)
  }

  @Test("an answer that comes out of order does not shorten the lease")
  func outOfOrder() {
    var keeper = LeaseKeeper(lease: .seconds(15), registeredAt: start)
    keeper.answered(sentAt: start + .seconds(10), accepted: true)
    keeper.answered(sentAt: start + .seconds(5), accepted: true)
    let holds3 = keeper.holds(at: start + .seconds(24))
    #expect(holds3)
  }

  @Test("once revoked it never holds again")
  func final() {
    var keeper = LeaseKeeper(lease: .seconds(15), registeredAt: start)
    keeper.answered(sentAt: start + .seconds(1), accepted: false)
    keeper.answered(sentAt: start + .seconds(2), accepted: true)
    let holds4 = keeper.holds(at: start + .seconds(3))
    #expect(!holds4)
  }
}
