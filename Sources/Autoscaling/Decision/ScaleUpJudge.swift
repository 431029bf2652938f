/// Compares what a scale-up brought with what it promised. One that brought too little freezes the count: more workers then wait for the same
/// thing, and only make it slower.
///
/// The promise of n more busy slots is n times the work per second of a slot before. Chance is left out: only what two standard
/// deviations do not explain is a broken promise; where the jobs are of very different length, chance is wider. A time in which nothing ran
/// begins a new comparison: the work before it says nothing of the work after it. A freeze ends by itself, and a quarter more workers are tried; when these bring nothing
/// either, the next freeze lasts twice as long.
struct ScaleUpJudge: Sendable {
  var history: ScalingHistory
  private let now: Double
  private let start: Double
  private let settings: ScalingSettings
  private var meanSeconds = 60.0
  private var width = 0.5

  init(history: ScalingHistory, now: Double, start: Double, settings: ScalingSettings) {
    self.history = history
    self.now = now
    self.start = start
    self.settings = settings
  }

  /// Long enough for some jobs of the usual size.
  private var window: Double { min(max(60, start, 3 * meanSeconds), 600) }

  /// What may not be exceeded now.
  var freeze: (workers: Int, cause: WaitCause?)? {
    guard let freeze = history.freeze else { return nil }
    let more = now < freeze.until ? 0 : max(1, freeze.workers / 4)
    return (freeze.workers + more, freeze.cause)
  }

  /// Takes the work that was done until now, and judges the promise that is due.
  mutating func measure(_ inputs: ScalingInputs, summary: WorkSummary) {
    if summary.meanSeconds > 0 {
      meanSeconds = summary.meanSeconds
      width = min(max(width, summary.secondsWidth / summary.meanSeconds), 3)
    }
    guard let work = inputs.throughput.workSeconds, work.isFinite, work >= 0 else {
      history.samples = []
      history.promise = nil
      if let freeze = history.freeze, now >= freeze.until { history.freeze = nil }
      return
    }
    if summary.busySlots == 0 || history.samples.last.map({ $0.workSeconds > work }) ?? false {
      history.samples = []
      history.promise = nil
    }
    if summary.busySlots > 0, now - (history.samples.last?.seconds ?? -.infinity) >= 10 {
      history.samples.append(.init(seconds: now, workSeconds: work, busySlots: Double(summary.busySlots)))
      if history.samples.count > ScalingHistory.maxSamples { history.samples.removeFirst() }
    }
    if let promise = history.promise, now >= promise.judgedAt { judge(promise, inputs) }
    release(summary)
  }

  /// Ends a freeze that nothing needs any more: the fleet has become smaller, or its time is over and nothing is promised.
  private mutating func release(_ summary: WorkSummary) {
    guard let freeze = history.freeze, summary.busySlots == 0, now >= freeze.until else { return }
    history.freeze = nil
  }

  private mutating func judge(_ promise: ScaleUpPromise, _ inputs: ScalingInputs) {
    history.promise = nil
    guard let after = rate(), promise.slotsBefore >= 2 else { return }
    let more = after.slots - promise.slotsBefore
    guard more >= max(1, 0.2 * promise.slotsBefore) else { return }
    let perSlot = promise.rateBefore / promise.slotsBefore
    let gained = after.rate - promise.rateBefore
    // Finished jobs within the window, before and after: the fewer, the more is chance.
    let jobs = max(1, promise.slotsBefore * window / meanSeconds)
    let jobsAfter = max(1, after.slots * window / meanSeconds)
    let chance =
      width
      * (promise.rateBefore * promise.rateBefore / jobs + after.rate * after.rate / jobsAfter).squareRoot()
    if gained + 2 * chance < settings.promiseShare * perSlot * more {
      let length = history.freeze.map { min(2 * ($0.until - $0.since), settings.longestFreezeSeconds) }
      let workers = inputs.workers.count { $0.state != .draining }
      history.freeze = ScalingFreeze(
        since: now, until: now + (length ?? settings.freezeSeconds), cause: Self.cause(inputs.throughput),
        workers: workers)
    } else {
      history.freeze = nil
    }
  }

  /// Notes a scale-up; several within the same time are judged together.
  mutating func promise(_ wanted: Int, summary: WorkSummary, start: Double) {
    let workers = summary.releases.reduce(0) { $0 + $1.workers }
    guard wanted > workers, !history.samples.isEmpty else { return }
    let judged = now + start + window
    if let promise = history.promise {
      let latest = promise.madeAt + 3 * (start + window)
      history.promise?.judgedAt = min(judged, latest)
    } else if let before = rate(), before.slots >= 2 {
      history.promise = ScaleUpPromise(
        madeAt: now, judgedAt: judged, slotsBefore: before.slots, rateBefore: before.rate)
    }
  }

  /// Work per second and busy slots, over the last window. Nil: it was not measured for so long.
  private func rate() -> (rate: Double, slots: Double)? {
    guard let last = history.samples.last else { return nil }
    let recent = history.samples.filter { $0.seconds >= now - window - 10 }
    guard let first = recent.first, last.seconds - first.seconds >= window * 0.7 else { return nil }
    let slots = recent.reduce(0) { $0 + $1.busySlots } / Double(recent.count)
    return ((last.workSeconds - first.workSeconds) / (last.seconds - first.seconds), slots)
  }

  /// What the jobs waited for most. Nil: for nothing that is known.
  private static func cause(_ throughput: Throughput) -> WaitCause? {
    let known = throughput.waits.filter { $0.value.isFinite && $0.value > 0.05 }
    return known.max { ($0.value, $0.key.rawValue) < ($1.value, $1.key.rawValue) }?.key
  }
}
