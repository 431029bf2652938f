/// One reason for a count. ``description`` is what `sluice scale` prints.
package enum ScalingReason: Sendable, Equatable {
  case deadlines(workers: Int, inSeconds: Double)
  case backlog(workers: Int)
  case arrivals(workers: Int)
  case minimum(Int)
  case pinned(release: String)
  /// Never more than can run now.
  case runnable(slots: Int)
  /// Down only to what was needed lately.
  case recentlyNeeded(workers: Int)
  case stale(ageSeconds: Double)
  case override(workers: Int, reason: String, expiresInSeconds: Double)
  case frozen(cause: WaitCause?)
  case limited(ScalingLimit)
  case idle
}

/// What keeps the count below what the work asks for.
package enum ScalingLimit: Sendable, Equatable {
  case maximum(Int)
  case memory(bytes: Double, workers: Int)
  case connections(Int)
  case budget(hours: Double, workers: Int, renewsInSeconds: Double)
  /// Workers are idle next to ready jobs: memory or a limit of concurrency keeps these from starting.
  case claimable(workers: Int)
  /// A job alone needs more memory than the limit. It cannot run at all.
  case jobTooLarge(kind: String, bytes: Double)
  case frozen(cause: WaitCause?, workers: Int)
  /// ``ScalingLimits/maxWorkers`` is below one worker for each pinned release.
  case pinnedReleases(needed: Int, maximum: Int)
}
