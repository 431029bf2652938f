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
    let used = Set(curate.flatMap(\.from))
    var jobs: [RunPlan.Job] = []
    var ingestAt: [StreamReference: Int] = [:]
    for source in sources {
      for stream in source.streams {
        let reference = StreamReference(source: source.name, stream: stream.name)
        // A stream that only lands in raw is pulled as well; one that is curated must be.
        let isRawOnly = curate.isEmpty || !stream.records.isCurated
        guard used.contains(reference) || isRawOnly else { continue }
        ingestAt[reference] = jobs.count
        jobs.append(
          RunPlan.Job(
            kind: StageJob.ingest, stage: "ingest", label: reference.description,
            payload: Self.payload(["source": source.name, "stream": stream.name])))
      }
    }
    var curateAt: [String: Int] = [:]
    for step in curate {
      curateAt[step.name] = jobs.count
      jobs.append(
        RunPlan.Job(
          kind: StageJob.curate, stage: "curate", label: step.name, payload: Self.payload(["dataset": step.name]),
          after: step.from.compactMap { ingestAt[$0] }))
    }
    let loads = load.map { target in
      RunPlan.Job(
        kind: StageJob.load, stage: "load", label: target.name, payload: Self.payload(["target": target.name]),
        after: Array(Set(target.tables.compactMap { curateAt[$0.from] })).sorted())
    }
    return RunPlan(
      pipeline: name, urgencyClass: -priority, weight: weight, concurrency: concurrency, jobs: jobs, loads: loads)
  }

  /// A flat JSON object in the order of its keys; names of the format need no escapes.
  private static func payload(_ fields: [String: String]) -> String {
    "{" + fields.sorted { $0.key < $1.key }.map { "\"\($0.key)\":\"\($0.value)\"" }.joined(separator: ",") + "}"
  }
}

extension RecordFormat {
  /// Whether its records can be curated; bytes only land in raw.
  package var isCurated: Bool { self != .bytes }
}
