import ArgumentParser
import AutoscalingSimulation
import FleetSimulation
import JobModel

struct AutoscaleCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "autoscale",
    abstract: "Try the scaling policy on a trace of jobs, next to other policies, without a system.",
    discussion: "docs/scaling.md describes the trace format, the simulated fleet and the policies.",
    subcommands: [Simulate.self, Compare.self, Generate.self])

  struct Simulate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Run one policy on one trace.",
      discussion: """
        sluice is the policy that is shipped. The others follow their public formulas, and are first tuned to their best on \
        this trace; a setting that is given with --set stays.
        Settings: \(settingsText)
        """)

    @Option(help: "The trace, a file of newline-delimited JSON; - is standard input.") var trace: String
    @Option(help: "One of \(PolicyName.allCases.map(\.rawValue).joined(separator: ", ")).") var policy = "sluice"
    @Option(help: ArgumentHelp("A setting of the policy, such as max=28; may be repeated.", valueName: "key=value"))
    var set: [String] = []
    @Flag(help: "Print JSON.") var json = false

    func run() async throws {
      let name = try AutoscaleCommand.policy(policy)
      let trace = try ScalingTrace.read(file: trace, note: Console.note)
      let run = try SimulatedRun(trace, policy: name, given: set)
      json ? Console.data(json: .object(run.fields)) : Console.data(run.text)
    }

    private static var settingsText: String {
      PolicyName.allCases.map { policy in
        "\(policy.rawValue): \(PolicySettings.keys(of: policy).map(\.rawValue).joined(separator: ", "))"
      }.joined(separator: "; ") + "."
    }
  }

  struct Compare: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Run every policy on several traces, and print the score table.",
      discussion: """
        Without traces they are drawn: each shape with the first held-out seeds. Exits 0 whatever the scores are.
        """)

    @Argument(help: "Trace files.") var traces: [String] = []
    @Option(
      help: "Only these shapes, separated by commas: \(TraceShape.allCases.map(\.rawValue).joined(separator: ", ")).")
    var shapes: String?
    @Option(help: "Seeds of each shape, 1 to 20.") var seeds = 1
    @Flag(help: "Draw with the seeds that constants may be chosen on, instead of the held-out ones.") var tuning = false
    @Flag(help: "Print JSON.") var json = false

    func validate() throws { try Bounds.check("--seeds", seeds, 1...20) }

    func run() async throws {
      let shapes =
        try shapes?.split(separator: ",").map { try AutoscaleCommand.shape(String($0)) } ?? TraceShape.allCases
      let range = tuning ? TraceShape.tuningSeeds : TraceShape.heldOutSeeds
      let drawn = traces.isEmpty ? shapes.flatMap { shape in range.prefix(seeds).map { (shape, $0) } } : []
      let files = try traces.map { try Comparison(ScalingTrace.read(file: $0, note: Console.note)) }
      var comparisons = files
      for (shape, seed) in drawn {
        try Task.checkCancellation()
        comparisons.append(try Comparison(shape.trace(seed: seed)))
      }
      json
        ? Console.data(json: .object([("traces", .list(comparisons.map(\.json)))]))
        : Console.data(Comparison.table(comparisons))
    }
  }

  struct Generate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Write a trace of a shape, drawn from a seed.",
      discussion:
        "Shapes: \(TraceShape.allCases.map(\.rawValue).joined(separator: ", ")). The same seed gives the same trace.")

    @Argument(help: "The shape.") var shape: String
    @Option(help: "Drawn from it.") var seed: UInt64 = TraceShape.heldOutSeeds.lowerBound

    func run() async throws {
      let trace = try AutoscaleCommand.shape(shape).trace(seed: seed)
      trace.write { Console.data($0) }
    }
  }

  private static func policy(_ text: String) throws -> PolicyName {
    guard let policy = PolicyName(rawValue: text) else {
      throw StageFailure(
        code: "usage", message: "there is no scaling policy \(text)",
        hint: "use one of \(PolicyName.allCases.map(\.rawValue).joined(separator: ", "))")
    }
    return policy
  }

  private static func shape(_ text: String) throws -> TraceShape {
    guard let shape = TraceShape(rawValue: text) else {
      throw StageFailure(
        code: "usage", message: "there is no shape \(text)",
        hint: "use one of \(TraceShape.allCases.map(\.rawValue).joined(separator: ", "))")
    }
    return shape
  }
}
