import JobModel
import JobStore

/// Decides what a worker asks of the queue next: from which lanes, how many jobs of each, and when to look again.
///
/// - Lanes of a lower class come first, always. Within a class free slots go to the pipelines with the fewest jobs in hand
///   here for their weight, so that a million jobs of one pipeline do not delay another's.
/// - Each lane is claimed from its watermark on: the lowest job of its last claim. What lies below was claimed, and its
///   dead rows are not walked over again. A survey finds what came to stand below, and sets the watermark back.
/// - Surveys are frequent enough to find work without a wake-up, and never take more than a small part of the time.
///
/// Pure: the caller tells what happened and when.
package struct ClaimPlanner<Instant: InstantProtocol> where Instant.Duration == Duration {
  package enum Action {
    case survey
    case claim(ClaimRequest)
    /// Nothing to do before this time, unless something happens; nil where only an end of an attempt can change that.
    case wait(until: Instant?)
  }

  /// A survey while there is work costs at most a twentieth of the time.
  static var surveyShare: Int { 20 }
  static var shortestSurveyGap: Duration { .milliseconds(25) }
  static var longestSurveyGap: Duration { .seconds(2) }

  private struct Lane {
    var ready: ReadyLane
    var watermark: Int64
    var mayHaveWork: Bool
  }

  private var lanes: [Int64: Lane] = [:]
  private var inHand: [String: Int] = [:]
  private var nextSurvey: Instant
  /// Lanes that were rung since the last question was asked: its answer may be older than what they have.
  private var rungSince: Set<Int64> = []

  package init(now: Instant) { nextSurvey = now }

  /// - Parameter free: Slots.
  package mutating func next(free: Int, now: Instant) -> Action {
    guard free > 0 else { return .wait(until: nil) }
    guard now < nextSurvey else {
      rungSince = []
      return .survey
    }
    guard let request = request(free: free) else { return .wait(until: nextSurvey) }
    rungSince = []
    return .claim(request)
  }

  /// A survey came back.
  ///
  /// - Parameters:
  ///   - poll: How long to wait where there is nothing to do.
  package mutating func surveyed(_ found: [ReadyLane], took: Duration, poll: Duration, now: Instant) {
    for id in lanes.keys { lanes[id]?.mayHaveWork = rungSince.contains(id) }
    for lane in found { lanes[lane.id] = Lane(ready: lane, watermark: lane.lowest, mayHaveWork: true) }
    let gap = max(Self.shortestSurveyGap, min(took * Self.surveyShare, Self.longestSurveyGap))
    nextSurvey = now.advanced(by: found.isEmpty ? max(gap, poll) : gap)
  }

  /// A claim came back.
  package mutating func claimed(_ request: ClaimRequest, _ claims: [Claim]) {
    var counts: [Int64: (count: Int, lowest: Int64)] = [:]
    for claim in claims {
      let known = counts[claim.laneID] ?? (0, .max)
      counts[claim.laneID] = (known.count + 1, min(known.lowest, claim.jobID.rawValue))
      inHand[claim.pipeline, default: 0] += 1
    }
    for (lane, _) in request.lanes {
      guard let (count, lowest) = counts[lane.id] else {
        lanes[lane.id]?.mayHaveWork = rungSince.contains(lane.id)
        continue
      }
      lanes[lane.id]?.watermark = lowest
      if count < request.each.rawValue {
        lanes[lane.id]?.mayHaveWork = rungSince.contains(lane.id)
      }
    }
  }

  /// Jobs became ready in these lanes. A lane that is not known yet asks for a survey.
  package mutating func rung(_ ids: Set<Int64>, now: Instant) {
    for id in ids {
      if lanes[id] == nil { nextSurvey = min(nextSurvey, now) }
      lanes[id]?.mayHaveWork = true
      rungSince.insert(id)
    }
  }

  /// Everything is to be looked at: what was said meanwhile may be lost.
  package mutating func forget(now: Instant) { nextSurvey = now }

  /// An attempt ended.
  package mutating func ended(_ claim: Claim) {
    inHand[claim.pipeline, default: 1] -= 1
    if inHand[claim.pipeline] == 0 { inHand[claim.pipeline] = nil }
  }

  private func request(free: Int) -> ClaimRequest? {
    let open = lanes.values.filter(\.mayHaveWork)
    guard let urgent = open.map(\.ready.urgencyClass).min() else { return nil }
    // The oldest lane of each pipeline stands for it.
    var pipelines: [String: Lane] = [:]
    for lane in open where lane.ready.urgencyClass == urgent {
      if let other = pipelines[lane.ready.pipeline], other.watermark <= lane.watermark { continue }
      pipelines[lane.ready.pipeline] = lane
    }
    let shares = shares(of: Array(pipelines.values), free: free)
    let most = shares.map(\.count).max() ?? 1
    let each = ClaimBatch.largest(within: most)
    let chosen = shares.filter { $0.count >= each.rawValue }
    return ClaimRequest(lanes: chosen.map { ($0.lane.ready, $0.lane.watermark) }, each: each)
  }

  /// Gives the free slots out one by one, each to the pipeline that has the least in hand for its weight.
  private func shares(of candidates: [Lane], free: Int) -> [(lane: Lane, count: Int)] {
    let free = min(free, ClaimBatch.twoHundred.rawValue)
    guard candidates.count > 1 else { return candidates.map { ($0, free) } }
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
    var left = free
    var result: [(lane: Lane, count: Int)] = []
    for index in order where left > 0 {
      let target = level * candidates[index].ready.weight - held[index]
      let count = min(left, max(result.isEmpty ? 1 : 0, Int(target.rounded())))
      guard count > 0 else { continue }
      result.append((candidates[index], count))
      left -= count
    }
    return result
  }
}
