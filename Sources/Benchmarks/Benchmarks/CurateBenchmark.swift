/// Curating dirty rows into typed, partitioned Parquet, next to what the bare SQL engine needs for that alone.
package struct CurateBenchmark: Benchmark {
  package static let name = "curate"

  package init() {}

  package func measure(_ surroundings: BenchSurroundings) async throws -> [Figure] {
    let ways = CurateUnderTest.Way.allCases.filter { way in
      surroundings.only.isEmpty || surroundings.only.contains { "\(Self.name) \(way.rawValue)".contains($0) }
    }
    guard !ways.isEmpty else { return [] }
    return try await surroundings.server.withDatabase { database in
      let system = try CurateUnderTest(surroundings, database: database)
      surroundings.say("curate: \(surroundings.scale.curateRows) rows of 12 columns are made")
      try await system.prepare()
      var figures: [Figure] = []
      for way in ways { figures.append(try await measure(way, system, surroundings)) }
      return figures
    }
  }

  /// Subject and ceiling take turns, so that both meet the same conditions.
  private func measure(
    _ way: CurateUnderTest.Way, _ system: CurateUnderTest, _ surroundings: BenchSurroundings
  ) async throws -> Figure {
    var (own, bare): ([Double], [Double]) = ([], [])
    for turn in 1...surroundings.scale.repetitions {
      own.append(try await system.curate(way))
      bare.append(try await system.ceiling(way))
      surroundings.say(
        "  \(way.title) \(turn): \(Figure.text(own.last ?? 0)) s, bare engine \(Figure.text(bare.last ?? 0)) s")
    }
    return Figure(
      way.title, Samples(own), "s", beside: "bare DuckDB", Samples(bare), target: .ratioAtMost(way.wanted))
  }
}
