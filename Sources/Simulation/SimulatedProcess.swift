import JobModel

/// A process of the simulated world: it may be stopped, continued and killed at any step.
class SimulatedProcess {
  let name: String
  var isAlive = true
  /// Stopped as by SIGSTOP: what it was about to do waits, what it sent travels on.
  var pausedUntil: SimulatedInstant?
  /// What the wall clock of its machine shows above the truth. Nothing may depend on it.
  var wallLead = Duration.zero
  /// Until when its network loses and delays more than others'.
  var badNetworkUntil: SimulatedInstant?
  /// Answers reach it seconds late until then, and from then on nothing passes, unseen by both ends, until the second time.
  var silence: (from: SimulatedInstant, until: SimulatedInstant)?
  /// Until when a fault of its own explains that the database heard no beat of it.
  var troubledUntil = SimulatedInstant(milliseconds: -1)

  init(name: String) { self.name = name }

  func isSilent(at time: SimulatedInstant) -> Bool { silence.map { $0.from <= time && time < $0.until } ?? false }
  func isSlow(at time: SimulatedInstant) -> Bool { silence.map { time < $0.from } ?? false }

  /// Whether a fault of its own, lately, explains that the database takes it for lost.
  func isTroubled(at time: SimulatedInstant) -> Bool {
    troubledUntil.advanced(by: Simulation.timing.lease + .seconds(5)) >= time
  }

  func trouble(until time: SimulatedInstant) { troubledUntil = max(troubledUntil, time) }
}
