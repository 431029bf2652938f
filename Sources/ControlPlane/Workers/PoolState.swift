import JobModel
import JobStore
import Launchers

/// What a pool remembers between two looks, and what follows from a look: no clock, no process and no database of its own.
struct PoolState {
  typealias Instant = ContinuousClock.Instant

  /// What one look found.
  struct Look {
    var now: Instant
    /// Every worker that beats, of any host.
    var fleet: [WorkerRecord]
    /// Workers of this pool that exist, by their number.
    var handles: [Int64: WorkerHandle]
    /// Of ``starting`` those that exist.
    var living: Set<WorkerHandle>
    var releases: [JobStore.ReleaseRecord]
    var needs: [Int64: JobStore.ReleaseNeed]
    /// Whether the host is to be empty.
    var isDrained: Bool
    /// What was decided; nil: nothing yet.
    var allotment: ScalingBoard.Allotment?
    /// Workers that the launcher cannot reach, by their number.
    var elsewhere: Set<Int64> = []
    /// What the launcher has listed last; nil: nothing yet.
    var listing: Listing?
    /// Since when this process decides and has no list of what others have started; nil: it has one, or needs none.
    var awaitsListSince: Instant?
  }

  /// The workers of a launcher, those that have not registered among them.
  struct Listing: Sendable, Equatable {
    /// Before the launcher was asked: what was started after that may be missing in it.
    var begunAt: Instant
    var workers: [ListedWorker]
    /// Launches among them whose workers have registered: what of these beats no more does not come again. Nil: not asked yet.
    var registered: Set<String>?
  }

  enum Step: Equatable {
    case launch(release: Int64)
    /// The launcher is to stop it.
    case drain(WorkerHandle)
    /// It is asked through the database to finish what it does and end.
    case askToDrain(worker: Int64, WorkerHandle)
    /// A worker of the release could work, or could not.
    case noteStart(release: Int64, failed: Bool)
    case tell(WorkerPool.Standing)
    /// A release has something to do that had nothing before.
    case ring
    /// How long a worker took from its launch until it registered.
    case measured(Duration)
    case log(String, WorkerHandle, release: Int64, isError: Bool)
  }

  /// Starts whose answer has not come, at most: a slow launcher is not given the work of an hour.
  static let maxAsked = 8
  /// An answer that takes longer is told.
  static let slowAnswer = Duration.seconds(10)
  /// One that ends sooner after it has registered was not able to work.
  static let proof = Duration.seconds(5)
  /// How long a staged release keeps a worker without becoming anything.
  static let staging = Duration.seconds(120)
  /// For how long a release has had no worker anywhere before the last one of it is started: others may be about to.
  static let loneliness = Duration.seconds(5)
  /// A worker that is listed and does not register, and is not expected to, is stopped after this, and again as long as it is listed.
  static let strangerPatience = Duration.seconds(30)
  /// For how long a process that begins to decide starts no worker because it does not know those that exist.
  static let listPatience = Duration.seconds(30)
  /// How long a worker that could not be stopped is left alone.
  static let stopPause = Duration.seconds(10)

  struct Start {
    var release: Int64
    /// When it was asked for.
    var at: Instant
    /// When its launcher said that it exists.
    var answeredAt: Instant
    var hasRegistered = false
  }

  /// A start that is under way.
  struct Asked {
    var at: Instant
    /// The answer was lost: why, and when.
    var doubt: (reason: String, since: Instant)?
  }

  let aim: WorkerPool.Aim
  /// Whether other processes reach the same workers: then only the one that decides does something.
  let isShared: Bool
  /// A worker that has not registered by then never will.
  let patience: Duration
  /// The shortest pause after a start that failed.
  private let tick: Duration
  /// Workers that were launched and are not proven yet.
  var starts: [WorkerHandle: Start] = [:]
  /// Starts without an answer.
  var asked: [Launch: Asked] = [:]
  /// Workers that are listed, are not registered and are not coming, and since when or since which stop.
  var strangers: [WorkerHandle: Instant] = [:]
  /// Workers that have been registered, as long as they are listed.
  var seen: Set<WorkerHandle> = []
  /// Workers that could not be stopped, and until when they are left alone.
  var unstoppable: [WorkerHandle: Instant] = [:]
  /// Of a release, when the last failure was counted.
  var failedAt: [Int64: Instant] = [:]
  /// Why the launcher does not list its workers.
  var listTrouble: String?
  /// Workers are started although those that exist are not known.
  var isBlind = false
  /// Why it did not stop the worker that it was asked to stop last.
  var stopTrouble: String?
  /// Starts that have been without an answer for long.
  private var slow: Set<Launch> = []
  /// In a row.
  var failures: [Int64: Int] = [:]
  var reasons: [Int64: String] = [:]
  /// A worker that ends as soon as it starts is not started ten times a second.
  private var pausedUntil: [Int64: Instant] = [:]
  /// Releases that had something to do at the last look; of none: 0.
  private var served: Set<Int64> = []
  /// Workers that were told to go because of a decision: each once.
  var dismissed: Set<WorkerHandle> = []
  /// Since when a release has had work and no worker.
  private var lonelySince: [Int64: Instant] = [:]

  /// - Parameters:
  ///   - patience: How long a worker may take until it registers.
  ///   - isShared: Whether pools of other hosts reach the same workers.
  init(aim: WorkerPool.Aim, tick: Duration, patience: Duration = .seconds(20), isShared: Bool = false) {
    self.aim = aim
    self.tick = tick
    self.patience = patience
    self.isShared = isShared
  }

  /// Workers that were launched and are not proven yet.
  var starting: Set<WorkerHandle> { Set(starts.keys) }

  /// At the last look there was neither a worker nor work: what begins is told, or may wait for a second.
  var isQuiet = false

  /// Those that have not registered, and starts under way.
  var coming: [ScalingBoard.Coming] {
    starts.values.filter { !$0.hasRegistered }.map { ScalingBoard.Coming(release: $0.release, since: $0.at) }
      + asked.map { ScalingBoard.Coming(release: $0.key.release, since: $0.value.at) }
  }

  /// Whether a list would say more than the last one did: about starts whose answer was lost, and workers that do not register.
  var isInDoubt: Bool { asked.values.contains { $0.doubt != nil } || starts.values.contains { !$0.hasRegistered } }

  /// By release, why starts fail that have not succeeded since, or why one is not done.
  var troubles: [Int64: String] {
    var troubles: [Int64: String] = [:]
    for launch in slow where asked[launch] != nil {
      troubles[launch.release] = "its launcher has not answered for \(Self.slowAnswer.components.seconds) s"
    }
    for (launch, each) in asked { each.doubt.map { troubles[launch.release] = $0.reason } }
    for (release, count) in failures {
      let times = count == 1 ? "" : ", \(count) times in a row"
      troubles[release] = (reasons[release] ?? "a worker could not be started") + times
    }
    return troubles
  }

  /// With ``ScalingReport/launcher`` what is wrong with the launcher itself.
  var allTroubles: [Int64: String] {
    let blind =
      isBlind
      ? "it has not listed its workers for \(Self.listPatience.components.seconds) s; it starts others all the same"
      : nil
    guard let trouble = listTrouble ?? blind ?? stopTrouble else { return troubles }
    return troubles.merging([ScalingReport.launcher: trouble]) { first, _ in first }
  }

  /// What to do, in this order. Each launch is followed by ``ask(_:at:)`` and answered by ``launched(_:of:at:as:)`` or
  /// ``launchFailed(of:because:at:)``.
  mutating func steps(after look: Look) -> [Step] {
    guard !isShared || mayLaunch(look) else { return standBack(look) }
    let kept = look.fleet.filter { look.handles[$0.id] != nil }
    isQuiet =
      aim == .scaled && look.fleet.isEmpty && starts.isEmpty && asked.isEmpty
      && !look.needs.values.contains(where: \.isServed)
    // A worker that was told to go says nothing of its release.
    for worker in kept where worker.draining { look.handles[worker.id].map { starts[$0] = nil } }
    let workers = kept.filter { !$0.draining }
    slow = Set(asked.filter { $0.value.at.duration(to: look.now) > Self.slowAnswer }.keys)
    // The look asked for these.
    let known = starting
    var steps = settle(look) + adopt(look)
    steps += review(look, known: known, registered: Set(workers.compactMap { look.handles[$0.id] }))
    // On a host that is to be empty none is wanted, and who came late is one too many.
    if look.isDrained { starts = [:] }
    let demand = demand(look, kept: kept)
    if aim == .scaled, begins(look) { steps.append(.ring) }
    let leaving = aim == .scaled ? dismissals(look, workers) : demand.surplus(workers)
    for worker in leaving {
      guard let handle = look.handles[worker.id] else { continue }
      starts[handle] = nil
      steps.append(.log("worker is not needed any more", handle, release: worker.releaseID ?? 0, isError: false))
      // The next decision, perhaps of another process, is to count it no more before it has beaten.
      if aim == .scaled { steps.append(.askToDrain(worker: worker.id, handle)) }
      if !isShared { steps.append(.drain(handle)) }
    }
    steps += standing(look, workers)
    let ignorance = look.awaitsListSince?.duration(to: look.now)
    isBlind = ignorance.map { $0 >= Self.listPatience } ?? false
    guard mayLaunch(look), ignorance == nil || isBlind else { return steps }
    var room = Self.maxAsked - asked.count
    for (release, wanted) in demand.wanted.sorted(by: { $0.key < $1.key })
    where (pausedUntil[release] ?? look.now) <= look.now {
      let running = workers.filter { ($0.releaseID ?? 0) == release }.count
      let coming =
        starts.values.count { $0.release == release && !$0.hasRegistered } + asked.keys.count { $0.release == release }
      var missing = max(0, wanted - running - coming)
      // One shows whether starts succeed again.
      if aim == .scaled, failures[release] != nil { missing = coming == 0 ? min(1, missing) : 0 }
      missing = min(missing, room)
      room -= missing
      steps += Array(repeating: .launch(release: release), count: missing)
    }
    return steps
  }

  private mutating func demand(_ look: Look, kept: [WorkerRecord]) -> WorkerDemand {
    switch aim {
    case .host(let count):
      WorkerDemand(look.releases, needs: look.needs, count: look.isDrained ? 0 : count, staging: Self.staging)
    case .lastOnes:
      WorkerDemand(lastOf: look.isDrained ? [] : look.releases, needs: look.needs, others: others(look, kept: kept))
    case .scaled:
      WorkerDemand(
        decided: look.allotment?.counts ?? [:], elsewhere: elsewhere(look), releases: look.releases,
        staging: Self.staging)
    }
  }

  /// A pool that follows a decision starts nothing on a host that is to be empty, before the first decision, and after the decision of its
  /// own process has run out.
  private func mayLaunch(_ look: Look) -> Bool {
    guard aim == .scaled else { return true }
    return !look.isDrained && look.allotment?.launchesUntil.map { $0 > look.now } ?? false
  }

  /// Whether a release has something to do that had nothing at the last look.
  mutating func begins(_ look: Look) -> Bool {
    let now = Set(look.needs.filter { $0.value.isServed }.keys)
    defer { served = now }
    return !now.isSubset(of: served)
  }

  private func elsewhere(_ look: Look) -> [Int64: Int] {
    look.fleet.filter { look.elsewhere.contains($0.id) && !$0.draining && !$0.servesOneRun }
      .reduce(into: [:]) { $0[$1.releaseID ?? 0, default: 0] += 1 }
  }

  /// Workers that a decision lets go: idle ones, and those that are to finish what they do. Never more than the decision has too many,
  /// whatever it names: the decision may not know yet of those that were let go before. On a host that is to be empty every idle one.
  private mutating func dismissals(_ look: Look, _ workers: [WorkerRecord]) -> [WorkerRecord] {
    let going = workers.filter { worker in
      if let handle = look.handles[worker.id], unstoppable[handle] != nil { return false }
      if worker.busy == 0, look.isDrained || look.allotment?.stops.contains(worker.id) == true { return true }
      return look.allotment?.drains.contains(worker.id) == true
    }
    dismissed.formIntersection(look.handles.values)
    var excess = (look.allotment?.counts ?? [:]).mapValues { -$0 }
    for worker in look.fleet where !worker.draining && !worker.servesOneRun {
      if let handle = look.handles[worker.id], dismissed.contains(handle) { continue }
      excess[worker.releaseID ?? 0, default: 0] += 1
    }
    return going.filter { worker in
      let release = worker.releaseID ?? 0
      guard let handle = look.handles[worker.id], !dismissed.contains(handle),
        excess[release, default: 0] > 0 || look.isDrained && worker.busy == 0
      else { return false }
      excess[release, default: 0] -= 1
      dismissed.insert(handle)
      return true
    }
  }

  /// Releases that other pools serve, or have served a moment ago.
  private mutating func others(_ look: Look, kept: [WorkerRecord]) -> Set<Int64> {
    let mine = Set(kept.map(\.id))
    let served = Set(
      look.fleet.filter { !$0.draining && !$0.servesOneRun && !mine.contains($0.id) }.compactMap(\.releaseID))
    let lonely = Set(look.releases.map(\.id).filter { look.needs[$0]?.isServed == true }).subtracting(served)
    lonelySince = lonelySince.filter { lonely.contains($0.key) }
    for release in lonely where lonelySince[release] == nil { lonelySince[release] = look.now }
    let own = Set(kept.compactMap(\.releaseID))
    return served.union(
      lonelySince.filter { !own.contains($0.key) && $0.value.duration(to: look.now) < Self.loneliness }.keys)
  }

  /// What became of the workers that were launched.
  private mutating func review(
    _ look: Look, known: Set<WorkerHandle>, registered: Set<WorkerHandle>
  ) -> [Step] {
    var steps: [Step] = []
    for (worker, start) in starts.sorted(by: { $0.value.at < $1.value.at }) {
      let age = start.at.duration(to: look.now)
      let isDead = known.contains(worker) && !look.living.contains(worker)
      if isDead || isMissing(worker, start, look, isRegistered: registered.contains(worker)) {
        starts[worker] = nil
        let reason =
          start.hasRegistered ? "a worker ended as soon as it had started" : "a worker ended before it registered"
        steps.append(.log(reason, worker, release: start.release, isError: true))
        steps += failed(start.release, because: reason, at: look.now)
      } else if !start.hasRegistered, registered.contains(worker) {
        starts[worker] = Start(release: start.release, at: look.now, answeredAt: look.now, hasRegistered: true)
        if aim == .scaled { steps.append(.measured(age)) }
      } else if start.hasRegistered, age > Self.proof {
        starts[worker] = nil
        failures[start.release] = nil
        steps.append(.noteStart(release: start.release, failed: false))
      } else if !start.hasRegistered, start.answeredAt.duration(to: look.now) > patience {
        starts[worker] = nil
        if aim == .scaled { strangers[worker] = look.now }
        steps.append(.drain(worker))
        steps += failed(
          start.release, because: "a worker did not register within \(patience.components.seconds) s",
          at: look.now)
      }
    }
    return steps
  }

  mutating func failed(_ release: Int64, because reason: String, at now: Instant) -> [Step] {
    reasons[release] = reason
    failedAt[release] = now
    let count = (failures[release] ?? 0) + 1
    failures[release] = count
    pausedUntil[release] = now + tick * (1 << min(count, 7))
    return [.noteStart(release: release, failed: true)]
  }

  private func standing(_ look: Look, _ workers: [WorkerRecord]) -> [Step] {
    let current = look.releases.first { $0.state == .current }?.id ?? 0
    switch aim {
    case .lastOnes: return []
    case .host: break
    case .scaled:
      guard let allotment = look.allotment else { return [] }
      // What is not started by this process is not waited for.
      // Nor is a machine that may take minutes to start: status has what becomes of it.
      if isShared || (allotment.counts[current] ?? 0) == 0 || allotment.launchesUntil == nil {
        return [.tell(.notNeeded)]
      }
    }
    if workers.contains(where: { ($0.releaseID ?? 0) == current }) { return [.tell(.working)] }
    guard let times = failures[current] else { return [] }
    return [.tell(.failing(reasons[current] ?? "", times: times))]
  }
}
