import ArgumentParser
import FleetSimulation
import FoundationEssentials
import JobModel
import JobStore

struct TraceCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "trace", abstract: "Record the work of this system, to try scaling policies on it.",
    subcommands: [Record.self])

  struct Record: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Write the jobs of the last hours as a trace for `sluice autoscale`.",
      discussion: """
        The trace is newline-delimited JSON on standard output, in the format of docs/scaling.md. It has the jobs that are done: \
        when each could run, its seconds and its memory. What the system does not know is an option: the first line \
        has it, and can be edited.
        """)

    @OptionGroup var options: ProjectOptions
    @Option(help: "How far back, such as 90m or 24h. Jobs are kept for as long as their history.") var last = "24h"
    @Option(help: "Seconds from the start of a worker to its first claim.") var startSeconds = 2.0
    @Option(help: "Memory that all running jobs share (default: this machine's), in GB.") var memoryGB: Double?
    @Option(help: "A job that ran for so many seconds keeps its progress.") var checkpointSeconds = 30.0
    @Option(help: "Seconds for which a worker that is ended may continue.") var graceSeconds = 30.0
    @Option(help: "The most workers that there can be.") var maxWorkers = 8
    @Option(help: "Jobs at once in each worker.") var slots = 2

    /// Of a job that no attempt was measured of, in GB: it ended before its first beat.
    private static let smallJob = 0.05

    func validate() throws {
      try Bounds.check("--max-workers", maxWorkers, ScalingTrace.Bounds.workers)
      try Bounds.check("--slots", slots, ScalingTrace.Bounds.slots)
      for (name, value) in [
        ("--start-seconds", startSeconds), ("--checkpoint-seconds", checkpointSeconds),
        ("--grace-seconds", graceSeconds), ("--memory-gb", memoryGB ?? 1),
      ] where !(0...1_000_000).contains(value) {
        throw ValidationError("\(name) must be 0 to 1000000")
      }
    }

    func run() async throws {
      let seconds = try DeployCommand.duration(last, option: "--last").inSeconds
      guard ScalingTrace.Bounds.traceSeconds.contains(seconds) else {
        throw StageFailure(
          code: "usage", message: "--last: \(last) is longer than a trace can be", hint: "use at most 2200h")
      }
      try await Installation.with(options, access: .reading) { installation in
        let limit = ScalingTrace.Bounds.lines
        let jobs = try await installation.store.doneJobs(ofLast: seconds, limit: limit)
        if jobs.count == limit { Console.note("only the first \(limit) jobs are written; use a shorter --last") }
        let trace = ScalingTrace(
          header: ScalingTrace.Header(
            trace: installation.environment, seconds: seconds, startSeconds: startSeconds,
            memoryGB: memoryGB ?? Self.machineGB, checkpointSeconds: checkpointSeconds, graceSeconds: graceSeconds,
            maxWorkers: maxWorkers, slots: slots),
          jobs: jobs.map { job in
            ScalingTrace.Job(
              at: Self.rounded(job.at), kind: job.kind, seconds: Self.rounded(job.seconds),
              memoryGB: job.memory.map { Self.rounded($0 / 1e9) } ?? Self.smallJob)
          })
        trace.write { Console.data($0) }
        Console.note("\(jobs.count) jobs of the last \(last)")
      }
    }

    private static var machineGB: Double { rounded(Double(ProcessInfo.processInfo.physicalMemory) / 1e9) }
    private static func rounded(_ value: Double) -> Double { (value * 1000).rounded() / 1000 }
  }
}
