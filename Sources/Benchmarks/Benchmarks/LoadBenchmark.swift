import JobModel

/// Loading a dataset into PostgreSQL, next to what psql needs for the same rows.
///
/// Everything is the program's own: a project of files is ingested and curated once, and loaded again and again by `reload`. The
/// ceilings are two `psql \copy` streams of files that are binary already: they read no Parquet and encode nothing.
package struct LoadBenchmark: Benchmark {
  package static let name = "load"

  package init() {}

  package func measure(_ surroundings: BenchSurroundings) async throws -> [Figure] {
    guard surroundings.only.isEmpty || surroundings.only.contains(where: Self.name.contains) else { return [] }
    let rows = surroundings.scale.loadRows
    guard let psql = PgBench.program("psql") else {
      throw BenchError("no_psql", "psql is not installed", hint: "apt install postgresql-client")
    }
    return try await surroundings.server.withDatabase { control in
      try await surroundings.server.withDatabase { target in
        let system = LoadUnderTest(surroundings, control: control, target: target, psql: psql)
        surroundings.say("load: \(rows) rows of 12 columns are made, ingested and curated")
        try await system.prepare(rows: rows)
        var figures: [Figure] = []
        for way in LoadUnderTest.Way.allCases { figures.append(try await measure(way, system, surroundings)) }
        return figures
      }
    }
  }

  /// Subject and ceiling take turns, so that both meet the same conditions.
  private func measure(
    _ way: LoadUnderTest.Way, _ system: LoadUnderTest, _ surroundings: BenchSurroundings
  ) async throws -> Figure {
    let rows = Double(surroundings.scale.loadRows)
    var loads: [Double] = []
    var ceilings: [Double] = []
    for turn in 1...surroundings.scale.repetitions {
      let (load, ceiling) = (rows / (try await system.load(way)), rows / (try await system.ceiling(way)))
      surroundings.say(
        "  \(way.title) \(turn): \(Figure.text(load)) rows/s, \(way.ceiling) \(Figure.text(ceiling)) rows/s")
      loads.append(load)
      ceilings.append(ceiling)
    }
    return Figure(
      way.title, Samples(loads), "rows/s", beside: way.ceiling, Samples(ceilings), target: .ratioAtLeast(0.9))
  }
}
