import JobModel
import JobStore

/// How many workers each release needs on one host.
struct WorkerDemand: Equatable {
  /// By release; 0: of none. A release that is not in it needs none.
  private(set) var wanted: [Int64: Int] = [:]

  /// - Parameter count: Of the release that takes the new runs.
  init(
    _ releases: [JobStore.ReleaseRecord], work: [Int64: JobStore.ReleaseWork], count: Int, staging: Duration
  ) {
    let current = releases.first { $0.state == .current }
    wanted[current?.id ?? 0] = count
    guard count > 0 else { return }
    for release in releases {
      switch release.state {
      case .canary: wanted[release.id] = 1
      // One is started before anything depends on the release; not for ever where its deploy was left.
      case .staged where release.secondsInState < staging.inSeconds: wanted[release.id] = 1
      // The last one goes when nothing is left to do.
      case .draining, .rejected: if (work[release.id]?.jobs ?? 0) > 0 { wanted[release.id] = 1 }
      case .staged, .current, .drained, .implicit, .retired: break
      }
    }
  }

  /// Of workers that run, those that are too many: never one that has work in hand.
  func surplus(_ workers: [WorkerRecord]) -> [WorkerRecord] {
    Dictionary(grouping: workers) { $0.releaseID ?? 0 }.flatMap { release, workers in
      let excess = workers.count - (wanted[release] ?? 0)
      return excess > 0 ? Array(workers.filter { $0.busy == 0 }.suffix(excess)) : []
    }
  }
}
