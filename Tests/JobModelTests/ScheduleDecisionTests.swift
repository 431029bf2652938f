import JobModel
import Testing

@Suite("What a scheduled time leads to")
struct ScheduleDecisionTests {
  typealias Step = ScheduleDecision.Step

  struct Line: Sendable, CustomTestStringConvertible {
    var name: String
    var overlap: ScheduleRule.Overlap = .skip
    var catchUp: ScheduleRule.CatchUp = .latest
    var isPaused = false
    var busy: RunID?
    var waiting: [String] = []
    /// A `-` before a time: it is late.
    var due: [String] = []
    var steps: [Step]
    var testDescription: String { name }
  }

  private static let gone = "nobody was there to start it"

  static let lines = [
    Line(name: "nothing is due", steps: []),
    Line(name: "a time comes", due: ["a"], steps: [.start("a")]),
    Line(name: "a late time is caught up", due: ["-a"], steps: [.start("a")]),
    Line(
      name: "a late time of none", catchUp: .none, due: ["-a"], steps: [.miss("a", reason: "\(gone) (catch_up: none)")]),
    Line(
      name: "an outage, latest", due: ["-a", "-b", "c"],
      steps: [
        .miss("a", reason: "\(gone) (catch_up: latest)"), .miss("b", reason: "\(gone) (catch_up: latest)"), .start("c"),
      ]),
    Line(
      name: "an outage, none", catchUp: .none, due: ["-a", "b", "c"],
      steps: [
        .miss("a", reason: "\(gone) (catch_up: none)"), .miss("b", reason: "a later time came with it"), .start("c"),
      ]),
    Line(
      name: "an outage, all, one after the other", catchUp: .all, due: ["-a", "-b", "c"],
      steps: [.start("a"), .wait("b"), .wait("c")]),
    Line(
      name: "an outage, all, beside each other", overlap: .allow, catchUp: .all, due: ["-a", "b"],
      steps: [.start("a"), .start("b")]),
    Line(name: "skip", busy: RunID(7), due: ["a"], steps: [.skip("a", reason: "run 7 was still going")]),
    Line(name: "queue", overlap: .queue, busy: RunID(7), due: ["a"], steps: [.wait("a")]),
    Line(
      name: "queue holds one: the latest", overlap: .queue, busy: RunID(7), waiting: ["a"], due: ["b"],
      steps: [.skip("a", reason: "a later time waits in its place"), .wait("b")]),
    Line(
      name: "queue and all: every time has its run", overlap: .queue, catchUp: .all, busy: RunID(7), waiting: ["a"],
      due: ["b"], steps: [.wait("b")]),
    Line(name: "allow", overlap: .allow, busy: RunID(7), due: ["a"], steps: [.start("a")]),
    Line(name: "what waits starts when nothing is in its way", waiting: ["a", "b"], steps: [.start("a")]),
    Line(name: "what waits goes on waiting", busy: RunID(7), waiting: ["a", "b"], steps: []),
    Line(
      name: "what waits goes first", overlap: .queue, waiting: ["a"], due: ["b"], steps: [.start("a"), .wait("b")]),
    Line(
      name: "skip while others wait", catchUp: .all, waiting: ["a", "b"], due: ["c"],
      steps: [.start("a"), .skip("c", reason: "an earlier time has just started a run")]),
    Line(
      name: "paused", isPaused: true, waiting: ["a"], due: ["-b", "c"],
      steps: [.skip("b", reason: "the pipeline is paused"), .skip("c", reason: "the pipeline is paused")]),
  ]

  @Test("is one line of a table", arguments: lines)
  func decides(line: Line) {
    let decision = ScheduleDecision(
      overlap: line.overlap, catchUp: line.catchUp, isPaused: line.isPaused, busy: line.busy, waiting: line.waiting)
    let due = line.due.map { ScheduleDecision.Due(at: $0.filter { $0 != "-" }, isLate: $0.hasPrefix("-")) }
    #expect(decision.steps(for: due) == line.steps)
  }

  @Test("what waits is bounded")
  func bounded() {
    let waiting = (0..<ScheduleDecision.mostWaiting).map { "w\($0)" }
    let decision = ScheduleDecision(overlap: .queue, catchUp: .all, busy: RunID(1), waiting: waiting)
    #expect(decision.steps(for: [.init(at: "a")]) == [.skip("a", reason: "1000 times wait already")])
  }

  @Test("every time that is due is decided once, whatever the rule")
  func everyTime() {
    let due = ["a", "b", "c"].map { ScheduleDecision.Due(at: $0, isLate: $0 != "c") }
    for overlap in ScheduleRule.Overlap.allCases {
      for catchUp in ScheduleRule.CatchUp.allCases {
        for busy in [nil, RunID(1)] {
          let decision = ScheduleDecision(overlap: overlap, catchUp: catchUp, busy: busy)
          #expect(decision.steps(for: due).map(Self.time) == ["a", "b", "c"])
        }
      }
    }
  }

  private static func time(_ step: Step) -> String {
    switch step {
    case .start(let time), .wait(let time), .skip(let time, _), .miss(let time, _): time
    }
  }
}
