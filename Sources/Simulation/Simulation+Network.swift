import JobStore

extension Simulation {
  /// What becomes of one message to the database and its answer.
  private struct Journey {
    var there: Duration
    var back: Duration
    var losesRequest = false
    var losesReply = false
    var isRepeated = false
    /// When the sender learns of a loss.
    var notice: Duration = .zero

    var isTroubled: Bool { losesRequest || losesReply || there + back > .milliseconds(150) }
  }

  /// Sends one transaction to the database and gives its answer to the sender; nil when the connection was lost, whatever
  /// became of the transaction.
  ///
  /// - Parameters:
  ///   - session: The session it must go over; nil for a pool, which connects anew after a restart.
  ///   - provesLife: Whether the database takes it for a sign of life, so that its loss explains a revocation.
  ///   - mayRepeat: Whether the transaction may reach the database once more, later, with nobody to hear the answer.
  func send<Answer>(
    _ what: StaticString, from process: SimulatedProcess, _ number: Int64 = 0, over session: SimulatedSession? = nil,
    provesLife: Bool = false, mayRepeat: Bool = false,
    _ body: @escaping (inout ModelledStore) throws -> Answer, answer: @escaping (Answer?) throws -> Void
  ) {
    let journey = drawJourney(from: process)
    if provesLife, journey.isTroubled {
      process.trouble(until: now.advanced(by: journey.there + journey.back + journey.notice))
    }
    let start = session?.start ?? databaseStarts
    if journey.losesRequest {
      counts.lostRequests += 1
      note(process.name, "loses its request", number)
      plan(after: journey.notice, for: process) { try answer(nil) }
      return
    }
    plan(after: journey.there) { [unowned self] in
      guard isDatabaseUp, start == databaseStarts else {
        plan(after: journey.back, for: process) { try answer(nil) }
        return
      }
      note(process.name, what, number)
      let result = try transaction(body)
      if journey.losesReply {
        counts.lostReplies += 1
        note(process.name, "loses the reply", number)
        plan(after: journey.notice, for: process) { try answer(nil) }
      } else {
        plan(after: journey.back, for: process) { [unowned self] in
          try answer(start == databaseStarts ? result : nil)
        }
      }
      guard mayRepeat, journey.isRepeated else { return }
      counts.duplicates += 1
      plan(after: random.duration(1...20_000)) { [unowned self] in
        guard isDatabaseUp else { return }
        note(process.name, "is heard again", number)
        _ = try transaction(body)
      }
    }
  }

  private func drawJourney(from process: SimulatedProcess) -> Journey {
    var journey = Journey(there: random.duration(1...8), back: random.duration(1...8))
    guard areFaultsOn else { return journey }
    if process.isSilent(at: now) {
      journey.losesRequest = true
      journey.notice = random.duration(500...15_000)
      return journey
    }
    if process.isSlow(at: now) {
      journey.back = random.duration(2000...7000)
      return journey
    }
    let isBad = process.badNetworkUntil.map { $0 > now } ?? false
    if random.happens(isBad ? 0.3 : 0.004) {
      if random.happens(0.5) { journey.losesRequest = true } else { journey.losesReply = true }
      // Reset at once, or silence until the statement's limit.
      journey.notice = random.happens(0.5) ? random.duration(5...500) : random.duration(500...15_000)
    } else if random.happens(isBad ? 0.2 : 0.002) {
      counts.lateMessages += 1
      if random.happens(0.5) { journey.there = random.duration(200...20_000) }
      if random.happens(0.5) { journey.back = random.duration(200...14_000) }
    }
    journey.isRepeated = random.happens(0.01)
    return journey
  }
}
