import Autoscaling
import JobModel
import Testing

@testable import ControlPlane
@testable import JobStore

@Suite("What is seen of the fleet over time")
struct FleetWatchTests {
  private let lane = JobStore.LaneKind(lane: 1, engine: 7, pipeline: "p", stage: "ingest", kind: "ingest")

  private func worker(_ id: Int64, busy: Int = 0) -> WorkerRecord {
    WorkerRecord(
      id: id, host: "h", pid: Int(id), engine: "1", slots: 2, busy: busy, startedAt: "", beatAt: "", draining: false,
      servesOneRun: false, releaseID: 7)
  }

  private func attempt(_ job: Int64, waiting: String? = nil) -> JobStore.RunningAttempt {
    JobStore.RunningAttempt(job: job, worker: 1, engine: 7, kind: "ingest", seconds: 1, waiting: waiting)
  }

  @Test("arrivals count for 5 and for 30 minutes, and then are forgotten")
  func arrivals() {
    var window = ArrivalWindow()
    window.add(10, to: lane, at: 1000)
    window.add(0, to: lane, at: 1000)
    window.add(4, to: lane, at: 2400)
    #expect(window.counts(at: 2400)[lane] == ArrivalWindow.Counts(minutes5: 4, minutes30: 14))
    window.forget(at: 2900)
    #expect(window.counts(at: 2900)[lane] == ArrivalWindow.Counts(minutes5: 0, minutes30: 4))
    window.forget(at: 9000)
    #expect(window.counts(at: 9000).isEmpty)
  }

  @Test("what a clock has dated that was ahead is forgotten when it is set back")
  func clock() {
    var window = ArrivalWindow()
    window.add(10, to: lane, at: 5000)
    window.forget(at: 1000)
    #expect(window.counts(at: 1000).isEmpty)
  }

  @Test("a worker is idle since it was first seen without a job")
  func idle() {
    var watch = FleetWatch()
    #expect(watch.look(at: [worker(1)], now: 100) == [1: 0])
    #expect(watch.look(at: [worker(1)], now: 110) == [1: 10])
    #expect(watch.look(at: [worker(1, busy: 1)], now: 120) == [1: 0])
    #expect(watch.look(at: [worker(1), worker(2)], now: 130) == [1: 0, 2: 0])
    #expect(watch.look(at: [worker(2)], now: 90) == [2: 0], "the clock was set back")
  }

  @Test("waits are shares of the running attempts, averaged over five minutes")
  func waits() {
    var watch = FleetWatch()
    let attempts = [attempt(1, waiting: "source"), attempt(2), attempt(3), attempt(4)]
    #expect(watch.waits(of: attempts, now: 0) == ["source": 0.25])
    let later = watch.waits(of: [attempt(2), attempt(3)], now: 150)
    #expect(later == ["source": 0.125])
    #expect(watch.waits(of: [], now: 600) == ["source": 0])
  }

  @Test("a prediction is the one of when the attempt was first seen, and is settled once, by its job and epoch")
  func ledger() {
    var ledger = PredictionLedger()
    var predictor = Predictor()
    let first = ledger.prediction(of: attempt(1), by: predictor)
    for _ in 0..<10 { predictor.learn(Autoscaling.FinishedJob(kind: "ingest", release: "7", seconds: 5)) }
    #expect(ledger.prediction(of: attempt(1), by: predictor) == first)
    #expect(ledger.prediction(of: attempt(2), by: predictor).seconds.mean == 5)
    let other = JobStore.FinishedAttempt(job: 1, epoch: 9, kind: "ingest", seconds: 3)
    #expect(ledger.settle([other], by: nil).isEmpty, "another attempt of it")
    let ended = JobStore.FinishedAttempt(job: 1, kind: "ingest", release: 7, seconds: 3, memory: 5e6)
    let settled = ledger.settle([ended], by: nil, workerBytes: 4e6)
    #expect(settled.map(\.job) == [1])
    #expect(settled.first?.seconds.mean == first.seconds.mean)
    #expect(settled.first?.seconds.actual == 3)
    #expect(settled.first?.bytes.actual == 1e6, "without the worker's own, which was not predicted")
    #expect(settled.first?.basis == "coldStart")
    ledger.forget([ended], running: [])
    #expect(ledger.settle([ended], by: nil).isEmpty)
  }

  @Test("an attempt that ends otherwise has no settled prediction, and one that is lost is forgotten")
  func unsettled() {
    var ledger = PredictionLedger()
    _ = ledger.prediction(of: attempt(1), by: Predictor())
    _ = ledger.prediction(of: attempt(2), by: Predictor())
    let retried = JobStore.FinishedAttempt(job: 1, kind: "ingest", status: "retried", seconds: 3)
    #expect(ledger.settle([retried], by: Predictor()).isEmpty)
    ledger.forget([retried], running: [attempt(2)])
    for _ in 0..<12 { ledger.forget([], running: []) }
    let late = JobStore.FinishedAttempt(job: 2, kind: "ingest", seconds: 3)
    #expect(ledger.settle([late], by: nil).isEmpty)
  }

  @Test("an attempt that began and ended between two looks is predicted by what was known before it ended")
  func unseen() {
    var predictor = Predictor()
    for _ in 0..<10 { predictor.learn(Autoscaling.FinishedJob(kind: "ingest", release: "7", seconds: 5)) }
    let short = JobStore.FinishedAttempt(job: 9, kind: "ingest", release: 7, seconds: 0.2)
    let settled = PredictionLedger().settle([short], by: predictor)
    #expect(settled.map(\.seconds.mean) == [5])
    #expect(settled.map(\.seconds.actual) == [0.2])
  }

  @Test("of very many that end in one look a few are kept, whatever they took, and stand for the others")
  func drawn() {
    let predictor = Predictor()
    var kept: [JobStore.SettledPrediction] = []
    for look in 0..<400 {
      // Three of four are short.
      let finished = (0..<40).map { number -> JobStore.FinishedAttempt in
        let job = Int64(look * 40 + number)
        return JobStore.FinishedAttempt(job: job, kind: job % 2 == 0 ? "a" : "b", seconds: job % 8 < 6 ? 1 : 60)
      }
      let settled = PredictionLedger().settle(finished, by: predictor)
      #expect(settled.count == PredictionLedger.maxSettled)
      #expect(settled.allSatisfy { $0.standsFor == 20 })
      kept += settled
    }
    #expect((0.65...0.85).contains(Double(kept.count { $0.seconds.actual == 1 }) / Double(kept.count)))
    let kinds = ["a", "b", "c", "d"].enumerated().map {
      JobStore.FinishedAttempt(job: Int64($0.offset), kind: $0.element, seconds: 1)
    }
    #expect(PredictionLedger().settle(kinds, by: predictor).map(\.standsFor) == [2, 2])
  }

  @Test("a start takes what nine of ten recent ones did not exceed")
  func starts() {
    let board = ScalingBoard()
    #expect(board.startSeconds == 2)
    for seconds in 1...40 { board.note(start: .seconds(seconds)) }
    #expect(board.startSeconds == 39, "of the last 20")
  }

  @Test("jobs that become ready wake only where there was nothing to do")
  func rings() async {
    let board = ScalingBoard()
    board.note(isQuiet: false)
    board.ring()
    board.note(isQuiet: true)
    board.ring()
    await board.rung.wait()
  }

  @Test("lanes that rang are taken once, however often they did")
  func rang() {
    let board = ScalingBoard()
    board.ring([1, 2])
    board.ring()
    board.ring([2, 3])
    #expect(board.takeRungLanes() == [1, 2, 3])
    #expect(board.takeRungLanes().isEmpty)
  }
}
