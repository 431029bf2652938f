/// Decides which queued jobs may start, given the memory that is left: a pure function.
package struct MemoryAdmission: Sendable {
  /// A job that would start if there were room, in claim order.
  package struct Candidate: Sendable, Equatable {
    package var job: Int64
    package var seconds: Estimate
    package var memoryBytes: Estimate
    /// How long it has been ready.
    package var waitedSeconds: Double
    package var deadline: Double?
    /// It was killed for its memory before: it runs alone in its worker, with ``Estimate/mean`` as reservation.
    package var runsAlone: Bool = false
    package init(
      job: Int64, seconds: Estimate, memoryBytes: Estimate, waitedSeconds: Double = 0, deadline: Double? = nil
    ) {
      self.job = job
      self.seconds = seconds
      self.memoryBytes = memoryBytes
      self.waitedSeconds = waitedSeconds
      self.deadline = deadline
    }
  }

  /// A job that has its memory.
  package struct Reservation: Sendable, Equatable {
    package var seconds: Estimate
    package var elapsedSeconds: Double
    package var memoryBytes: Estimate
    package var peakBytes: Double?
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
    Answer()
  }
}
