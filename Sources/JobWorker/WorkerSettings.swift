import JobModel

#if canImport(Glibc)
  import Glibc
#endif

/// What one worker process is.
public struct WorkerSettings: Sendable {
  /// What the engine of a worker in a program that uses the queue alone is called, where nothing is said.
  @usableFromInline package static let program = "embedded"

  /// Jobs at once.
  public var slots: Int
  /// Whether it leaves with the run that it was started for.
  public var servesOneRun: Bool
  public var timing: LeaseTiming
  public var retry: RetryPolicy
  /// The release whose pinned jobs it takes; 0: only jobs that any release may do.
  public var release: Int64
  /// The stages whose lanes it claims from: of jobs without a run, their kinds. Nil: what it has handlers for.
  public var stages: [String]?
  public var host: String
  public var pid: Int32
  public var engine: String
  /// The name under which control launched it; nil: none.
  package var launch: String?
  /// The longest wait between two looks at an empty queue.
  public var poll: Duration
  /// Nil: it claims jobs for its free slots, whatever memory they need.
  package var memory: WorkerMemory?
  /// How long a drain waits for attempts to reach a checkpoint before it cancels them.
  public var stopGrace: Duration

  /// - Parameters:
  ///   - host: Shown with the worker, as are the next two; this machine's name where nothing is said.
  ///   - pid: This process.
  ///   - engine: The program and its version.
  public init(
    slots: Int, servesOneRun: Bool = false, timing: LeaseTiming = LeaseTiming(), retry: RetryPolicy = RetryPolicy(),
    release: Int64 = 0, stages: [String]? = nil,
    host: String = WorkerSettings.thisHost,
    pid: Int32 = getpid(), engine: String = WorkerSettings.program, poll: Duration = .milliseconds(200),
    stopGrace: Duration = .seconds(30)
  ) {
    precondition(slots > 0, "a worker has at least one slot")
    self.slots = slots
    self.servesOneRun = servesOneRun
    self.timing = timing
    self.retry = retry
    self.release = release
    self.stages = stages
    self.host = host
    self.pid = pid
    self.engine = engine
    self.poll = poll
    self.stopGrace = stopGrace
  }

  /// This machine's name.
  public static var thisHost: String {
    var name = [CChar](repeating: 0, count: 256)
    guard gethostname(&name, name.count - 1) == 0 else { return "localhost" }
    return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
