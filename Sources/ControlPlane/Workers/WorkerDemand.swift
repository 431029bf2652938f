import JobModel
import JobStore

/// How many workers each release needs on one host.
struct WorkerDemand: Equatable {
  /// By release; 0: of none. A release that is not in it needs none.
  private(set) var wanted: [Int64: Int] = [:]

  /// - Parameters:
  ///   - count: Of the release that takes the new runs.
  ///   - staging: How long a staged release keeps a worker without becoming anything.
  init(
    _ releases: [JobStore.ReleaseRecord], needs: [Int64: JobStore.ReleaseNeed], count: Int, staging: Duration
  ) {
    guard count > 0 else { return }
    let current = releases.first { $0.state == .current }
    wanted[current?.id ?? 0] = count
    for release in releases where release.state != .current {
      // The last one goes when its engine has nothing left to do.
      let isServed = needs[release.id]?.isServed == true
      // One is started before anything depends on the release; not for ever where its deploy was left.
      let isComing = release.state == .staged && release.secondsInState < staging.inSeconds
      if isServed || isComing || release.state == .canary { wanted[release.id] = 1 }
    }
  }

  /// Of releases that have something to do, one worker each that nobody else has one for.
  ///
  /// - Parameter others: Releases with a worker elsewhere, or for too short a time without one.
  init(lastOf releases: [JobStore.ReleaseRecord], needs: [Int64: JobStore.ReleaseNeed], others: Set<Int64>) {
    for release in releases where needs[release.id]?.isServed == true && !others.contains(release.id) {
      wanted[release.id] = 1
    }
  }

  /// As many as were decided, less those that other hosts have. A release that a deploy or a canary waits for has one at once.
  ///
  /// - Parameters:
  ///   - counts: By release; 0: of none.
  ///   - elsewhere: Workers that this launcher cannot reach, by release.
  init(
    decided counts: [Int64: Int], elsewhere: [Int64: Int], releases: [JobStore.ReleaseRecord], staging: Duration
  ) {
    wanted = counts
    for release in releases {
      let isComing = release.state == .staged && release.secondsInState < staging.inSeconds
      if isComing || release.state == .canary { wanted[release.id] = max(1, wanted[release.id] ?? 0) }
    }
    for (release, count) in elsewhere { wanted[release] = wanted[release].map { max(0, $0 - count) } }
  }

  /// Of workers that run, those that are too many: never one that has work in hand.
  func surplus(_ workers: [WorkerRecord]) -> [WorkerRecord] {
    Dictionary(grouping: workers) { $0.releaseID ?? 0 }.flatMap { release, workers in
      let excess = workers.count - (wanted[release] ?? 0)
      return excess > 0 ? Array(workers.filter { $0.busy == 0 }.suffix(excess)) : []
    }
  }
}
