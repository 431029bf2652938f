import FleetSimulation

#if canImport(Glibc)
  import Glibc
#endif

/// Draws a trace from its name: the same name gives the same trace on every machine.
struct TraceMaker {
  /// Of all traces that a seed draws: a fleet of some dozens, jobs of about a minute.
  private(set) var trace: ScalingTrace
  private var chance: FleetChance
  private let seconds: Double

  /// A family of jobs: how long they run, what they need, and how well both are predicted.
  struct Work {
    var kind: String
    var seconds: Double
    /// Of the logarithm.
    var spread: Double
    var memoryGB: Double
    var memorySpread = 0.25
    var errorSpread = 0.25
    var memoryErrorSpread = 0.1
  }

  init(name: String, seconds: Double) {
    self.seconds = seconds
    chance = FleetChance(name: name)
    trace = ScalingTrace(
      header: .init(
        trace: name, seconds: seconds, startSeconds: [20, 45, 90][chance.index(below: 3)], memoryGB: 64,
        checkpointSeconds: 120, graceSeconds: 30, maxWorkers: 60), jobs: [])
  }

  // MARK: Shapes

  /// More by day than by night.
  mutating func addDay(slack: Double) {
    let mean = between(0.08, 0.2)
    let peakAt = between(0.4, 0.7)
    let work = [
      Work(kind: "ingest", seconds: between(20, 40), spread: 0.4, memoryGB: 0.4),
      Work(kind: "curate", seconds: between(50, 90), spread: 0.5, memoryGB: 1.2),
    ]
    arrive(
      rate: { mean * (1 - 0.9 * cos(2 * .pi * ($0 / 86_400 - peakAt + 0.5))) }, most: mean * 1.9,
      add: { maker, at in
        let work = work[maker.chance.index(below: 2)]
        maker.add(work, at: at, slack: max(slack, 0) * maker.between(0.9, 1.3))
      })
  }

  /// Urgent, patient and work without a deadline next to each other.
  mutating func addMixed() {
    let work = [
      (Work(kind: "ingest", seconds: 25, spread: 0.4, memoryGB: 0.4), 300.0 as Double?, 0.5),
      (Work(kind: "curate", seconds: 80, spread: 0.6, memoryGB: 1.5), 3_600, 0.3),
      (Work(kind: "load", seconds: 240, spread: 0.5, memoryGB: 1), 21_600, 0.1),
      (Work(kind: "compact", seconds: 120, spread: 0.8, memoryGB: 2), nil, 0.1),
    ]
    let mean = between(0.08, 0.14)
    arrive(
      rate: { mean * (1 + 0.6 * sin(2 * .pi * $0 / 86_400)) }, most: mean * 1.6,
      add: { maker, at in
        var draw = maker.chance.fraction()
        let part = work.first { part in
          draw -= part.2
          return draw < 0
        }
        guard let (work, slack, _) = part else { return }
        maker.add(work, at: at, slack: slack.map { $0 * maker.between(0.8, 1.4) })
      })
  }

  /// A batch at night: heavy-tailed, near the limit of memory, due in the morning.
  mutating func addNight() {
    let begin = seconds * 0.05
    let due = seconds * between(0.3, 0.36)
    let heavy = Work(
      kind: "curate", seconds: 150, spread: 1.1, memoryGB: 3.2, memorySpread: 0.8, errorSpread: 0.35,
      memoryErrorSpread: 0.2)
    let light = Work(kind: "ingest", seconds: 40, spread: 0.5, memoryGB: 0.5)
    // As much heavy work as 0.7 of the memory can do until it is due: 3.2 GB × e^(0.8²/2), and 150 s × e^(1.1²/2).
    let heavyJobs = (0.7 * trace.header.memoryGB * (due - begin) / (150 * 1.83 * 3.2 * 1.38)).rounded()
    for _ in 0..<Int(heavyJobs) {
      add(heavy, at: begin + between(0, 1800 * seconds / 86_400), deadline: due, mostMemoryGB: 40, mostSeconds: 7_200)
    }
    for _ in 0..<Int(heavyJobs) { add(light, at: begin + between(0, 3600 * seconds / 86_400), deadline: due) }
    sort()
  }

  /// Hundreds of jobs at once, some times a day.
  mutating func addSpikes() {
    let work = Work(kind: "ingest", seconds: between(25, 50), spread: 0.4, memoryGB: 0.5)
    let rest = between(0.01, 0.03)
    arrive(
      rate: { _ in rest }, most: rest, add: { maker, at in maker.add(work, at: at, slack: maker.between(900, 1_500)) })
    for _ in 0..<8 {
      let at = between(0, seconds * 0.95)
      let count = 100 + chance.index(below: 300)
      for _ in 0..<count { add(work, at: at + between(0, 30), slack: between(1_200, 2_400)) }
    }
    sort()
  }

  /// Ten minutes of load, ten minutes without.
  mutating func addSawtooth() {
    let work = Work(kind: "ingest", seconds: between(30, 60), spread: 0.4, memoryGB: 0.8)
    let most = between(0.3, 0.5)
    arrive(
      rate: { $0.truncatingRemainder(dividingBy: 1200) < 600 ? most : 0.005 }, most: most,
      add: { maker, at in
        maker.add(work, at: at, slack: maker.between(600, 900))
      })
  }

  mutating func addGaps() {
    for _ in 0..<3 { addEvent(.metricsGap, at: between(0.1, 0.85) * seconds, seconds: between(600, 1_800)) }
  }

  mutating func addCrashes() {
    for _ in 0..<2 {
      addEvent(.crash, at: between(0.3, 0.7) * seconds, seconds: between(300, 900), count: 10 + chance.index(below: 20))
    }
  }

  mutating func addDeploy() {
    let hours = trace.jobs.reduce(into: [Int: Int]()) { $0[Int($1.at / 3600), default: 0] += 1 }
    let peak = hours.max { ($0.value, $1.key) < ($1.value, $0.key) }?.key ?? 12
    addEvent(.deploy, at: Double(peak) * 3600 + 1_800, seconds: 300)
  }

  // MARK: Draws

  private mutating func addEvent(
    _ kind: ScalingTrace.Event.Kind, at: Double, seconds length: Double, count: Int? = nil
  ) {
    trace.events.append(.init(at: Self.tenth(at), kind: kind, seconds: Self.tenth(length), count: count))
    trace.events.sort { $0.at < $1.at }
  }

  /// A Poisson process by thinning.
  private mutating func arrive(
    rate: (Double) -> Double, most: Double, add: (inout TraceMaker, Double) -> Void
  ) {
    var at = 0.0
    while true {
      at -= log(1 - chance.fraction()) / most
      guard at < seconds else { break }
      if chance.fraction() * most < rate(at) { add(&self, at) }
    }
    sort()
  }

  private mutating func add(
    _ work: Work, at: Double, slack: Double? = nil, deadline: Double? = nil, mostMemoryGB: Double = 16,
    mostSeconds: Double = 3_600
  ) {
    // A deadline that a job alone cannot meet says nothing of a policy.
    let longest = min(mostSeconds, slack.map { $0 * 0.5 } ?? mostSeconds)
    let length = min(max(1, work.seconds * exp(work.spread * normal())), longest)
    let memory = min(max(0.05, work.memoryGB * exp(work.memorySpread * normal())), mostMemoryGB)
    trace.jobs.append(
      .init(
        at: Self.tenth(at), kind: work.kind, seconds: Self.tenth(length), memoryGB: Self.hundredth(memory),
        deadline: (deadline ?? slack.map { at + $0 }).map(Self.tenth),
        predictedSeconds: max(0.1, Self.tenth(length * exp(work.errorSpread * normal()))),
        predictedMemoryGB: max(0.01, Self.hundredth(memory * exp(work.memoryErrorSpread * normal())))))
  }

  private mutating func sort() {
    // By position where two are the same: the sort of the standard library may change.
    trace.jobs = trace.jobs.enumerated().sorted { ($0.element.at, $0.offset) < ($1.element.at, $1.offset) }
      .map(\.element)
  }

  private mutating func between(_ low: Double, _ high: Double) -> Double { low + (high - low) * chance.fraction() }

  private mutating func normal() -> Double {
    (-2 * log(1 - chance.fraction())).squareRoot() * cos(2 * .pi * chance.fraction())
  }

  private static func tenth(_ value: Double) -> Double { (value * 10).rounded() / 10 }
  private static func hundredth(_ value: Double) -> Double { (value * 100).rounded() / 100 }
}
