@testable import Autoscaling

/// Inputs of one release, as short as a test wants them.
enum ScalingWorld {
  static let release = "r1"
  static let gigabyte = 1e9

  static func inputs(
    at seconds: Double = 10_000, max: Int = 60, memory: Double? = nil, slots: Int = 1, start: Double = 45
  ) -> ScalingInputs {
    var inputs = ScalingInputs(seconds: seconds)
    inputs.limits = ScalingLimits(maxWorkers: max, memoryBytes: memory, slotsPerWorker: slots)
    inputs.startSeconds = start
    return inputs
  }

  /// Jobs that are due `within` seconds after `now`; nil: without a deadline.
  static func lane(
    _ jobs: Int, of seconds: Double = 60, within slack: Double? = nil, now: Double = 10_000, memory: Double = 0,
    release: String = release, kind: String = "curate"
  ) -> LaneLoad {
    var lane = LaneLoad(release: release, kind: kind, stage: "curate")
    lane.queued = [
      QueuedClass(
        deadline: slack.map { now + $0 }, jobs: jobs, seconds: Estimate(exactly: seconds),
        memoryBytes: Estimate(exactly: memory))
    ]
    return lane
  }

  /// `count` ready workers from number `first` on, each with a job that is at its beginning.
  static func busy(
    _ count: Int, in inputs: inout ScalingInputs, from first: Int64 = 1, of seconds: Double = 60, memory: Double = 0,
    release: String = release, deadline: Double? = nil
  ) {
    for number in first..<first + Int64(count) {
      inputs.workers.append(WorkerLoad(worker: number, release: release, state: .ready, busySlots: 1))
      var job = RunningJob(
        job: 1_000 + number, release: release, kind: "curate", worker: number, deadline: deadline, elapsedSeconds: 0,
        seconds: Estimate(exactly: seconds), memoryBytes: Estimate(exactly: memory))
      job.sinceCheckpointSeconds = Double(number)
      inputs.running.append(job)
    }
  }

  static func idle(
    _ count: Int, in inputs: inout ScalingInputs, from first: Int64 = 500, for seconds: Double = 5,
    release: String = release
  ) {
    for number in first..<first + Int64(count) {
      var worker = WorkerLoad(worker: number, release: release, state: .ready)
      worker.sinceSeconds = seconds
      inputs.workers.append(worker)
    }
  }
}
