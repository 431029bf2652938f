/// Turns what the work asks for into counts within the limits, and says why.
struct CountPlan: Sendable {
  private(set) var wanted: [String: Int] = [:]
  private(set) var total = 0
  private(set) var demanded = 0
  private(set) var reasons: [ScalingReason] = []
  private(set) var limit: ScalingLimit?

  private let demand: Demand
  private let limits: SaneLimits
  private let pinned: [String]
  private let current: String
  private let override: (workers: Int, reason: String, expiresIn: Double)?
  private let budgetRenews: Double
  private let lanes: [LaneLoad]
  /// Workers that a release needs now, and with what was needed lately.
  private var needed: [String: Int] = [:]
  /// The lowest limit that applies so far.
  private var cap = Int.max

  /// The counts, ordered by release.
  var counts: [ReleaseCount] {
    wanted.sorted { $0.key < $1.key }.filter { $0.value > 0 }.map { ReleaseCount(release: $0.key, workers: $0.value) }
  }

  init(_ demand: Demand, inputs: ScalingInputs, limits: SaneLimits, now: Double) {
    self.demand = demand
    self.limits = limits
    lanes = inputs.lanes
    pinned = Set(inputs.pinnedReleases).sorted()
    current =
      inputs.currentRelease ?? demand.releases.max { ($0.work.workers, $1.release) < ($1.work.workers, $0.release) }?
      .release
      ?? pinned.first ?? ""
    budgetRenews = Number.within(inputs.limits.budgetRenewsInSeconds, 0...Number.longestSeconds, otherwise: 0)
    if let given = inputs.override, given.expires.isFinite, given.expires > now {
      override = (max(0, given.workers), given.reason, given.expires - now)
    } else {
      override = nil
    }
    for release in demand.releases where release.workers > 0 { needed[release.release] = release.workers }
    explain(now: now)
  }

  /// Why the work asks for what it asks for.
  private mutating func explain(now: Double) {
    let leading = demand.releases.filter { $0.deadline != nil && $0.deadlineWorkers > 0 }
    if let first = leading.max(by: { $0.deadlineWorkers < $1.deadlineWorkers }), let deadline = first.deadline {
      reasons.append(
        .deadlines(workers: leading.reduce(0) { $0 + $1.deadlineWorkers }, inSeconds: max(0, deadline - now)))
    }
    let backlog = demand.releases.reduce(0) { $0 + $1.backlogWorkers }
    if backlog > 0 { reasons.append(.backlog(workers: backlog)) }
    let arrivals = demand.releases.reduce(0) { $0 + $1.arrivalWorkers }
    // Without a job that could run what arrives asks for nothing yet.
    if arrivals > 0, !needed.isEmpty { reasons.append(.arrivals(workers: arrivals)) }
    if demand.releases.contains(where: { $0.workers > 0 && $0.workers * limits.slotsPerWorker >= $0.runnableSlots }) {
      reasons.append(.runnable(slots: demand.releases.reduce(0) { $0 + $1.runnableSlots }))
    }
    demanded = needed.values.reduce(0, +)
    if let large = demand.tooLarge {
      limit = .jobTooLarge(kind: lanes[large.lane].kind, bytes: large.bytes)
    }
    guard demand.memoryIsShort else { return }
    for release in demand.releases {
      let room = max(1, (release.roomSlots + limits.slotsPerWorker - 1) / limits.slotsPerWorker)
      if let workers = needed[release.release], workers > room {
        needed[release.release] = room
        limit = limit ?? .memory(bytes: limits.jobBytes ?? 0, workers: needed.values.reduce(0, +))
      }
    }
  }

  /// No more than jobs could claim lately: memory, limits of lanes or held claims left workers idle next to ready jobs. One more is tried.
  mutating func applyFilled(_ history: ScalingHistory) {
    for (release, workers) in needed {
      guard let filled = history.filled(release) else { continue }
      let most = filled + max(1, filled / 8)
      guard workers > most else { continue }
      needed[release] = most
      limit = limit ?? .claimable(workers: most)
    }
  }

  /// Remembers the need, and keeps the highest of the last `hold` seconds.
  mutating func holdRecent(_ history: inout ScalingHistory, now: Double, hold: Double) {
    history.remember(needed, at: now, hold: hold)
    var held = 0
    let known = Set(needed.keys).union(history.moments.flatMap { $0.needed.keys })
    for release in known.sorted() {
      let highest = history.highest(release)
      if highest > needed[release] ?? 0 { held += 1 }
      // An idle worker that waits longer than a new one takes to start costs more than it saves.
      let kept = demand.releases.first { $0.release == release }?.work.keptWorkers ?? 0
      needed[release] = max(needed[release] ?? 0, min(highest, kept))
    }
    if held > 0 { reasons.append(.recentlyNeeded(workers: needed.values.reduce(0, +))) }
  }

  /// No more than the frozen count.
  mutating func apply(_ freeze: (workers: Int, cause: WaitCause?)?) {
    // Where the maximum is lower, it is what limits.
    guard let freeze, freeze.workers <= limits.maxWorkers, needed.values.reduce(0, +) > freeze.workers else { return }
    cap = min(cap, freeze.workers)
    limit = .frozen(cause: freeze.cause, workers: freeze.workers)
    reasons.insert(.frozen(cause: freeze.cause), at: 0)
  }

  /// Shares the allowed number among the releases: a floor for each that has work, then deadlines in their order, then the rest.
  mutating func allocate() {
    if let override {
      let asked = max(override.workers, 0)
      // What keeps the work from asking for more says nothing of a number that a person set.
      switch limit {
      case .memory, .claimable: limit = nil
      case .frozen where asked <= cap: limit = nil
      default: break
      }
      reasons.insert(
        .override(workers: override.workers, reason: override.reason, expiresInSeconds: override.expiresIn), at: 0)
      limitHard(atLeast: asked)
      share(min(asked, cap), everyone: asked)
    } else {
      let work = needed.values.reduce(0, +)
      limitHard(atLeast: max(work, limits.minWorkers))
      if work < limits.minWorkers {
        needed[current, default: 0] += limits.minWorkers - work
        reasons.append(.minimum(limits.minWorkers))
      }
      share(min(cap, needed.values.reduce(0, +)), everyone: 0)
    }
    if let limit { reasons.append(.limited(limit)) }
    if reasons.isEmpty { reasons.append(.idle) }
  }

  /// The limits that no demand and no person moves.
  private mutating func limitHard(atLeast asked: Int) {
    func lower(to workers: Int, _ reason: ScalingLimit) {
      guard workers < cap || (workers == cap && limit == nil) else { return }
      cap = min(cap, workers)
      if asked > cap, !limit.isTooLarge { limit = reason }
    }
    lower(to: limits.maxWorkers, .maximum(limits.maxWorkers))
    if let connections = limits.connectionWorkers { lower(to: connections, .connections(connections)) }
    if let bytes = limits.jobBytes, limits.workerBytes > 0 {
      let workers = Number.count((bytes / limits.workerBytes).rounded(.down), atMost: SaneLimits.mostWorkers)
      lower(to: workers, .memory(bytes: bytes, workers: workers))
    }
    if let left = limits.budgetLeft {
      // What is left lasts an hour at least, so that the count goes down before it is used up.
      let workers = left > 0 ? max(1, Number.count(left.rounded(.down), atMost: SaneLimits.mostWorkers)) : 0
      lower(to: workers, .budget(hours: limits.budgetHours, workers: workers, renewsInSeconds: budgetRenews))
    }
  }

  /// Gives out `allowed` workers. A release with pinned work has one even where budget, connections or a person allow none.
  private mutating func share(_ allowed: Int, everyone: Int) {
    var left = allowed
    let order = demand.releases.sorted {
      ($0.firstDeadline, $0.release) < ($1.firstDeadline, $1.release)
    }
    let floors = pinned + order.map(\.release).filter { (needed[$0] ?? 0) > 0 && !pinned.contains($0) }
    for (index, release) in floors.enumerated() {
      let isPinned = index < pinned.count
      guard left > 0 || isPinned, total < limits.maxWorkers else { break }
      give(1, to: release, from: &left)
      if isPinned, needed[release] ?? 0 == 0 { reasons.append(.pinned(release: release)) }
    }
    if pinned.count > limits.maxWorkers {
      limit = .pinnedReleases(needed: pinned.count, maximum: limits.maxWorkers)
    }
    for release in order {
      let most = min(release.deadlineWorkers, needed[release.release] ?? 0)
      give(most - (wanted[release.release] ?? 0), to: release.release, from: &left)
    }
    for (release, workers) in needed.sorted(by: { $0.key < $1.key }) {
      give(workers - (wanted[release] ?? 0), to: release, from: &left)
    }
    if everyone > total, left > 0 { give(min(left, everyone - total), to: current, from: &left) }
  }

  private mutating func give(_ count: Int, to release: String, from left: inout Int) {
    // A pinned release gets its worker from beyond what is allowed, never from beyond the maximum.
    let given = min(
      count, max(left, wanted[release] == nil && pinned.contains(release) ? 1 : 0), limits.maxWorkers - total)
    guard given > 0 else { return }
    wanted[release, default: 0] += given
    total += given
    left = max(0, left - given)
  }
}

extension ScalingLimit? {
  /// A job that cannot run at all is told before what only makes others wait.
  fileprivate var isTooLarge: Bool { if case .jobTooLarge = self { true } else { false } }
}
