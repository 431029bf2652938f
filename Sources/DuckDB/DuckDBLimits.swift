/// What one DuckDB child may use. The child is ended when it takes more.
package struct DuckDBLimits: Sendable, Equatable {
  /// What the child may take, in bytes: a limit of the kernel, which no statement can pass. At least ``minimumMemoryBytes``
  /// are given.
  package var memoryBytes: Int
  package var threads: Int
  /// Wall clock for the whole session.
  package var time: Duration
  /// What may be spilled into the scratch directory, in bytes.
  package var temporaryBytes: Int
  /// Memory that ``grown(after:)`` does not exceed; nil: no such limit.
  package var mostMemoryBytes: Int?

  package init(
    memoryBytes: Int = 1_000_000_000, threads: Int = 2, time: Duration = .seconds(3600),
    temporaryBytes: Int = 20_000_000_000
  ) {
    self.memoryBytes = memoryBytes
    self.threads = threads
    self.time = time
    self.temporaryBytes = temporaryBytes
  }

  /// What the next attempt gets after so many that ran out of memory: half more each time, within ``mostMemoryBytes``.
  package func grown(after memoryKills: Int) -> DuckDBLimits {
    var grown = self
    for _ in 0..<min(max(memoryKills, 0), Self.mostGrowths) { grown.memoryBytes += grown.memoryBytes / 2 }
    grown.memoryBytes = max(memoryBytes, min(grown.memoryBytes, mostMemoryBytes ?? grown.memoryBytes))
    return grown
  }

  /// More attempts of a job do not run out of memory.
  private static let mostGrowths = 8

  /// Below this DuckDB cannot start its threads and read a file.
  package static let minimumMemoryBytes = 256_000_000

  /// What the program takes outside of DuckDB's count, and what each thread adds to it: measured with sorts, aggregates and
  /// partitioned writes of some million rows, 30 MB and 80 MB at the most.
  private static let uncounted = (program: 32_000_000, thread: 80_000_000)

  /// The kernel's limit on the child's private memory (`RLIMIT_DATA`).
  var hardMemoryBytes: Int { max(memoryBytes, Self.minimumMemoryBytes) }

  /// What `postgres_scanner` reserves while it is loaded: some 30 threads whose stacks are never touched.
  static let extensionReserveBytes = 320_000_000

  /// Threads that the memory is enough for.
  var usableThreads: Int {
    max(1, min(threads, (hardMemoryBytes - Self.uncounted.program) / (2 * Self.uncounted.thread)))
  }

  /// DuckDB's own limit, low enough that its error comes before the kernel's.
  var engineMemoryBytes: Int {
    min(memoryBytes, hardMemoryBytes - Self.uncounted.program - usableThreads * Self.uncounted.thread)
  }
}

/// Where a DuckDB child works and what it may open.
package struct DuckDBPlace: Sendable, Equatable {
  /// The working directory; spilled data and the child's home are in it. It must exist.
  package var directory: String
  /// The database file; nil: in memory.
  package var database: String?
  /// Directories whose files may be read and written in addition to `directory`. All other files are closed.
  package var directories: [String]
  /// Single files, such as `/dev/stdout`.
  package var files: [String]
  /// Extensions to load from the extension directory before the configuration is locked.
  package var extensions: [String]
  /// Pins a child to the order of its input; off where the result is sorted anyway, which takes less memory.
  package var keepsInsertionOrder: Bool
  /// The child gives freed memory back at once. Otherwise it keeps it in pieces, and may find none that is large enough
  /// within its limit while much of it is free. Takes up to a fifth more of the processor.
  package var returnsMemory: Bool
  /// Where the child leaves the plan of each statement, with the rows that each operator gave; nil: nowhere. In `directory`, with a
  /// name that ends in `.txt`, which the engine takes for every form of a plan.
  package var planFile: String?

  package init(
    directory: String, database: String? = nil, directories: [String] = [], files: [String] = [],
    extensions: [String] = [], keepsInsertionOrder: Bool = true, returnsMemory: Bool = false,
    planFile: String? = nil
  ) {
    self.planFile = planFile
    self.directory = directory
    self.database = database
    self.directories = directories
    self.files = files
    self.extensions = extensions
    self.keepsInsertionOrder = keepsInsertionOrder
    self.returnsMemory = returnsMemory
  }
}
