/// Figures of one subject, each measured beside a peer or a floor in the same run.
package protocol Benchmark: Sendable {
  /// What `sluice bench` calls it.
  static var name: String { get }

  init()

  /// Measures; says on the way what it does.
  func measure(_ surroundings: BenchSurroundings) async throws -> [Figure]
}

/// Every benchmark there is, in the order in which they run.
package let allBenchmarks: [any Benchmark.Type] = [
  QueueBenchmark.self, HandoverBenchmark.self, IngestBenchmark.self, CurateBenchmark.self, LoadBenchmark.self,
  EnvironmentBenchmark.self, ScaleBenchmark.self,
]

/// What a benchmark is given.
package struct BenchSurroundings: Sendable {
  package var server: BenchServer
  package var scale: BenchScale
  /// Only measurements whose name contains one of these; empty: all.
  package var only: [String]
  /// This program, for those that measure real processes.
  package var executable: String
  /// A folder for logs and scripts, removed after the run.
  package var folder: String
  /// Tells the person who waits what is being done.
  package var say: @Sendable (String) -> Void

  package init(
    server: BenchServer, scale: BenchScale, only: [String] = [], executable: String, folder: String,
    say: @escaping @Sendable (String) -> Void
  ) {
    self.server = server
    self.scale = scale
    self.only = only
    self.executable = executable
    self.folder = folder
    self.say = say
  }
}
