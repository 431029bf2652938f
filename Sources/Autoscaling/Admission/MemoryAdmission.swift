/// Decides which queued jobs may start, given the memory that is left: a pure function.
///
/// Jobs start in claim order as long as they have room. The first job without room keeps a claim on memory that comes free: the
/// running jobs end one after another, and the time when the room is there follows from their predictions. Jobs behind it
/// may start when they are predicted to end before that time, or when they have room next to it. So a heavy job does
/// not block the light ones, and they do not starve it (EASY back-filling). Where predictions fail, ``Candidate/keptSeconds``
/// is the way out: after ``ScalingSettings/admissionPatienceSeconds`` only what has room next to the heavy job starts.
package struct MemoryAdmission: Sendable {
  /// A job that would start if there were room, in claim order.
  package struct Candidate: Sendable, Equatable {
    package var job: Int64
    package var seconds: Estimate
    package var memoryBytes: Estimate
    package var deadline: Double?
    /// How long room has been kept for it: since ``Answer/roomKeptFor`` named it, and it alone, in every answer.
    package var keptSeconds: Double = 0
    /// It was killed for its memory before: it starts when nothing else runs, and nothing starts next to it. Only for an admission of one
    /// worker; in one for a whole fleet the larger reservation is enough.
    package var runsAlone: Bool = false
    package init(
      job: Int64, seconds: Estimate, memoryBytes: Estimate, deadline: Double? = nil, keptSeconds: Double = 0
    ) {
      self.job = job
      self.seconds = seconds
      self.memoryBytes = memoryBytes
      self.deadline = deadline
      self.keptSeconds = keptSeconds
    }
  }

  /// A job that has its memory.
  package struct Reservation: Sendable, Equatable {
    package var seconds: Estimate
    package var elapsedSeconds: Double
    package var memoryBytes: Estimate
    package var peakBytes: Double?
    /// As ``Candidate/runsAlone``.
    package var runsAlone: Bool = false
    package init(
      seconds: Estimate, elapsedSeconds: Double, memoryBytes: Estimate, peakBytes: Double? = nil
    ) {
      self.seconds = seconds
      self.elapsedSeconds = elapsedSeconds
      self.memoryBytes = memoryBytes
      self.peakBytes = peakBytes
    }
  }

  /// What may start, and why the rest may not.
  package struct Answer: Sendable, Equatable {
    /// Jobs to start now, in claim order.
    package var starts: [Int64] = []
    /// The job that room is kept for, and when that room is predicted to be there (seconds from now).
    package var roomKeptFor: Int64?
    package var roomInSeconds: Double?
    /// Jobs that need more than the whole limit: they can never start.
    package var tooLarge: [Int64] = []
    package init() {}
  }

  /// One look at the queue is bounded: jobs further behind wait for the next one.
  package static let maxCandidates = 2_000

  /// All memory that jobs may have: the limit, less what workers and others use. Nil: no limit.
  package var limitBytes: Double?
  package var settings: ScalingSettings

  package init(limitBytes: Double?, settings: ScalingSettings = ScalingSettings()) {
    self.limitBytes = limitBytes
    self.settings = settings
  }

  /// Which of `candidates` (in claim order) may start in `freeSlots` slots next to what is `running`.
  package func admit(
    _ candidates: [Candidate], running: [Reservation], freeSlots: Int, rule: ClaimRule = ClaimRule()
  ) -> Answer {
    var answer = Answer()
    var held = running.map(HeldMemory.init)
    var room = MemoryRoom(
      limitBytes: limitBytes.map { $0 * settings.memoryShare }, widths: settings.memoryWidths)
    for one in held { room.add(one.memory) }
    var kept: KeptRoom?
    for candidate in Self.inOrder(candidates.prefix(Self.maxCandidates)) {
      guard answer.starts.count < freeSlots else { break }
      let memory = candidate.memoryBytes.sane(atMost: Number.mostBytes).withWidth(under: room)
      if memory.mean > room.limit {
        answer.tooLarge.append(candidate.job)
        continue
      }
      if let heaviest = rule.heaviestBytes, memory.mean > heaviest { continue }
      let job = HeldMemory(candidate, memory: memory)
      if job.mayStart(in: room, with: held), kept?.leavesRoom(for: job) ?? true {
        answer.starts.append(candidate.job)
        room.add(memory)
        held.append(job)
        kept?.add(job)
      } else if kept == nil {
        kept = KeptRoom(for: job, kept: candidate.keptSeconds, held: held, room: room, settings: settings)
        answer.roomKeptFor = candidate.job
        answer.roomInSeconds = kept?.inSeconds
      }
    }
    return answer
  }

  /// The job that must start first to end in time goes first: of two with the same deadline the longer one. Those without a deadline stay
  /// in claim order, behind.
  private static func inOrder(_ candidates: ArraySlice<Candidate>) -> [Candidate] {
    candidates.enumerated().map { (start: $1.latestStart, offset: $0, candidate: $1) }
      .sorted { ($0.start, $0.offset) < ($1.start, $1.offset) }.map(\.candidate)
  }
}

extension MemoryAdmission.Candidate {
  fileprivate var latestStart: Double {
    guard let deadline, !deadline.isNaN else { return .infinity }
    return deadline - seconds.sane(atMost: Number.longestSeconds).mean
  }
}

extension Estimate {
  /// The same with a width that the limit can hold: a large job whose width reaches beyond the limit could else never start next to another.
  func withWidth(under room: MemoryRoom) -> Estimate {
    guard room.limit.isFinite, room.widths > 0, mean <= room.limit else { return self }
    var narrow = self
    narrow.deviation = min(deviation, 0.75 * (room.limit - mean) / room.widths)
    return narrow
  }

  /// What a job is expected to use at most, when it has used `peak` so far and the part `part` (0...1) of its time is over. Most jobs reach
  /// their peak in the first quarter: until then the prediction counts less and less, and then a tenth of its width is left.
  func measured(peak: Double, part: Double) -> Estimate {
    let left = max(0.1, 1 - 4 * Number.within(part, 0...1, otherwise: 0))
    let mean = peak + max(0, self.mean - peak) * (left > 0.1 ? left : 0)
    return Estimate(mean: mean, deviation: deviation * left, high: mean + 2 * deviation * left)
  }
}

/// A job with memory: what it holds, and for how long yet.
struct HeldMemory: Sendable {
  var memory: Estimate
  /// Until it ends, as predicted, with one standard deviation.
  var leftSeconds: Double
  var runsAlone: Bool

  init(_ reservation: MemoryAdmission.Reservation) {
    memory = reservation.memoryBytes.sane(atMost: Number.mostBytes)
    leftSeconds = Remaining.seconds(
      of: reservation.seconds, elapsed: reservation.elapsedSeconds, progress: nil)
    if let peak = reservation.peakBytes, peak > 0, peak < .infinity {
      memory = memory.measured(
        peak: min(peak, Number.mostBytes), part: reservation.elapsedSeconds / reservation.seconds.mean)
    }
    runsAlone = reservation.runsAlone
  }

  init(_ candidate: MemoryAdmission.Candidate, memory: Estimate) {
    self.memory = memory
    let seconds = candidate.seconds.sane(atMost: Number.longestSeconds)
    leftSeconds = seconds.mean + seconds.deviation
    runsAlone = candidate.runsAlone
  }

  func mayStart(in room: MemoryRoom, with held: [HeldMemory]) -> Bool {
    if runsAlone { return held.isEmpty && room.fits(memory) }
    return !(held.first?.runsAlone ?? false) && room.fits(memory)
  }
}

/// The room that is kept for the first job that has none yet.
private struct KeptRoom {
  /// When the room is predicted to be there, in seconds from now.
  let inSeconds: Double
  /// Whether jobs that are predicted to end before may use it until then.
  private let trustsPredictions: Bool
  private let alone: Bool
  /// What will be in use at that time, with the job itself.
  private var room: MemoryRoom

  init(for job: HeldMemory, kept: Double, held: [HeldMemory], room: MemoryRoom, settings: ScalingSettings) {
    var later = room
    var time = 0.0
    for one in held.sorted(by: { $0.leftSeconds < $1.leftSeconds }) {
      if job.runsAlone ? later.jobs == 0 : later.fits(job.memory) { break }
      later.remove(one.memory)
      time = one.leftSeconds
    }
    later.add(job.memory)
    self.room = later
    inSeconds = time
    alone = job.runsAlone
    trustsPredictions = !(kept > settings.admissionPatienceSeconds)
  }

  func leavesRoom(for job: HeldMemory) -> Bool {
    if trustsPredictions, job.leftSeconds <= inSeconds { return true }
    return !alone && room.fits(job.memory)
  }

  /// A job that started ahead: it counts at that time if it is still there.
  mutating func add(_ job: HeldMemory) {
    if !(trustsPredictions && job.leftSeconds <= inSeconds) { room.add(job.memory) }
  }
}
