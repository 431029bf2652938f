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
    for position in summary.order {
      let due = summary.due[position]
      guard due.deadline < .infinity, warnings.count < Self.maxWarnings else { break }
      let left = Number.within(due.deadline - now, 0...Number.longestSeconds, otherwise: 0)
      // Memory allows fewer at once than there are slots: the room of jobs like these is what counts.
      let most = roomIsShort ? max(1, room.count(of: due.memoryBytes, most: Number.mostJobs)) : Number.mostJobs
      room = roomIsShort ? room : MemoryRoom(limitBytes: nil, widths: 0)
      guard let late = fleets[due.release].add(due, left: left, room: most) else { continue }
      let lane = lanes[due.lane]
      warnings.append(
        DeadlineWarning(
          release: lane.release, kind: lane.kind, stage: lane.stage, deadline: due.deadline, jobs: late.jobs,
          lateSeconds: late.seconds, moreSlots: late.moreSlots,
          moreBytes: roomIsShort ? late.moreSlots.map { Double($0) * due.memoryBytes.mean } : nil))
    }
    return warnings
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
  }

  /// Takes the next work; answers when it will not be done within `left` seconds.
  mutating func add(_ due: DueWork, left: Double, room: Int) -> Late? {
    work += due.seconds.mean * Double(due.jobs)
    jobs += due.jobs
    let mean = due.seconds.mean
    let limited = min(slots, Double(room))
    let share = slots > 0 ? limited / slots : 0
    let occupied = min(running.sum(upTo: left), now * left)
    let free = max(0, (now * left + later * max(0, left - laterAfter)) * share - occupied)
    let firstFree = now > 0 ? 0 : laterAfter
    // One of them alone takes longer than is left.
    if mean > left - (slots > 0 ? firstFree : start) {
      return Late(jobs: due.jobs, seconds: mean + firstFree - left, moreSlots: nil)
    }
    let missing = work - free
    guard missing > max(1, 0.01 * work) else { return nil }
    let late = limited > 0 ? missing / limited : Number.longestSeconds
    let perSlot = left - start
    let more = perSlot >= mean ? Number.count(missing / max(perSlot, 1), atMost: Number.mostJobs) : nil
    let lateJobs = mean > 0 ? Number.count(missing / mean, atMost: due.jobs) : due.jobs
    return Late(jobs: max(1, lateJobs), seconds: late, moreSlots: more.map { max(1, min($0, jobs)) })
  }
}
