import JobModel

/// Workers that follow the work: what a decision costs, what an idle system costs, and how soon a worker that was not there claims.
///
/// `up`, `run` and `down` are the program's own, in a project of files, on a database of its own.
package struct ScaleBenchmark: Benchmark {
  package static let name = "scale"

  /// A processor's time is counted in hundredths of a second: shorter windows could not show a percent.
  private static let shortestWindow = Duration.seconds(3)

  package init() {}

  package func measure(_ surroundings: BenchSurroundings) async throws -> [Figure] {
    guard surroundings.only.isEmpty || surroundings.only.contains(where: Self.name.contains) else { return [] }
    let decision = try await DecisionCost(surroundings: surroundings).measure()
    surroundings.say("scale: from no worker, and one more")
    return try await surroundings.server.withDatabase { database in
      let system = ScaledSystem(surroundings, database: database)
      return try await system.whileUp { control in
        let idle = try await idle(system, control: control, surroundings)
        return decision + idle + (try await claims(system, surroundings))
      }
    }
  }

  private func idle(_ system: ScaledSystem, control: Int64, _ surroundings: BenchSurroundings) async throws -> [Figure]
  {
    try await system.waitUntilIdle()
    let clock = ContinuousClock()
    let window = max(surroundings.scale.repetition, Self.shortestWindow)
    var shares: (control: [Double], all: [Double]) = ([], [])
    for _ in 1...surroundings.scale.repetitions {
      let (start, before) = (clock.now, try await system.processorSeconds(control: control))
      try await clock.sleep(for: window)
      let after = try await system.processorSeconds(control: control)
      let seconds = start.duration(to: clock.now).seconds
      let own = after.control - before.control
      let server = after.server.reduce(0) { $0 + max(0, $1.value - (before.server[$1.key] ?? 0)) }
      shares.control.append(own / seconds * 100)
      shares.all.append((own + server) / seconds * 100)
    }
    let (own, all) = (Samples(shares.control), Samples(shares.all))
    surroundings.say("  idle: control takes \(Figure.text(own.median)) % of a core")
    return [
      Figure(
        "idle with a min of 0: control", own.median, "% of a core", range: own.range, target: .atMost(1),
        note: "no worker; medians of \(own.count) times \(Figure.text(window.seconds)) s"),
      Figure("idle with a min of 0: with its sessions of the database", all.median, "% of a core", range: all.range),
    ]
  }

  private func claims(_ system: ScaledSystem, _ surroundings: BenchSurroundings) async throws -> [Figure] {
    var (fromZero, extra): ([Double], [Double]) = ([], [])
    for turn in 1...surroundings.scale.repetitions {
      try await system.waitUntilIdle()
      let first = try await system.start(ScaledSystem.pipelines[0])
      let second = try await system.start(ScaledSystem.pipelines[1])
      for run in [first.run, second.run] { try await system.cancel(run) }
      guard first.claim.worker != second.claim.worker else {
        throw BenchError("no_extra", "one worker claimed both runs: the first one was over", hint: "measure again")
      }
      fromZero.append(first.claim.seconds)
      extra.append(second.claim.seconds)
      surroundings.say(
        "  \(turn): from zero \(Figure.text(first.claim.seconds)) s, one more \(Figure.text(second.claim.seconds)) s")
    }
    return [
      Figure(
        "run → claim by the first worker, from zero", Samples(fromZero).median, "s", range: Samples(fromZero).range,
        target: .atMost(2)),
      Figure(
        "run → claim by an extra worker", Samples(extra).median, "s", range: Samples(extra).range, target: .atMost(2),
        note: "another one is busy"),
    ]
  }
}
