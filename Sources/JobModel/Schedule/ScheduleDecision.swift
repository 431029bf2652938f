/// What a scheduler finds of one pipeline, and what it therefore does: pure, so that every case is a line of a table.
///
/// Instants are texts of the database's, in its order; nothing here compares them.
package struct ScheduleDecision: Sendable, Equatable {
  /// A time that has come.
  package struct Due: Sendable, Equatable {
    package var at: String
    /// Whether it came so long ago that nobody was there to see it.
    package var isLate: Bool

    package init(at: String, isLate: Bool = false) {
      self.at = at
      self.isLate = isLate
    }
  }

  package enum Step: Sendable, Equatable {
    case start(String)
    /// Starts when the run that is going has ended.
    case wait(String)
    case skip(String, reason: String)
    /// An outage took it, and it is not caught up.
    case miss(String, reason: String)
  }

  /// Of times that wait: a pipeline that falls further behind than this never catches up.
  package static let mostWaiting = 1000

  package var overlap: ScheduleRule.Overlap
  package var catchUp: ScheduleRule.CatchUp
  package var isPaused: Bool
  /// The number of a run that is going.
  package var busy: RunID?
  /// Times that wait already, oldest first.
  package var waiting: [String]

  package init(
    overlap: ScheduleRule.Overlap, catchUp: ScheduleRule.CatchUp, isPaused: Bool = false, busy: RunID? = nil,
    waiting: [String] = []
  ) {
    self.overlap = overlap
    self.catchUp = catchUp
    self.isPaused = isPaused
    self.busy = busy
    self.waiting = waiting
  }

  /// - Parameter due: Ascending.
  package func steps(for due: [Due]) -> [Step] {
    guard !isPaused else { return due.map { .skip($0.at, reason: "the pipeline is paused") } }
    var steps: [Step] = []
    var waiting = self.waiting
    var isBusy = busy != nil
    if !isBusy, !waiting.isEmpty {
      steps.append(.start(waiting.removeFirst()))
      isBusy = true
    }
    let chosen = chosen(of: due)
    steps += due.prefix(due.count - chosen.count).map { .miss($0.at, reason: missReason(of: $0)) }
    for time in chosen {
      if overlap == .allow || (!isBusy && waiting.isEmpty) {
        steps.append(.start(time.at))
        isBusy = true
      } else if catchUp == .all, chosen.count > 1 || overlap == .queue {
        guard waiting.count < Self.mostWaiting else {
          steps.append(.skip(time.at, reason: "\(waiting.count) times wait already"))
          continue
        }
        steps.append(.wait(time.at))
        waiting.append(time.at)
      } else if overlap == .queue {
        steps += waiting.map { .skip($0, reason: "a later time waits in its place") }
        steps.append(.wait(time.at))
        waiting = [time.at]
      } else {
        let reason = busy.map { "run \($0) was still going" } ?? "an earlier time has just started a run"
        steps.append(.skip(time.at, reason: reason))
      }
    }
    return steps
  }

  /// Always the last of those that are due.
  private func chosen(of due: [Due]) -> ArraySlice<Due> {
    switch catchUp {
    case .all: due[...]
    case .latest: due.suffix(1)
    case .none: due.suffix(due.last?.isLate == false ? 1 : 0)
    }
  }

  private func missReason(of time: Due) -> String {
    time.isLate ? "nobody was there to start it (catch_up: \(catchUp.rawValue))" : "a later time came with it"
  }
}
