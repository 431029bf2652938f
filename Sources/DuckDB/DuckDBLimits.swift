/// What one DuckDB child may use. The child is ended when it takes more.
package struct DuckDBLimits: Sendable, Equatable {
  /// What DuckDB's own buffers may take, in bytes; the process is some ten megabytes larger.
  package var memoryBytes: Int
  package var threads: Int
  /// Wall clock for the whole session.
  package var time: Duration
  /// What may be spilled into the scratch directory, in bytes.
  package var temporaryBytes: Int

  package init(
    memoryBytes: Int = 1_000_000_000, threads: Int = 2, time: Duration = .seconds(3600),
    temporaryBytes: Int = 20_000_000_000
  ) {
    self.memoryBytes = memoryBytes
    self.threads = threads
    self.time = time
    self.temporaryBytes = temporaryBytes
  }
}

/// Where a DuckDB child works and what it may open.
package struct DuckDBPlace: Sendable, Equatable {
  /// The working directory; spilled data and the child's home are in it. It must exist.
  package var directory: String
  /// The database file; nil: in memory.
  package var database: String?
  /// Directories whose files may be read and written besides `directory`; nil: all that the user of this process may.
  package var directories: [String]?
  /// Single files, such as `/dev/stdout`.
  package var files: [String]
  /// Extensions to load from the extension directory before the configuration is locked.
  package var extensions: [String]
  /// Pins a child to the order of its input; off where the result is sorted anyway, which takes less memory.
  package var keepsInsertionOrder: Bool

  package init(
    directory: String, database: String? = nil, directories: [String]? = nil, files: [String] = [],
    extensions: [String] = [], keepsInsertionOrder: Bool = true
  ) {
    self.directory = directory
    self.database = database
    self.directories = directories
    self.files = files
    self.extensions = extensions
    self.keepsInsertionOrder = keepsInsertionOrder
  }
}
