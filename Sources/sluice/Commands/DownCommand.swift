import ArgumentParser
import EmbeddedPostgres
import Glibc
import JobModel
import Launchers
import PipelineDefinition

struct DownCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "down", abstract: "Stop what sluice up started: workers finish their chunks and give their jobs back.",
    discussion: """
      It stops the processes of this project folder and environment on this host, also while the database is away. \
      Where no server answers there is nothing to give back, and after five seconds they are killed. Nothing is lost by that.
      """)

  @OptionGroup var options: ProjectOptions
  @Option(help: "Seconds to wait for workers to reach a checkpoint.") var timeout = Seconds(60)

  /// For processes that end by themselves when the database does not answer.
  private static let patienceWithoutDatabase = Duration.seconds(5)

  func run() async throws {
    let project = try options.project()
    try StateOwnership(project).confirm()
    let stateDirectory = Installation.stateDirectory(project)
    let processes = Installation.processes(stateDirectory)
    var stopping = Stopping(processes: processes, predecessor: ControlFile.read(stateDirectory)?.pid)
    let clock = ContinuousClock()
    let deadline = clock.now + timeout.duration
    var nextLook = clock.now + Self.patienceWithoutDatabase
    while !stopping.look().isEmpty, clock.now < deadline {
      if clock.now > nextLook {
        if await isAway(project) { stopping.killAll() }
        nextLook = clock.now + Self.patienceWithoutDatabase
      }
      try await clock.sleep(for: .milliseconds(50))
    }
    let left = stopping.look()
    guard left.isEmpty else {
      Console.note("still stopping: \(left.sorted())")
      throw ExitStatus.timedOut
    }
    // Where its last user was killed, it still runs.
    try await EmbeddedPostgres.stopUnused(directory: project.directory + "/.sluice/postgres")
    for entry in processes.entries() where entry.pid == nil {
      Console.note("a process in another container that shares the project folder keeps running: \(entry.name)")
    }
    let count = stopping.told.count
    let killed = stopping.killed.count
    if killed > 0 { Console.note("the database does not answer: \(killed) process(es) were killed") }
    options.json
      ? Console.data(json: .object([("stopped", .int(Int64(count)))]))
      : Console.data(count == 0 ? "nothing was running" : "stopped \(count) process(es)")
  }

  /// Only what is known to be away: a database that refuses this shell may serve the workers well.
  private func isAway(_ project: Project) async -> Bool {
    do { return try await Installation.isDatabaseAway(project) } catch { return false }
  }

  /// The processes that are told to stop. One that an ending control has just started is found at the next look.
  private struct Stopping {
    let processes: ProcessTable
    /// The control of an engine from before the locks.
    let predecessor: Int32?
    private(set) var told: Set<Int32> = []
    private(set) var killed: Set<Int32> = []

    init(processes: ProcessTable, predecessor: Int32?) {
      self.processes = processes
      self.predecessor = predecessor
    }

    /// The processes that still live.
    mutating func look() -> Set<Int32> {
      var living = Set(processes.entries().compactMap(\.pid))
      if let predecessor, processes.isPredecessor(predecessor) { living.insert(predecessor) }
      for pid in living.subtracting(told) {
        processes.send(SIGTERM, toProcess: pid)
        told.insert(pid)
      }
      return living
    }

    mutating func killAll() {
      for pid in look() {
        processes.send(SIGKILL, toProcess: pid)
        killed.insert(pid)
      }
    }
  }
}
