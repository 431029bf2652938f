import AsyncHTTPClient
import Catalog
import FoundationEssentials
import Ingestion
import JobModel
import NIOCore
import ObjectStore
import PipelineDefinition
import Synchronization

/// A raw zone and clocks for pulls without a job. Time passes only when somebody sleeps.
final class PullFixture: Sendable {
  let directory: String
  let store: LocalObjectStore
  private let clock = Mutex<Duration>(.zero)
  private let slept = Mutex<[Duration]>([])
  private let reports = Mutex<[JobProgress]>([])
  private let drains = Atomic(false)

  private init(directory: String) {
    self.directory = directory
    store = LocalObjectStore(root: directory + "/storage")
  }

  static func with<T>(_ body: (PullFixture) async throws -> T) async throws -> T {
    let directory = FileManager.default.temporaryDirectory.appending(path: "sluice-pull-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    return try await body(PullFixture(directory: directory))
  }

  /// Every wait, in order.
  var sleeps: [Duration] { slept.withLock { $0 } }
  var notes: [String] { reports.withLock { $0.compactMap(\.note) } }
  var lastReport: JobProgress? { reports.withLock { $0.last } }
  func drain() { drains.store(true, ordering: .relaxed) }

  var timing: PullTiming {
    PullTiming(
      now: { self.clock.withLock { $0 } },
      sleep: { duration in
        try Task.checkCancellation()
        self.slept.withLock { $0.append(duration) }
        self.clock.withLock { $0 += duration }
      },
      wallSeconds: { 784_111_777 }, jitter: { 1 })
  }

  func context(epoch: Int64 = 1) -> PullContext {
    PullContext(
      label: "billing.invoices", store: store,
      keys: RawKeys(
        stream: StreamID(pipeline: "orders", source: "billing", stream: "invoices"), run: RunID(7), job: JobID(40),
        epoch: epoch),
      report: { progress in self.reports.withLock { $0.append(progress) } },
      shouldYield: { self.drains.load(ordering: .relaxed) })
  }

  /// The bytes of an object, decoded.
  func text(_ key: String) async throws -> String {
    var bytes: [UInt8] = []
    for try await chunk in store.get(try ObjectKey(key)) { bytes += chunk }
    return String(decoding: bytes, as: UTF8.self)
  }

  var keys: [String] { get async throws { try await store.list(prefix: "").map(\.key.text) } }

  func write(_ text: String, to path: String) throws {
    let full = directory + "/" + path
    let folder = full[..<(full.lastIndex(of: "/") ?? full.endIndex)]
    try FileManager.default.createDirectory(atPath: String(folder), withIntermediateDirectories: true)
    guard FileManager.default.createFile(atPath: full, contents: Data(text.utf8)) else { throw CannotWrite(path: full) }
  }

  struct CannotWrite: Error { let path: String }
}

/// One client for all tests: it costs a thread pool and has no state that tests share.
func withClient<T>(
  silence: TimeAmount = .seconds(20), _ body: (HTTPClient) async throws -> T
) async throws -> T {
  let client = HTTPClient.forSources(silence: silence)
  let result: T
  do { result = try await body(client) } catch {
    try await client.shutdown()
    throw error
  }
  try await client.shutdown()
  return result
}

/// What a pull brought, step by step, until it ended or failed.
struct PullOutcome {
  var steps: [PulledStep] = []
  var error: (any Error)?
  var newCursor: String?
  var remark: String?
  var events: [PullEvent] = []

  var objects: [NewRawObject] { steps.compactMap(\.object) }
  var failure: (any Failure)? { (error as? any Failure) ?? steps.last?.fault }
}

/// Runs a pull to its end, its failure or its pause; stops after `limit` steps as a killed worker would.
func carry(_ connector: some Connector, from state: String? = nil, in context: PullContext, limit: Int = .max) async
  -> PullOutcome
{
  var outcome = PullOutcome()
  do {
    var pull = try await connector.pull(from: state, in: context)
    while outcome.steps.count < limit, let step = try await pull.next() {
      try await context.store.publish([step.staged].compactMap { $0 }, condition: .absent)
      outcome.steps.append(step)
      if step.fault != nil { return outcome }
      if let pause = step.pause { throw pause }
    }
    outcome.newCursor = pull.newCursor
    outcome.remark = pull.remark
    outcome.events = pull.events
  } catch { outcome.error = error }
  return outcome
}
