import JobModel
import JobStore

/// Decides what a worker asks of the queue next: from which lanes, how many jobs of each, and when to look again.
///
/// - Lanes of a lower class come first, always. Within a class pipelines with a deadline come first, the earliest before the others, but
///   for every eighth claim while another pipeline has waited for long. Otherwise free slots go to the pipelines with the fewest jobs
///   in hand here for their weight, so that a million jobs of one pipeline do not delay another's.
/// - Each lane is claimed from its watermark on: the lowest job of its last claim. What lies below was claimed, and its
///   dead rows are not walked over again. A survey finds what came to stand below, and sets the watermark back.
/// - A job that must run alone is claimed when nothing is in hand, and nothing else until it has ended (``SuspectTurns``).
/// - A worker that claims by memory takes only what has room on its host (``MemoryGate``); less urgent lanes go before one without room.
/// - Surveys are frequent enough to find work without a wake-up, and never take more than a small part of the time.
///
/// Pure: the caller tells what happened and when.
package struct ClaimPlanner<Instant: InstantProtocol> where Instant.Duration == Duration {
  package enum Action {
    /// With the job that the worker would keep slots free for; nil: none.
    case survey(waitingFor: JobID?)
    case claim(ClaimRequest)
    /// Nothing to do before this time, unless something happens; nil where only an end of an attempt can change that.
    case wait(until: Instant?)
  }

  /// A survey while there is work costs at most a twentieth of the time.
  static var surveyShare: Int { 20 }
  static var shortestSurveyGap: Duration { .milliseconds(25) }
  static var longestSurveyGap: Duration { .seconds(2) }
  /// While a pipeline has waited for so many seconds, one claim of so many disregards deadlines: pipelines that always have one do not
  /// keep the others from their work.
  static var longWait: Double { 300 }
  static var fairTurn: Int { 8 }

  private struct Lane {
    var ready: ReadyLane
    var watermark: Int64
    var mayHaveWork: Bool
  }

  private var lanes: [Int64: Lane] = [:]
  private var inHand: [String: Int] = [:]
  /// The part of a job by which a pipeline got less than its share, or more, because jobs cannot be parted.
  private var owed: [String: Double] = [:]
  private var nextSurvey: Instant
  /// However many lanes ring: what is not known here may be another worker's.
  private var earliestSurvey: Instant
  /// Lanes that were rung since the last question was asked: its answer may be older than what they have.
  private var rungSince: Set<Int64> = []
  /// Lanes whose watermark was set back since then.
  private var loweredSince: Set<Int64> = []
  private var suspects = SuspectTurns<Instant>()
  /// Claims in a row that went to a deadline before others that have waited for long.
  private var preferred = 0
  /// Nil: the worker does not claim by memory, or knows nothing of its host yet.
  private var memory: MemoryGate?
  private let claimsByMemory: Bool
  /// The next survey where no lane has room, unless an attempt ends.
  private var relaxedSurvey: Instant
  /// The job that room is kept for: the other workers of the host are told with the next survey.
  package private(set) var keepsRoomFor: JobID?

  package init(now: Instant, claimsByMemory: Bool = false) {
    nextSurvey = now
    earliestSurvey = now
    relaxedSurvey = now
    self.claimsByMemory = claimsByMemory
  }

  /// - Parameter free: Slots.
  package mutating func next(free: Int, now: Instant) -> Action {
    guard free > 0, !suspects.isBusy else { return .wait(until: nil) }
    guard now < nextSurvey else {
      (rungSince, loweredSince) = ([], [])
      return .survey(waitingFor: suspects.wish)
    }
    let room = room(free: free)
    let open = lanes.values.filter { lane in
      lane.mayHaveWork && (room == nil || room?.counts[lane.ready.id] ?? 0 > 0)
    }
    let urgency = suspects.isWanted ? open.map(\.ready.urgencyClass).min() : nil
    let decision = suspects.next(isIdle: inHand.isEmpty, urgency: urgency, now: now) {
      room?.alone.contains($0) ?? true
    }
    switch decision {
    case .take(let lane):
      guard var request = ClaimRequest(alone: lane) else { break }
      request.memoryTurn = memory?.claimTurn
      (rungSince, loweredSince) = ([], [])
      return .claim(request)
    case .hold(let end): return .wait(until: end.map { min($0, nextSurvey) })
    case .others: break
    }
    guard var request = request(from: open, free: free, room) else {
      if room?.needsLook == true {
        nextSurvey = min(nextSurvey, max(now, earliestSurvey))
      } else if room != nil, lanes.values.contains(where: \.mayHaveWork) {
        nextSurvey = max(nextSurvey, relaxedSurvey)
      }
      return .wait(until: nextSurvey)
    }
    request.memoryTurn = memory?.claimTurn
    (rungSince, loweredSince) = ([], [])
    return .claim(request)
  }

  /// Nil: the worker does not claim by memory.
  private mutating func room(free: Int) -> MemoryGate.Room? {
    guard claimsByMemory else { return nil }
    let open = lanes.values.filter(\.mayHaveWork).map { lane in
      MemoryGate.Entry(
        lane: lane.ready.id, urgencyClass: lane.ready.urgencyClass, deadline: lane.ready.deadline,
        job: JobID(lane.ready.lowest))
    }
    let alone = suspects.wanted.compactMap { lane in
      lane.suspect.map { MemoryGate.Entry(lane: lane.id, urgencyClass: lane.urgencyClass, job: $0, runsAlone: true) }
    }
    let room = memory?.room(for: alone + open, free: free) ?? MemoryGate.Room(needsLook: !(open + alone).isEmpty)
    keepsRoomFor = room.waitsFor
    return room
  }

  /// A survey came back.
  ///
  /// - Parameters:
  ///   - job: The job that this worker alone may keep slots free for.
  ///   - look: What the jobs need and what runs on the host; nil: as before.
  ///   - host: Its memory; nil: the worker does not claim by memory.
  ///   - poll: How long to wait where there is nothing to do.
  mutating func surveyed(
    _ found: [ReadyLane], waitingFor job: JobID? = nil, memory look: JobStore.MemoryLook?, memoryOf host: WorkerMemory?,
    took: Duration, poll: Duration, now: Instant
  ) {
    if let look, let host {
      memory = MemoryGate(
        look, suspects: Set(found.compactMap(\.suspect)), limitBytes: host.limitBytes(), workerBytes: host.workerBytes,
        mostJobBytes: host.mostJobBytes, earlier: memory)
    }
    for id in lanes.keys { lanes[id]?.mayHaveWork = rungSince.contains(id) }
    suspects.surveyed(found, waitingFor: job)
    for lane in found where lane.hasWork {
      let lowered = loweredSince.contains(lane.id) ? lanes[lane.id]?.watermark : nil
      lanes[lane.id] = Lane(ready: lane, watermark: min(lane.lowest, lowered ?? .max), mayHaveWork: true)
    }
    let gap = max(Self.shortestSurveyGap, min(took * Self.surveyShare, Self.longestSurveyGap))
    // A lane that rang meanwhile and is still not known: this survey's answer may be older than its first job.
    let isIdle = !found.contains(where: \.hasWork) && rungSince.allSatisfy { lanes[$0] != nil }
    earliestSurvey = now.advanced(by: gap)
    relaxedSurvey = now.advanced(by: max(gap, poll))
    nextSurvey = isIdle ? relaxedSurvey : earliestSurvey
  }

  /// The same for a worker that does not claim by memory.
  package mutating func surveyed(
    _ found: [ReadyLane], waitingFor job: JobID? = nil, took: Duration, poll: Duration, now: Instant
  ) {
    surveyed(found, waitingFor: job, memory: nil, memoryOf: nil, took: took, poll: poll, now: now)
  }

  /// A claim came back.
  package mutating func claimed(_ request: ClaimRequest, _ claims: [Claim]) {
    memory?.claimed(request, claims)
    var counts: [Int64: (count: Int, lowest: Int64)] = [:]
    for claim in claims {
      let known = counts[claim.laneID] ?? (0, .max)
      counts[claim.laneID] = (known.count + 1, min(known.lowest, claim.jobID.rawValue))
      inHand[claim.pipeline, default: 0] += 1
    }
    if let job = request.alone { return suspects.claimed(job, claims.first) }
    for (lane, _) in request.lanes {
      guard let (count, lowest) = counts[lane.id] else {
        lanes[lane.id]?.mayHaveWork = rungSince.contains(lane.id)
        continue
      }
      if !loweredSince.contains(lane.id) { lanes[lane.id]?.watermark = lowest }
      if count < request.each.rawValue {
        lanes[lane.id]?.mayHaveWork = rungSince.contains(lane.id)
      }
    }
  }

  /// Jobs became ready in these lanes. A lane that is not known yet asks for a survey, as soon as one may be made.
  package mutating func rung(_ ids: Set<Int64>, now: Instant) {
    for id in ids {
      if lanes[id] == nil { nextSurvey = min(nextSurvey, max(now, earliestSurvey)) }
      lanes[id]?.mayHaveWork = true
      rungSince.insert(id)
    }
  }

  /// Jobs that had waited became ready in these lanes, none lower than these: mostly below the watermark.
  package mutating func passedOn(_ lowest: [Int64: JobID]) {
    for (id, job) in lowest {
      guard let lane = lanes[id] else { continue }
      lanes[id]?.watermark = min(lane.watermark, job.rawValue)
      lanes[id]?.mayHaveWork = true
      rungSince.insert(id)
      loweredSince.insert(id)
    }
  }

  /// Everything is to be looked at: what was said meanwhile may be lost.
  package mutating func forget(now: Instant) { nextSurvey = now }

  /// An attempt ended.
  ///
  /// - Returns: Whether the next action is another one only because of this: the worker may have become free for a job that must
  ///   run alone, or free of one.
  @discardableResult
  package mutating func ended(_ claim: Claim) -> Bool {
    let wasBusy = suspects.isBusy
    suspects.ended(claim)
    memory?.ended(claim)
    inHand[claim.pipeline, default: 1] -= 1
    if inHand[claim.pipeline] == 0 { inHand[claim.pipeline] = nil }
    return wasBusy || suspects.isWanted && inHand.isEmpty || memory?.isShort == true
  }

  /// - Parameter open: Lanes that may have work, and room.
  private mutating func request(from open: [Lane], free: Int, _ room: MemoryGate.Room?) -> ClaimRequest? {
    guard let urgent = open.map(\.ready.urgencyClass).min() else { return nil }
    // The oldest lane of each pipeline stands for it.
    var pipelines: [String: Lane] = [:]
    for lane in open where lane.ready.urgencyClass == urgent {
      if let other = pipelines[lane.ready.pipeline], other.watermark <= lane.watermark { continue }
      pipelines[lane.ready.pipeline] = lane
    }
    var shares = shares(of: due(pipelines.values), free: free)
    if let room {
      for index in shares.indices {
        shares[index].count = min(shares[index].count, room.counts[shares[index].lane.ready.id] ?? 0)
      }
    }
    let most = shares.map(\.count).max() ?? 1
    let each = ClaimBatch.largest(within: most)
    let chosen = shares.filter { $0.count >= each.rawValue }
    guard !chosen.isEmpty else { return nil }
    // Where it takes several claims to give out what is free, who goes without in this one is counted anew in the next.
    let isLast = !shares.contains { $0.count > each.rawValue }
    owed = Dictionary(
      uniqueKeysWithValues: shares.map { lane, count, exact in
        let isFinal = count == each.rawValue || (count == 0 && isLast)
        let debt = (owed[lane.ready.pipeline] ?? 0) + (isFinal ? exact - Double(count) : 0)
        return (lane.ready.pipeline, min(1, max(-1, debt)))
      })
    return ClaimRequest(lanes: chosen.map { ($0.lane.ready, $0.lane.watermark) }, each: each)
  }

  /// Those whose turn it is: the ones with the earliest deadline, those that have waited for long, or all where none has a deadline.
  private mutating func due(_ candidates: some Collection<Lane>) -> [Lane] {
    guard let earliest = candidates.compactMap(\.ready.deadline).min() else { return Array(candidates) }
    let due = candidates.filter { $0.ready.deadline == earliest }
    let kept = candidates.filter { $0.ready.deadline != earliest && $0.ready.waited >= Self.longWait }
    guard !kept.isEmpty else { return due }
    preferred = (preferred + 1) % Self.fairTurn
    return preferred == 0 ? kept : due
  }

  /// Gives the free slots out one by one, each to the pipeline that has the least in hand for its weight.
  private func shares(of candidates: [Lane], free: Int) -> [(lane: Lane, count: Int, exact: Double)] {
    let free = min(free, ClaimBatch.twoHundred.rawValue)
    guard candidates.count > 1 else { return candidates.map { ($0, free, Double(free)) } }
    let held = candidates.map { Double(inHand[$0.ready.pipeline] ?? 0) }
    // The level to which all are filled: found by going through them from the lowest, not slot by slot.
    let order = candidates.indices.sorted {
      (held[$0] / candidates[$0].ready.weight, candidates[$0].watermark)
        < (held[$1] / candidates[$1].ready.weight, candidates[$1].watermark)
    }
    var level = 0.0
    var (weights, amount) = (0.0, 0.0)
    for (place, index) in order.enumerated() {
      weights += candidates[index].ready.weight
      amount += held[index]
      level = (Double(free) + amount) / weights
      guard place + 1 < order.count else { break }
      let next = order[place + 1]
      if level <= held[next] / candidates[next].ready.weight { break }
    }
    let exact = candidates.indices.map { max(0, level * candidates[$0].ready.weight - held[$0]) }
    var counts = exact.map { Int($0.rounded(.down)) }
    // What the rounding leaves goes one by one to who has lost the most by it, now and in the turns before: with more
    // pipelines than slots that is all of it, and they take turns.
    let lost = candidates.indices.map { exact[$0] - Double(counts[$0]) + (owed[candidates[$0].ready.pipeline] ?? 0) }
    let leftover = max(0, free - counts.reduce(0, +))
    let needy = order.enumerated().filter { exact[$0.element] > 0 }.sorted {
      (-lost[$0.element], $0.offset) < (-lost[$1.element], $1.offset)
    }
    for index in needy.prefix(leftover).map(\.element) { counts[index] += 1 }
    return order.map { (candidates[$0], counts[$0], exact[$0]) }
  }
}
