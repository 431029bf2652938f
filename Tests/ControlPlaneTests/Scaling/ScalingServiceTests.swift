import Autoscaling
import JobModel
import JobStore
import Logging
import Postgres
import TestSupport
import Testing

@testable import ControlPlane

@Suite("The service that decides how many workers there are")
struct ScalingServiceTests {
  private func service(_ store: JobStore, _ board: ScalingBoard, _ holder: String) -> ScalingService {
    ScalingService(
      store: store, limits: ScalingLimits(maxWorkers: 4, slotsPerWorker: 2), stages: ["mail"], board: board,
      holder: holder, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, memory: { HostMemory() })
  }

  @Test("one of two services decides, the other one learns from it what may go and starts nothing")
  func two() async throws {
    try await TestDatabase.withDatabase { database in
      let store = JobStore(database: database.pool)
      let (firstBoard, secondBoard) = (ScalingBoard(), ScalingBoard())
      let (first, second) = (service(store, firstBoard, "first"), service(store, secondBoard, "second"))
      var (firstTurn, secondTurn): (ScalingService.Turn?, ScalingService.Turn?) = (nil, nil)

      try await first.decide(&firstTurn)
      #expect(firstBoard.allotment?.counts == [:])
      #expect(firstBoard.allotment?.launchesUntil != nil)
      try await database.pool.query("select sluice.enqueue('mail')", [])
      try await first.decide(&firstTurn)
      #expect(firstBoard.allotment?.counts == [0: 1])
      #expect(try await store.scalingDecision()?.counts == [0: 1])

      try await second.decide(&secondTurn)
      #expect(secondTurn == nil)
      #expect(secondBoard.allotment?.counts == [0: 1])
      #expect(secondBoard.allotment?.launchesUntil == nil)

      try await store.leaveScaling(as: "first")
      try await second.decide(&secondTurn)
      #expect(secondTurn?.epoch == 2)
      #expect(secondBoard.allotment?.epoch == 2)
      #expect(secondBoard.allotment?.launchesUntil != nil)
      try await first.decide(&firstTurn)
      #expect(firstTurn == nil)
      #expect(firstBoard.allotment?.launchesUntil == nil)
    }
  }

  @Test("arrivals are counted once, and a number that a person set holds within the limits")
  func inputs() async throws {
    try await TestDatabase.withDatabase { database in
      let store = JobStore(database: database.pool)
      let board = ScalingBoard()
      let service = service(store, board, "one")
      var turn: ScalingService.Turn?
      try await service.decide(&turn)
      for _ in 0..<10 { try await database.pool.query("select sluice.enqueue('mail')", []) }
      for _ in 0..<3 { try await service.decide(&turn) }
      _ = try await store.overrideScaling(workers: 9, for: .seconds(600), reason: "a test", author: "me")
      try await service.decide(&turn)
      #expect(board.allotment?.counts == [0: 4])
      let decision = try #require(try await store.scalingDecision())
      let report = try ScalingReport(json: decision.inputs)
      #expect(report.override == 9)
      #expect(report.stages.map(\.queued) == [10])
      #expect(report.stages.map(\.arrived5Minutes) == [10])
      #expect(report.stages.map(\.kind) == ["mail"])
    }
  }
}
