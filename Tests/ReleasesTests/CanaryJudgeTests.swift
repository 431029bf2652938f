import JobModel
import Testing

@testable import Releases

@Suite("The judge of a canary")
struct CanaryJudgeTests {
  private func side(_ finished: Int, failed: Int = 0, crashed: Int = 0, slowest: Double? = nil) -> CanaryJudge.Side {
    var side = CanaryJudge.Side()
    (side.finished, side.failed, side.crashed, side.slowest) = (finished, failed, crashed, slowest)
    return side
  }

  private func verdict(_ canary: CanaryJudge.Side, _ current: CanaryJudge.Side) -> CanaryJudge.Verdict {
    CanaryJudge().judge([CanaryJudge.Comparison(kind: "curate", canary: canary, current: current)], alarms: [])
  }

  @Test("Fisher's test gives what a table of it says")
  func fisher() {
    // The tea tasting: 3 of 4 right; and an extreme table.
    #expect(abs(FisherTest.probability(failures: 3, of: 4, against: 1, of: 4) - 17.0 / 70) < 1e-12)
    #expect(abs(FisherTest.probability(failures: 4, of: 4, against: 0, of: 4) - 1.0 / 70) < 1e-12)
    #expect(abs(FisherTest.probability(failures: 0, of: 40, against: 3, of: 40) - 1) < 1e-12)
    #expect(FisherTest.probability(failures: 0, of: 0, against: 0, of: 0) == 1)
  }

  @Test("goes back when failures are certain and twice as many, not for what chance explains")
  func failures() {
    guard case .worse(let reason) = verdict(side(60, failed: 12), side(400, failed: 4)) else {
      Issue.record("12 of 60 against 4 of 400 is worse")
      return
    }
    #expect(reason.hasPrefix("curate: 12 of 60 failed on the canary, 4 of 400 beside it (p = "))
    #expect(verdict(side(60, failed: 2), side(400, failed: 4)) == .good)
    // Certain, but less than twice.
    #expect(verdict(side(100_000, failed: 15_000), side(100_000, failed: 10_000)) == .good)
    #expect(verdict(side(60), side(400, failed: 4)) == .good)
  }

  @Test("goes back for crashes and for time, and holds where too little has ended")
  func others() {
    guard case .worse = verdict(side(40, crashed: 10), side(40)) else {
      Issue.record("ten crashes are worse")
      return
    }
    guard case .worse(let slow) = verdict(side(40, slowest: 30), side(40, slowest: 10)) else {
      Issue.record("three times as slow is worse")
      return
    }
    #expect(slow.contains("took 30.0 s at the 95th percentile, 10.0 s beside it"))
    guard case .inconclusive(let thin) = verdict(side(29, failed: 29), side(400)) else {
      Issue.record("29 are too few")
      return
    }
    #expect(thin.contains("29 of 30"))
    #expect(CanaryJudge().judge([], alarms: []) == .inconclusive("nothing has run on it yet"))
  }

  @Test("goes back for twice the memory, where that is much")
  func memory() {
    func side(_ megabytes: Double) -> CanaryJudge.Side {
      var side = self.side(40)
      side.heaviest = megabytes * 1e6
      return side
    }
    guard case .worse(let reason) = verdict(side(820), side(300)) else {
      Issue.record("820 MB against 300 MB is worse")
      return
    }
    #expect(reason == "curate took 820 MB of memory at the 95th percentile, 300 MB beside it")
    #expect(verdict(side(550), side(300)) == .good)
    #expect(verdict(side(90), side(30)) == .good)
  }

  @Test("goes back when rows are rejected or lost, also where the other release rejects none or the canary keeps none")
  func rows() {
    func rows(rejected: Int, out: Int) -> CanaryJudge.Side {
      var side = self.side(60)
      (side.rowsIn, side.rowsRejected, side.rowsOut) = (1000, rejected, out)
      return side
    }
    let good = rows(rejected: 0, out: 1000)
    #expect(verdict(good, good) == .good)
    #expect(verdict(rows(rejected: 15, out: 985), good) == .good)
    for bad in [rows(rejected: 900, out: 100), rows(rejected: 0, out: 0), rows(rejected: 30, out: 970)] {
      guard case .worse = verdict(bad, good) else {
        Issue.record("\(bad) is worse")
        continue
      }
    }
    // What a cold cache makes of four milliseconds is no reason.
    #expect(verdict(side(60, slowest: 0.009), side(60, slowest: 0.004)) == .good)
  }

  @Test("goes back at once for what needs no statistics")
  func alarms() {
    let judge = CanaryJudge()
    guard case .worse(let reason) = judge.judge([], alarms: [.unreadable(job: "ingest.http/3")]) else {
      Issue.record("an unreadable checkpoint is worse")
      return
    }
    #expect(reason.contains("ingest.http/3"))
  }

  @Test("of a hundred canaries as good as the rest it sends back none of those that five looks are given")
  func falseAlarms() {
    var random = SystemRandomNumberGenerator()
    var sentBack = 0
    for _ in 0..<200 {
      var (failed, otherFailed) = (0, 0)
      for look in 1...CanaryJudge.looks {
        failed += (0..<40).count { _ in Int.random(in: 0..<100, using: &random) < 5 }
        otherFailed += (0..<400).count { _ in Int.random(in: 0..<100, using: &random) < 5 }
        if case .worse = verdict(side(40 * look, failed: failed), side(400 * look, failed: otherFailed)) {
          sentBack += 1
          break
        }
      }
    }
    // One in a hundred is what is allowed; eleven of two hundred would be one in 10¹⁰.
    #expect(sentBack <= 10)
  }
}

@Suite("The formats of an engine")
struct EngineFormatsTests {
  @Test("are read as they are, migrated or neither")
  func readings() {
    let (old, new, newest) = (
      CheckpointFormat("ingest.http", 1), CheckpointFormat("ingest.http", 2), CheckpointFormat("ingest.http", 3)
    )
    let formats = EngineFormats(reads: [new], migrates: [old], writes: [new])
    #expect([old, new, newest].map(formats.reading) == [.migrated, .asIs, .cannot])
  }
}
