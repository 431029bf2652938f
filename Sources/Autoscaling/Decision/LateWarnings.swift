/// Finds the deadlines that will be missed with the slots that were granted, and what it would take.
struct LateWarnings: Sendable {
  /// The earliest ones are enough: what it takes for them is what to act on.
  static let maxWarnings = 20
  let start: Double
  let now: Double
  let settings: ScalingSettings

  func find(
    _ summary: WorkSummary, wanted: [String: Int], lanes: [LaneLoad], limits: SaneLimits, roomIsShort: Bool
  ) -> [DeadlineWarning] {
    var fleets = summary.releases.map { release in
      GrantedFleet(release, workers: wanted[release.release] ?? 0, slotsPerWorker: limits.slotsPerWorker, start: start)
    }
    var room = MemoryRoom(
      limitBytes: limits.jobBytes.map { $0 * settings.memoryShare }, widths: settings.memoryWidths)
    var warnings: [DeadlineWarning] = []
    var places: [Lane: Int] = [:]
    for position in summary.order {
      let due = summary.due[position]
      guard due.deadline < .infinity, warnings.count <= Self.maxWarnings else { break }
      let left = Number.within(due.deadline - now, 0...Number.longestSeconds, otherwise: 0)
      // Memory allows fewer at once than there are slots: the room of jobs like these is what counts.
      let most = roomIsShort ? max(1, room.count(of: due.memoryBytes, most: Number.mostJobs)) : Number.mostJobs
      room = roomIsShort ? room : MemoryRoom(limitBytes: nil, widths: 0)
      let overdue = Number.within(now - due.deadline, 0...Number.longestSeconds, otherwise: 0)
      guard let late = fleets[due.release].add(due, left: left, overdue: overdue, room: most) else { continue }
      let lane = lanes[due.lane]
      let warning = DeadlineWarning(
        release: lane.release, kind: lane.kind, stage: lane.stage, deadline: due.deadline, jobs: late.jobs,
        lateSeconds: late.seconds, moreSlots: late.moreSlots,
        moreBytes: roomIsShort ? late.moreSlots.map { Double($0) * due.memoryBytes.mean } : nil,
        obstacle: late.obstacle)
      let key = Lane(release: lane.release, stage: lane.stage, kind: lane.kind)
      if let known = places[key] {
        warnings[known].add(warning)
      } else {
        places[key] = warnings.count
        warnings.append(warning)
      }
    }
    return Array(warnings.prefix(Self.maxWarnings))
  }

  private struct Lane: Hashable {
    var release: String
    var stage: String
    var kind: String
  }
}

extension DeadlineWarning {
  /// Jobs of the same kind with a later deadline: one line says what it takes for all of them.
  fileprivate mutating func add(_ later: DeadlineWarning) {
    jobs = min(jobs + later.jobs, Number.mostJobs)
    lateSeconds = max(lateSeconds, later.lateSeconds)
    guard let more = later.moreSlots, more > moreSlots ?? 0 else { return }
    // What comes too late for some may be in time for the others.
    (moreSlots, moreBytes, obstacle) = (more, later.moreBytes, nil)
  }
}

/// The slots that one release was granted, and the work that they take in deadline order.
private struct GrantedFleet {
  private var work = 0.0
  private var jobs = 0
  private var running: GrowingSum
  private let slots: Double
  private let now: Double
  private let later: Double
  private let laterAfter: Double
  private let start: Double

  init(_ release: ReleaseWork, workers: Int, slotsPerWorker: Int, start: Double) {
    running = GrowingSum(release.running)
    slots = Double(workers * slotsPerWorker)
    now = min(slots, Double(release.readySlots))
    later = slots - now
    laterAfter = release.startingSlots > 0 ? min(start, release.startLeft) : start
    self.start = start
  }

  struct Late {
    var jobs: Int
    var seconds: Double
    var moreSlots: Int?
    var obstacle: DeadlineObstacle?
  }

  /// Takes the next work; answers when it will not be done within `left` seconds. It is `overdue` for so many already.
  mutating func add(_ due: DueWork, left: Double, overdue: Double, room: Int) -> Late? {
    work += due.seconds.mean * Double(due.jobs)
    jobs += due.jobs
    let mean = due.seconds.mean
    let limited = min(slots, Double(room))
    let share = slots > 0 ? limited / slots : 0
    let occupied = min(running.sum(upTo: left), now * left)
    let free = max(0, (now * left + later * max(0, left - laterAfter)) * share - occupied)
    let firstFree = now > 0 ? 0 : laterAfter
    let missing = work - free
    // How late one of them is that begins as soon as it can, and how late the last of them is.
    let alone = mean + (slots > 0 ? firstFree : start) - left
    let last = missing > max(1, 0.01 * work) ? missing / max(1, limited) : 0
    let late = max(alone, last)
    guard late + overdue >= DeadlineObstacle.leastLateSeconds else { return nil }
    let obstacle: DeadlineObstacle? =
      if left <= 0 { .passed } else if mean > left { .chain } else if mean > left - start { .start } else { nil }
    let lateJobs = alone > 0 || mean <= 0 ? due.jobs : Number.count(missing / mean, atMost: due.jobs)
    let seconds = min(late + overdue, Number.longestSeconds)
    guard obstacle == nil, missing > 0 else {
      return Late(jobs: max(1, lateJobs), seconds: seconds, moreSlots: nil, obstacle: obstacle ?? .start)
    }
    let more = Number.count(missing / max(left - start, 1), atMost: Number.mostJobs)
    return Late(jobs: max(1, lateJobs), seconds: seconds, moreSlots: max(1, min(more, jobs)))
  }
}
