import FoundationEssentials
import Glibc
import JobModel
import JobStore
import JobWorker
import Logging
import Postgres
import ServiceLifecycle
import UnixSignals

/// A worker for the tests that injure it: the queue's own services, with handlers that write into a sink.
///
/// Its settings are in the environment: `FAULT_DATABASE` and `FAULT_NAME`, and where they are to differ `FAULT_SINK`,
/// `FAULT_SLOTS`, `FAULT_POLL_SECONDS`, `FAULT_GRACE_SECONDS`, `FAULT_IDLE_SECONDS`, `FAULT_ROLE` (`worker`, `maintenance` or
/// both); `SLUICE_LEASE` and `SLUICE_POLL_ONLY` as they are read by the program.
@main
struct FaultWorker {
  private let environment = ProcessInfo.processInfo.environment

  static func main() async {
    do { try await FaultWorker().serve() } catch {
      let text = "ended: \(error)\n"
      _ = text.utf8CString.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, text.utf8.count) }
      exit(error is WorkerRevoked ? 3 : 1)
    }
  }

  private func serve() async throws {
    guard let url = environment["FAULT_DATABASE"], let name = environment["FAULT_NAME"] else { exit(2) }
    let timing = try LeaseTiming.configured(environment)
    let isPooled = environment["SLUICE_POLL_ONLY"] == "1"
    // Whoever stops inside of a transaction holds up nobody for longer than this.
    let options = ["idle_in_transaction_session_timeout": "\(Int(number("FAULT_IDLE_SECONDS", 2)))s"]
    let settings = try PostgresSettings(url, applicationName: name, options: options, isPooled: isPooled)
    let store = JobStore(database: PostgresPool(settings, maximum: 6), bell: LaneBell())
    let logger = Logger(label: name) { StreamLogHandler.standardError(label: $0) }
    let sink = try environment["FAULT_SINK"].map {
      PostgresPool(try PostgresSettings($0, applicationName: name + "-sink", options: options), maximum: 4)
    }
    let chunks = ChunkHandler(store: store, foreign: sink)
    var worker = WorkerSettings(
      slots: Int(number("FAULT_SLOTS", 4)), timing: timing,
      retry: RetryPolicy(firstDelay: .milliseconds(300), longestDelay: .seconds(1)), host: "localhost", pid: getpid(),
      engine: "test")
    worker.poll = .seconds(number("FAULT_POLL_SECONDS", 0.2))
    worker.stopGrace = .seconds(number("FAULT_GRACE_SECONDS", 30))

    let role = environment["FAULT_ROLE"] ?? "both"
    var services: [ServiceGroupConfiguration.ServiceConfiguration] = []
    if role != "worker" {
      services.append(
        .init(service: QueueMaintenance(store: store, database: settings, timing: timing, logger: logger)))
    }
    if role != "maintenance" {
      services.append(
        .init(
          service: Worker(
            settings: worker, database: settings, store: store, handlers: ["chunks": chunks], logger: logger),
          successTerminationBehavior: .gracefullyShutdownGroup,
          failureTerminationBehavior: .gracefullyShutdownGroup))
    }
    let group = ServiceGroup(
      configuration: .init(services: services, gracefulShutdownSignals: [.sigterm], logger: logger))
    try await group.run()
  }

  private func number(_ name: String, _ standard: Double) -> Double {
    environment[name].flatMap { Double($0) } ?? standard
  }
}
