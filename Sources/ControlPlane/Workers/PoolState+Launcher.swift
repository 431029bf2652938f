import JobModel
import JobStore
import Launchers

/// What a pool makes of its launcher's answers, and of a launcher that is slow, refuses, or whose answers are lost.
extension PoolState {
  /// A start is under way.
  mutating func ask(_ launch: Launch, at now: Instant) { asked[launch] = Asked(at: now) }

  /// A worker exists.
  ///
  /// - Parameter launch: Its start, unless that was settled without the answer.
  mutating func launched(_ worker: WorkerHandle, of release: Int64, at now: Instant, as launch: Launch? = nil) {
    var start = Start(release: release, at: now, answeredAt: now)
    if let launch {
      guard let asked = asked.removeValue(forKey: launch) else { return }
      start.at = asked.at
    }
    starts[worker] = start
  }

  mutating func launchFailed(of release: Int64, because reason: String, at now: Instant) -> [Step] {
    failed(release, because: reason, at: now)
  }

  /// A start has failed, or its answer was lost.
  mutating func launchFailed(
    _ launch: Launch, because reason: String, doubt: LauncherError.Doubt, at now: Instant
  ) -> [Step] {
    guard let start = asked[launch] else { return [] }
    if doubt == .unknown {
      asked[launch]?.doubt = (reason, now)
      return []
    }
    asked[launch] = nil
    return failed(start, of: launch.release, because: reason, isOfRelease: doubt == .none, at: now)
  }

  /// Of starts that were asked for together one failure is counted.
  private mutating func failed(
    _ start: Asked, of release: Int64, because reason: String, isOfRelease: Bool, at now: Instant
  ) -> [Step] {
    if let last = failedAt[release], start.at <= last {
      reasons[release] = reason
      return []
    }
    let steps = failed(release, because: reason, at: now)
    return isOfRelease ? steps : []
  }

  /// A worker could not be stopped; it is tried again.
  mutating func notStopped(_ worker: WorkerHandle, because reason: String, at now: Instant) {
    stopTrouble = reason
    dismissed.remove(worker)
    unstoppable[worker] = now + Self.stopPause
  }

  /// A worker was stopped, or is gone.
  mutating func stopped() { stopTrouble = nil }

  /// The launcher listed its workers, or did not for a reason.
  mutating func listed(trouble: String?) { listTrouble = trouble }

  /// Another process decides, and uses the launcher.
  mutating func standBack(_ look: Look) -> [Step] {
    (starts, asked, strangers, seen, failures, listTrouble, stopTrouble) = (
      [:], [:], [:], [], [:], nil, nil
    )
    (isQuiet, isBlind) = (false, false)
    let rings: [Step] = begins(look) ? [.ring] : []
    return rings + (look.allotment == nil ? [] : [.tell(.notNeeded)])
  }

  /// Starts without an answer whose worker has registered, or that a list has or has not.
  mutating func settle(_ look: Look) -> [Step] {
    guard !asked.isEmpty else { return [] }
    let registered = Dictionary(look.fleet.compactMap { worker in worker.launch.map { ($0, worker.id) } }) { $1 }
    let listed = Dictionary(
      look.listing?.workers.compactMap { each in each.launch.map { ($0, each.handle) } } ?? []
    ) { $1 }
    var steps: [Step] = []
    for (launch, start) in asked.sorted(by: { $0.value.at < $1.value.at }) {
      if let handle = registered[launch.id].flatMap({ look.handles[$0] }) {
        launched(handle, of: launch.release, at: look.now, as: launch)
        continue
      }
      guard let doubt = start.doubt else { continue }
      if let listing = look.listing, listing.begunAt > doubt.since {
        if let handle = listed[launch] {
          launched(handle, of: launch.release, at: look.now, as: launch)
          continue
        }
      } else if start.at.duration(to: look.now) <= patience {
        continue
      }
      asked[launch] = nil
      steps += failed(start, of: launch.release, because: doubt.reason, isOfRelease: false, at: look.now)
    }
    return steps
  }

  /// Workers that the launcher has and that this pool did not start: those that come are counted, those that are left are stopped.
  mutating func adopt(_ look: Look) -> [Step] {
    let registered = Set(look.handles.values)
    unstoppable = unstoppable.filter { $0.value > look.now }
    guard aim == .scaled, let listing = look.listing else { return [] }
    let listed = Set(listing.workers.map(\.handle))
    seen = seen.union(registered).intersection(listed.union(registered))
    strangers = strangers.filter { listed.contains($0.key) && !registered.contains($0.key) && starts[$0.key] == nil }
    var steps: [Step] = []
    for each in listing.workers where !registered.contains(each.handle) && starts[each.handle] == nil {
      if let launch = each.launch, asked[launch] != nil { continue }
      guard strangers[each.handle] == nil else { continue }
      if let launch = each.launch, !seen.contains(each.handle), listing.registered?.contains(launch.id) != true {
        starts[each.handle] = Start(release: launch.release, at: look.now, answeredAt: listing.begunAt)
        steps.append(
          .log("a worker is coming that was launched before", each.handle, release: launch.release, isError: false))
      } else {
        strangers[each.handle] = look.now
      }
    }
    for (worker, since) in strangers where since.duration(to: look.now) >= Self.strangerPatience {
      strangers[worker] = look.now
      steps += [
        .log("a worker that does not work is stopped", worker, release: 0, isError: false), .drain(worker),
      ]
    }
    return steps
  }

  /// Whether a worker that was launched has ended, by a list that is newer than its start, or, where only the database sees it, because it
  /// is registered no more.
  func isMissing(_ worker: WorkerHandle, _ start: Start, _ look: Look, isRegistered: Bool) -> Bool {
    if isRegistered { return false }
    if start.hasRegistered { return isShared }
    guard let listing = look.listing, listing.begunAt > start.answeredAt else { return false }
    return !listing.workers.contains { $0.handle == worker }
  }
}
