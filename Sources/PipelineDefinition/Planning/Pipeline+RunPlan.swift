import JobModel

/// The kinds of jobs that the stages do.
package enum StageJob {
  package static let ingest = "ingest"
  package static let curate = "curate"
  package static let load = "load"
}

extension Pipeline {
  /// The jobs of one run: an ingest for each stream that a dataset reads, a curate for each dataset after the ingests
  /// of its streams, and for each target a load of its own after the curates of its tables.
  package var runPlan: RunPlan {
    var plan = plan(pulledStreams.map { ($0.0, nil) }, steps: curate, urgencyClass: -priority)
    plan.deadline = deadline
    return plan
  }

  /// The streams that a run pulls.
  package var pulledStreams: [(StreamReference, Stream)] {
    let unread = Set(unreadStreams.map(\.0))
    return allStreams.filter { !unread.contains($0.0) }
  }

  /// Those that a run does not pull: no dataset is made from them. A stream of bytes only lands in raw, and is pulled as well.
  var unreadStreams: [(StreamReference, Stream)] {
    guard !curate.isEmpty else { return [] }
    let used = Set(curate.flatMap(\.from))
    return allStreams.filter { !used.contains($0) && $1.records.isCurated }
  }

  var allStreams: [(StreamReference, Stream)] {
    sources.flatMap { source in
      source.streams.map { (StreamReference(source: source.name, stream: $0.name), $0) }
    }
  }

  /// - Parameters:
  ///   - pulled: The streams to ingest, each with the range of a backfill.
  ///   - steps: The datasets to make of them; targets without any of these are left out.
  func plan(_ pulled: [(StreamReference, CursorRange?)], steps: [CurateStep], urgencyClass: Int) -> RunPlan {
    var jobs: [RunPlan.Job] = []
    var ingestAt: [StreamReference: Int] = [:]
    for (reference, range) in pulled {
      ingestAt[reference] = jobs.count
      var fields = ["source": reference.source, "stream": reference.stream]
      if let range { fields.merge(["from": range.from, "to": range.to]) { _, new in new } }
      jobs.append(
        RunPlan.Job(
          kind: StageJob.ingest, stage: "ingest", label: reference.description, payload: Self.payload(fields)))
    }
    var curateAt: [String: Int] = [:]
    for step in steps {
      curateAt[step.name] = jobs.count
      jobs.append(
        RunPlan.Job(
          kind: StageJob.curate, stage: "curate", label: step.name,
          payload: Self.payload(["dataset": step.name, "edition": "\(edition.rawValue)"]),
          after: step.from.compactMap { ingestAt[$0] }))
    }
    let loads = load.compactMap { target -> RunPlan.Job? in
      let after = Set(target.tables.compactMap { curateAt[$0.from] }).sorted()
      guard !after.isEmpty || steps.count == curate.count else { return nil }
      return RunPlan.Job(
        kind: StageJob.load, stage: "load", label: target.name, payload: Self.payload(["target": target.name]),
        after: after)
    }
    return RunPlan(
      pipeline: name, urgencyClass: urgencyClass, weight: weight, concurrency: concurrency,
      handsOver: onDeploy == .handover, jobs: jobs, loads: loads)
  }

  /// A flat JSON object in the order of its keys.
  private static func payload(_ fields: [String: String]) -> String {
    let members = fields.sorted { $0.key < $1.key }.map { ($0.key, JSONText.text($0.value)) }
    return "{" + members.map { "\"\($0)\":\($1.formatted())" }.joined(separator: ",") + "}"
  }
}

extension RecordFormat {
  /// Whether its records can be curated; bytes only land in raw.
  package var isCurated: Bool { self != .bytes }
}
