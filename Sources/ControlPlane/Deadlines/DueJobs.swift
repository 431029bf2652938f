import Autoscaling
import JobStore

/// The jobs of open runs with a deadline, as a decision about the number of workers needs them. Pure.
///
/// A job is due so much before its run as the stages behind it are expected to take.
struct DueJobs: Sendable {
  /// Jobs of one step of one run at the same place.
  struct Step: Sendable {
    var lane: JobStore.LaneKind
    /// Whether they could run now.
    var isReady: Bool
    /// Since 1970, in seconds.
    var deadline: Double
    /// Of one of them.
    var seconds: Estimate
    var jobs: Int
  }

  struct Running: Sendable {
    var deadline: Double
    /// Nil: its pipeline has no history of it.
    var seconds: Estimate?
  }

  private static let stages = ["ingest", "curate", "load"]

  private(set) var steps: [Step] = []
  /// By the number of the job.
  private(set) var running: [Int64: Running] = [:]
  /// The earliest deadline of each pipeline.
  private(set) var deadlines: [String: Double] = [:]

  init() {}

  /// - Parameter predict: What is expected of a job by its lane, where its pipeline has no history of it.
  init(
    _ runs: [JobStore.OpenRunRecord], histories: [String: StepHistory], predict: (JobStore.LaneKind) -> Estimate
  ) {
    for run in runs {
      guard let due = run.deadlineSeconds else { continue }
      deadlines[run.pipeline] = min(due, deadlines[run.pipeline] ?? due)
      let history = histories[run.pipeline]
      let jobs = run.jobs.map { job in
        let lane = JobStore.LaneKind(
          lane: job.lane, engine: job.engine, pipeline: run.pipeline, stage: job.stage, urgencyClass: job.urgencyClass,
          kind: job.kind)
        return (job: job, lane: lane, known: history?.seconds(kind: job.kind, label: job.label))
      }
      var longest: [Int: Double] = [:]
      for each in jobs {
        let seconds = each.known ?? predict(each.lane)
        longest[Self.rank(each.lane.stage), default: 0] = max(longest[Self.rank(each.lane.stage)] ?? 0, seconds.mean)
      }
      var most: Int?
      for each in jobs {
        let behind = longest.filter { $0.key > Self.rank(each.lane.stage) }.values.reduce(0, +)
        if each.job.place == .running {
          running[each.job.job] = Running(deadline: due - behind, seconds: each.known)
          continue
        }
        most = most ?? steps.count
        add(
          Step(
            lane: each.lane, isReady: each.job.place == .ready, deadline: due - behind,
            seconds: each.known ?? predict(each.lane), jobs: 1))
      }
      // Of a run with more jobs than are looked at, the others are taken to be like the first of these.
      let more = run.pending - run.jobs.count
      if more > 0, let most { steps[most].jobs += more }
    }
  }

  private static func rank(_ stage: String) -> Int { stages.firstIndex(of: stage) ?? 0 }

  /// Jobs that follow one another and are alike are one step.
  private mutating func add(_ step: Step) {
    if let last = steps.last, last.lane == step.lane, last.isReady == step.isReady, last.deadline == step.deadline,
      last.seconds == step.seconds
    {
      steps[steps.count - 1].jobs += step.jobs
    } else {
      steps.append(step)
    }
  }
}

/// Jobs of one lane, by the time at which they are due.
struct DueClasses: Sendable {
  private struct Sums: Sendable {
    var jobs = 0
    var seconds = 0.0
    var squares = 0.0
    var longest = 0.0
  }

  private var sums: [Double: Sums] = [:]
  var jobs: Int { sums.values.reduce(0) { $0 + $1.jobs } }

  mutating func add(_ step: DueJobs.Step) {
    var sum = sums[step.deadline] ?? Sums()
    let (mean, deviation) = (step.seconds.mean, step.seconds.deviation)
    sum.jobs += step.jobs
    sum.seconds += mean * Double(step.jobs)
    sum.squares += (mean * mean + deviation * deviation) * Double(step.jobs)
    sum.longest = max(sum.longest, mean)
    sums[step.deadline] = sum
  }

  func classes(memoryBytes: Estimate) -> [QueuedClass] {
    sums.sorted { $0.key < $1.key }.map { deadline, sum in
      let mean = sum.seconds / Double(sum.jobs)
      let deviation = max(0, sum.squares / Double(sum.jobs) - mean * mean).squareRoot()
      return QueuedClass(
        deadline: deadline, jobs: sum.jobs,
        seconds: Estimate(mean: mean, deviation: deviation, high: max(mean, sum.longest)), memoryBytes: memoryBytes)
    }
  }
}
