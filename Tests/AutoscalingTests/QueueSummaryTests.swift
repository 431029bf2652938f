import Testing

@testable import Autoscaling

@Suite("Summary of a queue")
struct QueueSummaryTests {
  private func job(_ seconds: Double, due: Double?, kind: String = "curate") -> QueueSummary.Job {
    QueueSummary.Job(
      release: "r1", kind: kind, stage: "curate", deadline: due, seconds: Estimate(mean: seconds, deviation: 3),
      memoryBytes: Estimate(exactly: 1e9))
  }

  @Test("jobs with about the same deadline are one class, with the earliest of them")
  func classes() throws {
    var summary = QueueSummary(seconds: 1_000)
    for index in 0..<1_000 { summary.add(job(index % 2 == 0 ? 50 : 70, due: 11_000 + Double(index) / 100)) }
    summary.add(job(500, due: nil))
    summary.add(job(20, due: 900))
    summary.add(job(20, due: .nan))
    let lane = try #require(summary.lanes().first)
    #expect(lane.queued.count == 3)
    #expect(lane.queued.map(\.jobs) == [1, 1_000, 2])
    #expect(lane.queued.map(\.deadline) == [900, 11_000, nil])
    #expect(lane.queued[1].seconds.mean == 60)
    // Between the jobs 10, and 3 of each estimate.
    #expect(abs(lane.queued[1].seconds.deviation * lane.queued[1].seconds.deviation - 109) < 1e-6)
    #expect(lane.queued[1].seconds.high == 70)
  }

  @Test("a class is at most a twentieth of the time that is left wide, from seconds to years")
  func width() {
    var summary = QueueSummary(seconds: 0)
    var due = 60.0
    while due < 1e8 {
      summary.add(job(1, due: due))
      due *= 1.001
    }
    for one in summary.lanes()[0].queued {
      let last = (one.deadline ?? 0) * pow(1.001, one.jobs - 1)
      #expect(last < (one.deadline ?? 0) * 1.05)
    }
  }

  private func pow(_ base: Double, _ count: Int) -> Double { (0..<count).reduce(1) { result, _ in result * base } }

  @Test("arrivals are counted for 5 and 30 minutes, with their mean and the 10th percentile of their slack")
  func arrivals() {
    var summary = QueueSummary(seconds: 10_000)
    for index in 0..<100 {
      summary.addArrival(
        release: "r1", kind: "curate", stage: "curate", ageSeconds: Double(index) * 20, seconds: 30,
        slackSeconds: 1_000 + Double(index))
    }
    let arrivals = summary.lanes()[0].arrivals
    #expect(arrivals.jobs5Minutes == 15)
    #expect(arrivals.jobs30Minutes == 90)
    #expect(arrivals.meanSeconds == 30)
    #expect(arrivals.slackSecondsP10 == 1_009)
  }

  @Test("however many jobs a lane has, they are a few classes")
  func many() {
    let lanes = (0..<200).map { "k\($0)" }
    var summary = QueueSummary(seconds: 0)
    for index in 0..<20_000 { summary.add(job(60, due: Double(index % 3) * 1_000 + 500, kind: lanes[index % 200])) }
    let summarised = summary.lanes()
    #expect(summarised.count == 200)
    #expect(summarised.allSatisfy { $0.queued.count <= 3 })
    #expect(summarised.reduce(0) { $0 + $1.queued.reduce(0) { $0 + $1.jobs } } == 20_000)
  }
}
