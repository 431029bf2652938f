/// Ingest of many small things, each next to a loop that reads them and keeps nothing: files, and pages of an HTTP source.
package struct IngestBenchmark: Benchmark {
  package static let name = "ingest"

  private enum Subject: String, CaseIterable {
    case files, pages
  }

  /// What a machine with a disk of its own reaches easily, and what was promised.
  private static let wanted = (filesPerSecond: 20_000.0 / 15, pagesPerSecond: 600.0)

  package init() {}

  package func measure(_ surroundings: BenchSurroundings) async throws -> [Figure] {
    let subjects = Subject.allCases.filter { subject in
      surroundings.only.isEmpty || surroundings.only.contains { "\(Self.name) \(subject.rawValue)".contains($0) }
    }
    guard !subjects.isEmpty else { return [] }
    let system = try IngestUnderTest(surroundings)
    return try await surroundings.server.withDatabase { database in
      var figures: [Figure] = []
      for subject in subjects {
        surroundings.say("ingest: \(subject.rawValue)")
        switch subject {
        case .files: figures.append(try await files(system, database, surroundings))
        case .pages: figures.append(try await pages(system, database, surroundings))
        }
      }
      return figures
    }
  }

  private func files(
    _ system: IngestUnderTest, _ database: BenchDatabase, _ surroundings: BenchSurroundings
  ) async throws -> Figure {
    let count = surroundings.scale.smallFiles
    try system.writeFiles(count)
    return try await figure(
      "\(count) files of \(IngestUnderTest.fileBytes) bytes", "files", count, wanted: Self.wanted.filesPerSecond,
      surroundings
    ) {
      try await system.ingest("files", count, database)
    } plain: {
      try system.readFiles(count)
    }
  }

  private func pages(
    _ system: IngestUnderTest, _ database: BenchDatabase, _ surroundings: BenchSurroundings
  ) async throws -> Figure {
    let count = surroundings.scale.smallPages
    return try await PageSource.serving(pages: count, in: surroundings.folder) { source in
      try system.writePages(of: source)
      return try await figure(
        "\(count) pages of \(PageSource.pageBytes / 1000) kB", "pages", count, wanted: Self.wanted.pagesPerSecond,
        surroundings
      ) {
        try await system.ingest("pages", count, database)
      } plain: {
        try await source.readAll()
      }
    }
  }

  /// - Parameters:
  ///   - ingest: Takes everything once, and says in how many seconds and checkpoints.
  ///   - plain: Reads the same and keeps nothing; in seconds.
  private func figure(
    _ subject: String, _ unit: String, _ count: Int, wanted: Double, _ surroundings: BenchSurroundings,
    ingest: () async throws -> (seconds: Double, checkpoints: Int), plain: () async throws -> Double
  ) async throws -> Figure {
    var (own, peer, checkpoints): ([Double], [Double], [Int]) = ([], [], [])
    for turn in 1...surroundings.scale.repetitions {
      let taken = try await ingest()
      own.append(Double(count) / taken.seconds)
      checkpoints.append(taken.checkpoints)
      peer.append(Double(count) / (try await plain()))
      surroundings.say("  \(turn): \(Figure.text(own.last ?? 0)) \(unit)/s, plain loop \(Figure.text(peer.last ?? 0))")
    }
    let samples = Samples(own)
    return Figure(
      "ingest of \(subject)", samples, "\(unit)/s", beside: "a loop that keeps nothing", Samples(peer),
      target: .atLeast(wanted.rounded()),
      note:
        "\(Figure.text(Double(count) / samples.median)) s; \(checkpoints.min() ?? 0) to \(checkpoints.max() ?? 0) checkpoints"
    )
  }
}
