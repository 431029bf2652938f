/// Which workers go when there are more than wanted: those that start, then the idle ones, then those whose jobs lose least. A busy worker
/// is never stopped; it drains. Those that the last decision named go first: what jobs lose changes from one decision to the next, and a worker
/// that was named may already have been told to go.
struct Victims: Sendable {
  private(set) var stops: [Int64] = []
  private(set) var drains: [Int64] = []

  /// - Parameter leaving: Workers that the last decision named.
  init(_ inputs: ScalingInputs, wanted: [String: Int], leaving: Set<Int64> = []) {
    var loss: [Int64: Double] = [:]
    for job in inputs.running { loss[job.worker] = max(loss[job.worker] ?? 0, job.lossSeconds) }
    let releases = Dictionary(grouping: inputs.workers.filter { $0.state != .draining }, by: \.release)
    for (release, workers) in releases.sorted(by: { $0.key < $1.key }) {
      let excess = workers.count - max(0, wanted[release] ?? 0)
      guard excess > 0 else { continue }
      let idle = workers.filter { $0.busySlots <= 0 && loss[$0.worker] == nil }.sorted { left, right in
        let (isFirst, isSecond) = (leaving.contains(left.worker), leaving.contains(right.worker))
        return isFirst == isSecond ? Self.goesFirst(left, right) : isFirst
      }
      stops += idle.prefix(excess).map(\.worker)
      let busy = workers.filter { !($0.busySlots <= 0 && loss[$0.worker] == nil) }.sorted {
        (leaving.contains($0.worker) ? 0 : 1, loss[$0.worker] ?? 0, $0.worker)
          < (leaving.contains($1.worker) ? 0 : 1, loss[$1.worker] ?? 0, $1.worker)
      }
      drains += busy.prefix(max(0, excess - idle.count)).map(\.worker)
    }
  }

  /// A starting worker goes before an idle one, which could work at once; of idle ones the one that has been idle longest.
  private static func goesFirst(_ left: WorkerLoad, _ right: WorkerLoad) -> Bool {
    if (left.state == .starting) != (right.state == .starting) { return left.state == .starting }
    let first = Number.within(left.sinceSeconds, 0...Number.longestSeconds, otherwise: 0)
    let second = Number.within(right.sinceSeconds, 0...Number.longestSeconds, otherwise: 0)
    if first != second { return left.state == .starting ? first < second : first > second }
    return left.worker < right.worker
  }
}
