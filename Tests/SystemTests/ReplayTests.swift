import FoundationEssentials
import JobModel
import Postgres
import Subprocess
import SystemPackage
import TestSupport
import Testing

/// Real files, delivered day by day, with workers killed on the way. The target must equal the last delivery.
@Suite("Replay of real deliveries", .serialized)
struct ReplayTests {
  private static let isAtHand = Deliveries.folder != nil

  @Test(
    "airports: 21 deliveries, hard deletes, a SIGKILL at every named step",
    .enabled(if: isAtHand, "skipped: ../shared/data is not there"))
  func airports() async throws {
    try await Replay.with("airports", columns: 14, deletes: "hard") { replay in
      // Every point once, in an order drawn from the seed, over the deliveries after the first.
      var points = KillPoint.allCases
      points.shuffle(using: &replay.random)
      try await replay.deliverAll(killingAt: points)
      #expect(replay.hit.count == KillPoint.allCases.count)
      try await replay.compareWithLastDelivery()
      try await replay.compareRawHashes()
      try await replay.curateAgain()
    }
  }

  @Test(
    "airlines: 17 deliveries, soft deletes, a SIGKILL at five random steps",
    .enabled(if: isAtHand, "skipped: ../shared/data is not there"))
  func airlines() async throws {
    try await Replay.with("airlines", columns: 8, deletes: "soft") { replay in
      let points = (0..<5).compactMap { _ in KillPoint.allCases.randomElement(using: &replay.random) }
      try await replay.deliverAll(killingAt: points)
      #expect(replay.hit.count == 5)
      try await replay.compareWithLastDelivery()
      try await replay.compareRawHashes()
    }
  }
}
