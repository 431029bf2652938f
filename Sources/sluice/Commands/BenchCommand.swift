import ArgumentParser
import Benchmarks
import JobModel

struct BenchCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench", abstract: "Measure, each figure beside a peer or a floor in the same run.",
    subcommands: [Measure.self, WorkerProcess.self], defaultSubcommand: Measure.self)

  struct Measure: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "measure", abstract: "Measure, each figure beside a peer or a floor in the same run.",
      discussion: """
        Without --database-url a server is started in a scratch folder, with fsync on, and removed afterwards. With it, \
        databases called sluice_bench_… are created on that server and dropped again: never use one that others depend on.
        Exits 0 once it has measured, whether or not the targets are met.
        """,
      shouldDisplay: false)

    @Argument(help: "What: \(allBenchmarks.map { $0.name }.joined(separator: ", ")) (default: all).") var names:
      [String] =
        []
    @Flag(help: "Print JSON.") var json = false
    @Flag(help: "Fewer and shorter, for continuous integration.") var quick = false
    @Option(help: "The length of one repetition, in seconds.") var seconds: Double?
    @Option(help: "The length of the churn, in seconds.") var churnSeconds: Double?
    @Option(help: "Only measurements whose name contains one of these, separated by commas.") var only: String?
    @Option(help: "A server to measure on instead of one of its own.") var databaseURL: String?

    func validate() throws {
      let known = Set(allBenchmarks.map { $0.name })
      for name in names where !known.contains(name) {
        throw ValidationError("there is no benchmark \(name); choose from \(known.sorted().joined(separator: ", "))")
      }
      for seconds in [seconds, churnSeconds] {
        if let seconds, !(0.1...86_400).contains(seconds) { throw ValidationError("seconds are 0.1 to 86400") }
      }
    }

    func run() async throws {
      var scale = quick ? BenchScale.quick : .full
      if let seconds { scale.repetition = .seconds(seconds) }
      if let churnSeconds { scale.churn = .seconds(churnSeconds) }
      let wanted = allBenchmarks.filter { names.isEmpty || names.contains($0.name) }
      let only = only?.split(separator: ",").map(String.init) ?? []
      let report = try await BenchStand(databaseURL: databaseURL).measure(
        wanted, scale: scale, only: only, say: Console.note)
      json ? Console.data(json: report.json) : Console.data(report.table)
    }
  }

  /// A worker that the benchmark kills.
  struct WorkerProcess: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "worker-process", shouldDisplay: false)

    @Option var databaseURL: String
    @Option var lease: Seconds

    func run() async throws {
      try await BenchWorkerProcess.run(databaseURL: databaseURL, lease: lease.duration)
    }
  }
}
