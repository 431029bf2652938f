import JobModel
import JobStore

/// Decides when a worker takes a job that must run alone, and when it keeps its slots free for one.
///
/// - A worker with nothing in hand takes one at once, and nothing else until it has ended.
/// - A worker with other jobs stops taking more after a while, for a time that doubles each time it was too short; before each of
///   these times it works on for as long, so that it has half of the time for others. A hold of ``longestHold`` goes on until the
///   worker is free, however long its jobs are.
/// - Only one worker at a time keeps slots free for a job: a worker asks for that with its surveys, and takes others until it is granted.
/// - After one has ended, others come first for as long as it took.
/// - Work of a lower class comes first here too.
///
/// Pure: the caller tells what happened and when.
struct SuspectTurns<Instant: InstantProtocol> where Instant.Duration == Duration {
  enum Decision {
    case take(ReadyLane)
    /// Take nothing, so that the worker becomes free; nil: until an attempt ends.
    case hold(until: Instant?)
    /// Go on with what need not run alone.
    case others
  }

  static var firstHold: Duration { .seconds(2) }
  static var longestHold: Duration { .seconds(600) }

  private var lanes: [ReadyLane] = []
  private var inHand: LeaseHolder?
  private var takenAt: Instant?
  private var othersUntil: Instant?
  private var holdFrom: Instant?
  private var holdLength = Self.firstHold
  /// The job that this worker would keep slots free for now.
  private(set) var wish: JobID?
  /// The one for which it was granted.
  private var granted: JobID?

  /// Whether one is being done: there is nothing to look for.
  var isBusy: Bool { inHand != nil }

  /// Whether there is one to be taken.
  var isWanted: Bool { !lanes.isEmpty }
  /// Their lanes.
  var wanted: [ReadyLane] { lanes }

  /// What a survey found.
  mutating func surveyed(_ found: [ReadyLane], waitingFor job: JobID?) {
    granted = job
    lanes = found.filter { $0.suspect != nil }
    if lanes.isEmpty { rest() }
  }

  /// - Parameters:
  ///   - urgency: The lowest class of other work; nil where there is none.
  ///   - hasRoom: Whether the memory of the host has room for that of a lane.
  mutating func next(
    isIdle: Bool, urgency: Int?, now: Instant, hasRoom: (Int64) -> Bool = { _ in true }
  ) -> Decision {
    wish = nil
    if isBusy { return .hold(until: nil) }
    if let takenAt {
      othersUntil = now.advanced(by: max(takenAt.duration(to: now), Self.firstHold))
      self.takenAt = nil
    }
    let lane = lanes.filter { hasRoom($0.id) }.min {
      ($0.urgencyClass, $0.suspect ?? JobID(0)) < ($1.urgencyClass, $1.suspect ?? JobID(0))
    }
    guard let lane else { return .others }
    guard lane.urgencyClass <= urgency ?? .max else { return .others }
    if urgency != nil, let othersUntil, now < othersUntil { return .others }
    if isIdle {
      takenAt = now
      return .take(lane)
    }
    var from = holdFrom ?? now.advanced(by: Self.firstHold)
    // Also those that passed while no slot was free.
    while from.advanced(by: holdLength) <= now {
      // Surveys go on: another worker may take it.
      if holdLength == Self.longestHold { return hold(for: lane.suspect, until: now.advanced(by: Self.firstHold)) }
      let end = from.advanced(by: holdLength)
      holdLength = min(holdLength * 2, Self.longestHold)
      from = end.advanced(by: holdLength)
    }
    holdFrom = from
    if from <= now { return hold(for: lane.suspect, until: from.advanced(by: holdLength)) }
    return .others
  }

  private mutating func hold(for job: JobID?, until end: Instant) -> Decision {
    wish = job
    return granted == job ? .hold(until: end) : .others
  }

  /// A claim of the job that ``next(isIdle:urgency:now:)`` named came back.
  mutating func claimed(_ job: JobID, _ claim: Claim?) {
    lanes.removeAll { $0.suspect == job }
    inHand = claim?.holder
    if claim == nil { takenAt = nil } else { rest() }
  }

  mutating func ended(_ claim: Claim) {
    if inHand == claim.holder { inHand = nil }
  }

  private mutating func rest() {
    (holdFrom, wish, granted) = (nil, nil, nil)
    holdLength = Self.firstHold
  }
}
