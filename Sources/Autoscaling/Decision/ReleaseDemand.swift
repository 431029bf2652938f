/// What the work of each release asks for, and what memory has room for.
struct ReleaseDemand: Sendable {
  let release: String
  /// Workers for deadlines, with the deadline that asks for most; and for everything.
  var deadlineWorkers = 0
  var deadline: Double?
  var backlogWorkers = 0
  var arrivalWorkers = 0
  var workers = 0
  /// Slots that may run at once: jobs that are ready or run now, and of those as many as memory has room for.
  var runnableSlots = 0
  var roomSlots = 0
  var firstDeadline = Double.infinity
  let work: ReleaseWork
}

/// The demand of all releases.
struct Demand: Sendable {
  var releases: [ReleaseDemand] = []
  /// Memory has no room for every job that could run.
  var memoryIsShort = false
  /// The lane with the largest job that needs more than the whole limit alone.
  var tooLarge: (lane: Int, bytes: Double)?

  init(
    _ summary: WorkSummary, limits: SaneLimits, running: [RunningJob], now: Double, start: Double,
    settings: ScalingSettings
  ) {
    var deadlines = summary.releases.map { DeadlineDemand($0, now: now, start: start, settings: settings) }
    releases = summary.releases.map { ReleaseDemand(release: $0.release, work: $0) }
    var room = MemoryRoom(limitBytes: limits.jobBytes.map { $0 * settings.memoryShare }, widths: settings.memoryWidths)
    for job in running {
      room.add(HeldMemory(job, perSlot: limits.bytesPerSlot).memory)
    }
    for index in releases.indices { releases[index].roomSlots = releases[index].work.runnable }
    for position in summary.order {
      let due = summary.due[position]
      if due.deadline < .infinity {
        deadlines[due.release].add(due)
        releases[due.release].firstDeadline = min(releases[due.release].firstDeadline, due.deadline)
      }
      guard room.limit.isFinite, due.startable > 0 else { continue }
      if due.memoryBytes.high > room.limit, due.memoryBytes.high > tooLarge?.bytes ?? 0 {
        tooLarge = (due.lane, due.memoryBytes.high)
      }
      var memory = due.memoryBytes
      memory.mean += limits.bytesPerSlot
      memory = memory.withWidth(under: room)
      let starts = room.count(of: memory, most: due.startable)
      room.add(memory, jobs: starts)
      if starts < due.startable {
        memoryIsShort = true
        releases[due.release].roomSlots -= due.startable - starts
      }
    }
    for index in releases.indices {
      deadlines[index].finish()
      releases[index].combine(deadlines[index], slotsPerWorker: limits.slotsPerWorker, settings: settings)
    }
  }
}

extension ReleaseDemand {
  /// The workers that deadlines, backlog and arrivals ask for together, and never more than the jobs that can run.
  fileprivate mutating func combine(_ deadlines: DeadlineDemand, slotsPerWorker: Int, settings: ScalingSettings) {
    let perWorker = Double(slotsPerWorker)
    func count(_ slots: Double) -> Int { Number.count(slots / perWorker, atMost: Number.mostJobs) }
    let forDeadlines = deadlines.slots
    let forBacklog = work.backlogSeconds / max(1, settings.catchUpSeconds)
    let forArrivals = work.backlogArrivals * settings.arrivalShare
    deadline = deadlines.deadline
    runnableSlots = work.runnable
    let runnable = count(Double(runnableSlots))
    deadlineWorkers = min(runnable, count(forDeadlines))
    backlogWorkers = count(forBacklog)
    arrivalWorkers = count(forArrivals)
    workers = max(runnable > 0 ? 1 : 0, min(runnable, count(forDeadlines + forBacklog + forArrivals)))
  }
}

extension HeldMemory {
  /// - Parameter perSlot: Bytes of the worker itself, for each of its slots.
  init(_ job: RunningJob, perSlot: Double) {
    var reservation = MemoryAdmission.Reservation(
      seconds: job.seconds, elapsedSeconds: job.elapsedSeconds, memoryBytes: job.memoryBytes,
      peakBytes: job.peakBytes)
    reservation.memoryBytes.mean += perSlot
    self.init(reservation)
  }
}
