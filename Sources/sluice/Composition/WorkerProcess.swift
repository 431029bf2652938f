import ControlPlane
import FoundationEssentials
import Glibc
import JobModel
import JobStore
import JobWorker
import Launchers
import Logging
import Monitoring
import PipelineDefinition
import ServiceLifecycle
import UnixSignals

extension Installation {
  /// Makes this process known as one that works on the installation's jobs, until it ends.
  func joinProcesses(as role: String) throws -> ProcessLock {
    guard let lock = try processes.join(as: "\(role)-\(UUID().uuidString.lowercased())") else {
      preconditionFailure("another process cannot have a name that was just drawn")
    }
    return lock
  }

  /// A worker of this process.
  func worker(
    slots: Int?, release: Int64, handlers: [String: any JobHandler], timing: LeaseTiming, servesOneRun: Bool = false
  ) -> Worker {
    var own = WorkerSettings(
      slots: slots ?? project.settings.limits.slots, servesOneRun: servesOneRun, timing: timing, release: release,
      host: Self.host, pid: getpid(), engine: Engine.version)
    own.launch = servesOneRun ? nil : Launch.named(in: ProcessInfo.processInfo.environment)
    own.memory = workerMemory
    return Worker(settings: own, database: settings, store: store, handlers: handlers, logger: logger)
  }

  /// Where `scaling.memory` is set, jobs are claimed by the memory that they need, within that of this machine.
  private var workerMemory: WorkerMemory? {
    guard let scaling = project.settings.scaling, let most = scaling.memoryBytes.map(Double.init) else { return nil }
    let limit = min(most, HostMemory.now().leastLimitBytes ?? most)
    var memory = WorkerMemory(workerBytes: Double(scaling.workerBytes)) { limit }
    memory.mostJobBytes = project.settings.mostJobBytes
    return memory
  }

  func maintenance(timing: LeaseTiming) -> QueueMaintenance {
    QueueMaintenance(store: store, database: settings, timing: timing, logger: logger)
  }

  /// Tells people what the outbox holds, by the rules of the definition that each run began with.
  func notifier(_ definitions: ReleaseDefinitions) -> Notifier {
    let resolver = self.resolver
    let directory = self.directory
    return Notifier(store: store, logger: logger) { message in
      guard let release = message.releaseID else { return [] }
      return try await definitions.project(of: release).pipeline(named: message.pipeline).notify
    } channel: { channel in
      switch channel {
      case .webhook(let url): WebhookChannel(url: try url.resolved(with: resolver))
      case .command(let words, let secrets):
        CommandChannel(
          command: try words.map { try $0.resolved(with: resolver) }, name: words.first?.source ?? "",
          secrets: try resolver.variables(ofSecrets: secrets, at: words.first?.place ?? .unknown),
          environment: ProcessInfo.processInfo.environment,
          directory: directory)
      }
    }
  }

  static func leaseTiming() throws -> LeaseTiming {
    try LeaseTiming.configured(ProcessInfo.processInfo.environment)
  }

  /// Runs services until one of them ends or a signal asks them to stop. The first SIGINT or SIGTERM drains; a second
  /// SIGINT ends the process at once, which loses nothing that was checkpointed.
  static func serve(_ services: [any Service], ending: [any Service] = [], logger: Logger) async throws {
    let impatience = Impatience()
    defer { impatience.cancel() }
    let group = ServiceGroup(
      configuration: .init(
        services: services.map { .init(service: $0) }
          + ending.map {
            .init(
              service: $0, successTerminationBehavior: .gracefullyShutdownGroup,
              failureTerminationBehavior: .gracefullyShutdownGroup)
          },
        gracefulShutdownSignals: [.sigint, .sigterm], logger: logger))
    try await group.run()
  }
}
