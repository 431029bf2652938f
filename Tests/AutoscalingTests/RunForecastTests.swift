import Testing

@testable import Autoscaling

@Suite("When a run is expected to end")
struct RunForecastTests {
  /// Jobs that have always taken 100 s and 2 GB each.
  private static let history = history(of: ["ingest", "curate", "load"])

  private static func history(of kinds: [String]) -> StepHistory {
    var history = StepHistory()
    for kind in kinds {
      for _ in 0..<20 { history.add(kind: kind, label: "a", seconds: 100, bytes: 2e9) }
    }
    return history
  }

  private static func run(
    id: Int64 = 1, priority: Int = 0, deadline: Double? = nil, maxRunning: Int? = nil, _ work: OpenRun.Work...
  ) -> OpenRun {
    OpenRun(
      id: id, pipeline: "p", release: "7", priority: priority, deadline: deadline, maxRunning: maxRunning, work: work)
  }

  private static func ready(_ jobs: Int, _ kind: String = "ingest", stage: Int = 0) -> OpenRun.Work {
    OpenRun.Work(stage: stage, kind: kind, label: "a", place: .ready, jobs: jobs)
  }

  private func forecast(
    _ run: OpenRun, among others: [OpenRun] = [], history: StepHistory = history, slots: Int = 2, start: Double = 10
  ) throws -> RunForecast {
    try RunForecast(
      of: run, among: others + [run], histories: ["p": history], slots: slots, startSeconds: start, now: 1000)
  }

  private static let spans: [(run: OpenRun, expected: Double)] = [
    (run(ready(1)), 1100.0), (run(ready(4)), 1200), (run(ready(5)), 1250),
    (run(ready(4), ready(1, "curate", stage: 1), ready(1, "load", stage: 2)), 1400),
    (run(OpenRun.Work(stage: 0, kind: "ingest", label: "a", place: .later(50))), 1150),
    (run(OpenRun.Work(stage: 0, kind: "ingest", label: "a", place: .running(seconds: 60, progress: nil))), 1040),
    (run(OpenRun.Work(stage: 0, kind: "ingest", label: "a", place: .running(seconds: 100, progress: 0.5))), 1055),
    (run(maxRunning: 1, ready(4)), 1400), (run(), 1000),
  ]

  @Test("the work of a stage is shared by the slots, and stages follow one another", arguments: spans)
  func mean(run: OpenRun, expected: Double) throws {
    let found = try forecast(run)
    #expect(abs(found.mean - expected) < 1)
    #expect(found.early <= found.mean && found.mean <= found.late)
    #expect(found.early >= 1000)
  }

  @Test("a run of few samples, or of values far apart, has a wider range; it holds for most of what comes")
  func range() throws {
    var few = StepHistory()
    few.add(kind: "ingest", label: "a", seconds: 100, bytes: nil)
    var wide = StepHistory()
    for seconds in stride(from: 10.0, through: 190, by: 10) {
      wide.add(kind: "ingest", label: "a", seconds: seconds, bytes: nil)
    }
    let (usual, rare, varied) = (
      try forecast(Self.run(Self.ready(1))), try forecast(Self.run(Self.ready(1)), history: few),
      try forecast(Self.run(Self.ready(1)), history: wide)
    )
    #expect(rare.late - rare.early > 1.5 * (usual.late - usual.early))
    #expect(varied.late - varied.early > 1.5 * (usual.late - usual.early))
    let held = stride(from: 10.0, through: 190, by: 10).count { varied.early - 1000 <= $0 && $0 <= varied.late - 1000 }
    #expect((15...19).contains(held), "about 80 % of 19 values: \(held)")
  }

  @Test("without history, or without a worker, nothing is claimed to be known")
  func unknown() throws {
    #expect(throws: RunForecast.Unknown.noHistory(kind: "curate")) {
      try forecast(
        Self.run(Self.ready(1), Self.ready(1, "curate", stage: 1)), history: Self.history(of: ["ingest"]))
    }
    #expect(throws: RunForecast.Unknown.noWorkers) { try forecast(Self.run(Self.ready(1)), slots: 0) }
    // A worker that runs one of its jobs is one.
    let running = OpenRun.Work(stage: 0, kind: "ingest", label: "a", place: .running(seconds: 50, progress: nil))
    #expect(abs(try forecast(Self.run(running), slots: 0).mean - 1050) < 1)
  }

  @Test("what a label has taken counts before what its kind has; a new label is as its kind")
  func labels() {
    var history = StepHistory()
    for _ in 0..<5 {
      history.add(kind: "ingest", label: "small", seconds: 10, bytes: nil)
      history.add(kind: "ingest", label: "large", seconds: 90, bytes: 5)
    }
    #expect(history.seconds(kind: "ingest", label: "small")?.mean == 10)
    #expect(history.seconds(kind: "ingest", label: "new")?.mean == 50)
    #expect(history.bytes(kind: "ingest", label: "new") == 5)
    #expect(history.seconds(kind: "load", label: "small") == nil)
  }

  @Test("runs that are worked on first put a run off, those that share with it less, later ones not at all")
  func others() throws {
    let own = Self.run(deadline: 5000, Self.ready(2))
    func mean(_ other: OpenRun) throws -> Double { try forecast(own, among: [other]).mean }
    #expect(abs(try mean(Self.run(id: 2, deadline: 4000, Self.ready(10))) - 1600) < 1)
    #expect(abs(try mean(Self.run(id: 2, priority: 1, Self.ready(10))) - 1600) < 1)
    #expect(abs(try mean(Self.run(id: 2, deadline: 5000, Self.ready(10))) - 1200) < 1)
    #expect(abs(try mean(Self.run(id: 2, deadline: 6000, Self.ready(10))) - 1100) < 1)
    #expect(abs(try mean(Self.run(id: 2, Self.ready(10))) - 1100) < 1)
    #expect(try forecast(own, among: [Self.run(id: 2, deadline: 5000, Self.ready(10))]).late > 1600)
    var foreign = Self.run(id: 2, deadline: 1, Self.ready(10))
    foreign.release = "8"
    #expect(abs(try mean(foreign) - 1100) < 1)
  }

  @Test("a late run says how many more slots and how much memory end it in time")
  func needs() throws {
    // 20 jobs of 100 s: 1,000 s with two slots; 10 s are the start of a worker.
    let late = try forecast(Self.run(deadline: 1510, Self.ready(20)))
    #expect(abs(late.lateSeconds - 490) < 1)
    #expect(late.moreSlots == 2)
    #expect(late.moreBytes == 4e9)
    #expect(late.needs == "needs 2 more slots, about 4 GB of memory")
    #expect(try forecast(Self.run(deadline: 1510, Self.ready(20)), slots: 4).lateSeconds == 0)
    #expect(try forecast(Self.run(deadline: 2100, Self.ready(20))).needs == nil)
    let hopeless = try forecast(Self.run(deadline: 1050, Self.ready(20)))
    #expect(hopeless.moreSlots == nil)
    #expect(hopeless.needs?.contains("more workers do not help") == true)
    let held = try forecast(Self.run(deadline: 1510, maxRunning: 1, Self.ready(20)))
    #expect(held.obstacle == .limit)
    #expect(held.needs?.contains("limits.concurrency") == true)
  }

  @Test("where nothing helps, the text says what is in the way")
  func obstacles() throws {
    // Thirty jobs that do not wait for each other: ten seconds are less than a worker needs to start.
    let start = try forecast(Self.run(deadline: 1105, Self.ready(30)))
    #expect(start.obstacle == .start)
    #expect(start.needs == "a worker that starts now comes too late to help")
    let passed = try forecast(Self.run(deadline: 990, Self.ready(30)))
    #expect(passed.obstacle == .passed && passed.lateSeconds > 1000)
    #expect(passed.needs == nil)
    let chain = try forecast(Self.run(deadline: 1150, Self.ready(1), Self.ready(1, "curate", stage: 1)))
    #expect(chain.obstacle == .chain)
  }

  @Test("memory that is none is not told")
  func noMemory() throws {
    var history = StepHistory()
    for _ in 0..<20 { history.add(kind: "ingest", label: "a", seconds: 100, bytes: 0) }
    let late = try forecast(Self.run(deadline: 1510, Self.ready(20)), history: history)
    #expect(late.needs == "needs 2 more slots")
  }

  @Test("numbers that are none give a range, never a trap")
  func hostile() throws {
    var history = StepHistory()
    for value in [Double.nan, .infinity, -1, 1e300, 0] {
      history.add(kind: "ingest", label: "a", seconds: value, bytes: value)
    }
    for deadline in [Double.nan, .infinity, -.infinity, 0, 1e300] {
      let run = Self.run(
        deadline: deadline, maxRunning: -3, Self.ready(Int(Int32.max)),
        OpenRun.Work(stage: 9, kind: "ingest", label: "a", place: .later(.nan)),
        OpenRun.Work(stage: 9, kind: "ingest", label: "a", place: .running(seconds: .infinity, progress: .nan)))
      let found = try forecast(run, history: history, slots: -5)
      #expect(found.early <= found.late)
    }
  }
}
