/// The policy's constants. The defaults are what is shipped; trials in the simulator chose them.
package struct ScalingSettings: Sendable, Equatable, Codable {
  /// κ: how much more capacity than the prediction asks for.
  package var headroom = 1.2
  /// The part of the arrivals without deadlines that has workers at once. The backlog of the rest asks for them: so the workers are never idle,
  /// and a job waits for (1 − this) × T_catch, five minutes, on average.
  package var arrivalShare = 2.0 / 3
  /// T_catch: how soon a backlog without deadlines is to be gone.
  package var catchUpSeconds = 900.0
  /// Down only to the highest need of this many start-up times.
  package var holdStarts = 6.0
  /// An idle worker goes after this many start-up times, whatever was needed lately: waiting for longer costs more than a start.
  package var idleStarts = 0.75
  /// How many standard deviations of predictions and arrivals deadlines keep free.
  package var chanceWidths = 1.0
  /// How long it is remembered that workers found nothing to claim next to ready jobs.
  package var fillSeconds = 600.0
  /// Measurements that are older hold the count.
  package var staleSeconds = 60.0
  /// How soon work whose deadline has passed, or that no new worker can meet, is to be done.
  package var lateCatchUpSeconds = 120.0

  /// z of the chance constraint, and the share of the memory limit that is given out.
  package var memoryWidths = 2.0
  package var memoryShare = 0.95
  /// A job that has waited longer for room no longer lets others use it ahead, whatever the predictions say.
  package var admissionPatienceSeconds = 1800.0

  /// Pressure (share of time) that stops heavy claims, that ends this, and that makes jobs yield.
  package var pressureHolds = 0.10
  package var pressureReleases = 0.05
  package var pressureYields = 0.25
  /// One job yields at a time: pressure is an average over 10 seconds, and shows what a yield brought after that.
  package var yieldEverySeconds = 15.0

  /// A scale-up that brought less than this share of its promise freezes the count, for this long at first.
  package var promiseShare = 0.25
  package var freezeSeconds = 600.0
  package var longestFreezeSeconds = 3600.0

  /// What is expected of a job that nothing is known of.
  package var coldStartSeconds = Estimate(mean: 60, deviation: 60, high: 300)
  package var coldStartBytes = Estimate(mean: 0x1p29, deviation: 0x1p28, high: 0x1p30)
  /// The width of a prediction that came with the job, as a share of it, until finished jobs show it.
  package var statedSecondsWidth = 0.4
  package var statedMemoryWidth = 0.3

  package init() {}
}
