import JobModel

/// Deploys beside running batches: how long a batch stands still when it is handed over, and what a deploy takes.
///
/// Everything is the program's own: `up`, `deploy`, `run` and `down` in a project of files, on a database of its own.
package struct HandoverBenchmark: Benchmark {
  package static let name = "handover"

  /// Batches at once; there are as many slots.
  private static let batches = 4
  /// More than a batch gets through between two deploys.
  private static let files = 4_000
  /// A queue that is deep, and how many of its jobs are under way.
  private static let deepQueue = (jobs: 80_000, underWay: 20_000)

  package init() {}

  package func measure(_ surroundings: BenchSurroundings) async throws -> [Figure] {
    guard surroundings.only.isEmpty || surroundings.only.contains(where: Self.name.contains) else { return [] }
    surroundings.say("handover: deploys beside \(Self.batches) running batches")
    return try await surroundings.server.withDatabase { database in
      let system = SystemUnderTest(surroundings, database: database, batches: Self.batches)
      return try await system.whileUp(files: Self.files) {
        let deploys = try await deploys(system, surroundings)
        // All are under way again, and nothing else has made one yield.
        try await system.keepBusy()
        let pauses = Samples(try await system.pauses())
        let stops = try await stops(system, surroundings)
        return try await figures(system, deploys, pauses, stops) + deep(system, surroundings)
      }
    }
  }

  private struct Deploys {
    /// Seconds, of each deploy: the command, and from its start to the first job on its release.
    var command: [Double] = []
    var first: [Double] = []
  }

  private func deploys(_ system: SystemUnderTest, _ surroundings: BenchSurroundings) async throws -> Deploys {
    var deploys = Deploys()
    for turn in 1...surroundings.scale.deploys {
      try await system.keepBusy()
      let (command, first) = try await system.deploy("bench-\(turn)")
      deploys.command.append(command)
      deploys.first.append(first)
      surroundings.say("  \(turn): first job on the release after \(Figure.text(first)) s")
    }
    return deploys
  }

  /// What it would be without a hand-over: the system is stopped at its checkpoints and started again.
  private func stops(_ system: SystemUnderTest, _ surroundings: BenchSurroundings) async throws -> [Double] {
    var stops: [Double] = []
    for turn in 1...surroundings.scale.repetitions {
      try await system.keepBusy()
      let pauses = try await system.restart()
      surroundings.say("  down and up \(turn): the batches stood still for \(Figure.text(pauses.max() ?? 0)) s at most")
      stops += pauses
    }
    return stops
  }

  private func figures(
    _ system: SystemUnderTest, _ deploys: Deploys, _ pauses: Samples, _ stops: [Double]
  ) async throws -> [Figure] {
    let restarts = Samples(stops)
    let (repeated, files) = try await system.repeatedFiles()
    let command = Samples(deploys.command)
    let first = Samples(deploys.first)
    let beside = "sluice down, sluice up"
    return [
      Figure(
        "hand-over: a batch's pause, p50", pauses.median, "s", range: pauses.range, beside: beside,
        besideValue: restarts.median, besideRange: restarts.range,
        note: "\(pauses.count) hand-overs in \(first.count) deploys"),
      Figure(
        "hand-over: a batch's pause, p99", pauses.quantile(0.99), "s", beside: beside,
        besideValue: restarts.quantile(0.99), target: .atMost(1)),
      Figure(
        "hand-over: files taken again", Double(repeated), "files", target: .atMost(0), note: "of \(files)"),
      Figure("deploy: the command", command.median, "s", range: command.range),
      Figure(
        "deploy → first job on the release", first.quantile(1), "s", range: first.range, target: .atMost(3),
        note: "the longest of \(first.count)"),
    ]
  }

  private func deep(_ system: SystemUnderTest, _ surroundings: BenchSurroundings) async throws -> [Figure] {
    let jobs = Self.deepQueue.jobs + Self.deepQueue.underWay
    surroundings.say("  a queue of \(jobs) jobs")
    let shallow = try await system.plans(surroundings.scale.repetitions)
    try await system.fill(ready: Self.deepQueue.jobs, underWay: Self.deepQueue.underWay)
    let deep = try await system.plans(surroundings.scale.repetitions)
    return [
      Figure(
        "deploy --plan with \(jobs) jobs", Samples(deep), "s", beside: "with an idle queue", Samples(shallow),
        target: .atMost(1), note: "\(Self.deepQueue.underWay) of them under way")
    ]
  }
}
