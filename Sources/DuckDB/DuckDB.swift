import Subprocess

/// The DuckDB command line, run as a child process under limits of its own.
///
/// A child that runs out of memory, hangs or crashes never takes this process along; a child never outlives
/// this process: it is started with a parent-death signal, in a process group of its own.
package struct DuckDB: Sendable {
  package let executable: String
  /// Where extensions lie as `v1.5.5/linux_amd64/NAME.duckdb_extension`; nothing is ever downloaded.
  package let extensionDirectory: String?

  let clock: any Clock<Duration>
  /// A number that no data can know. It marks where an answer ends, so that no value passes for the end.
  let newNonce: @Sendable () -> UInt64
  /// Is told what each child took of memory.
  var tellMemory: (@Sendable (Int64) -> Void)?

  package init(
    executable: String, extensionDirectory: String? = nil, clock: any Clock<Duration> = ContinuousClock(),
    newNonce: @escaping @Sendable () -> UInt64 = { UInt64.random(in: .min ... .max) }
  ) {
    self.newNonce = newNonce
    self.executable = executable
    self.extensionDirectory = extensionDirectory
    self.clock = clock
  }

  /// Runs `body` with a child that waits for statements.
  ///
  /// The child is killed when `body` throws, when the task is cancelled and when `limits.time` is over.
  ///
  /// - Throws: ``DuckDBError``, or what `body` throws.
  package func withSession<T: Sendable>(
    in place: DuckDBPlace, limits: DuckDBLimits, _ body: @escaping @Sendable (DuckDBSession) async throws -> T
  ) async throws -> T {
    let settings = try settingsScript(place, limits)
    let nonce = newNonce()
    return try await withTimeLimit(limits.time) {
      let outcome = try await launch(place, limits, stopsAtError: false, error: .combinedWithOutput) { execution in
        let session = DuckDBSession(
          writer: execution.standardInputWriter, output: execution.standardOutput, limits: limits,
          directory: place.directory, nonce: nonce, planFile: place.planFile)
        try await session.begin(settings)
        return try await body(session)
      }
      return outcome.closureResult
    }
  }

  /// Runs statements for their effect.
  package func run(_ script: String, in place: DuckDBPlace, limits: DuckDBLimits) async throws {
    try await withSession(in: place, limits: limits) { session in try await session.run(script) }
  }

  /// Runs one SELECT; for results that fit in memory.
  package func query(_ sql: String, in place: DuckDBPlace, limits: DuckDBLimits) async throws -> DuckDBTable {
    try await withSession(in: place, limits: limits) { session in try await session.table(sql) }
  }

  /// Runs a script whose standard output is data, such as `copy (…) to '/dev/stdout' (format postgres_binary)`.
  ///
  /// `body` reads the bytes as they come; the child waits while nobody reads. The sequence ends only when the
  /// whole script succeeded: a child that failed or was killed half-way makes it throw instead. What `body`
  /// leaves unread is dropped.
  ///
  /// - Throws: ``DuckDBError``, or what `body` throws.
  package func withStream<T: Sendable>(
    of script: String, in place: DuckDBPlace, limits: DuckDBLimits,
    _ body: @escaping @Sendable (DuckDBBytes) async throws -> T
  ) async throws -> T {
    var opened = place
    opened.files += ["/dev/stdout", "/dev/stderr"]
    let success = "@@sluice done \(newNonce())"
    let finish = "copy (select '\(success)') to '/dev/stderr' (format csv, header false, use_tmp_file false);"
    try ShellWall.check(script)
    let text = try settingsScript(opened, limits) + "\n" + script + "\n;\n" + finish + "\n"
    return try await withTimeLimit(limits.time) {
      let outcome = try await launch(place, limits, stopsAtError: true, error: .sequence) { execution in
        async let feeding: Void = feed(text, to: execution.standardInputWriter)
        let (told, tell) = AsyncStream.makeStream(of: String.self)
        async let errors: Void = DuckDBErrors.collect(execution.standardError, into: tell)
        let bytes = DuckDBBytes(execution.standardOutput, told: told, success: success) { said in
          DuckDBError.parse(said, limits: limits, directory: place.directory)
        }
        let result: T
        // Killed in both cases before the two tasks are waited for: they end with their pipes.
        do { result = try await body(bytes) } catch {
          try? execution.send(signal: .kill, toProcessGroup: true)
          throw error
        }
        try? execution.send(signal: .kill, toProcessGroup: true)
        _ = await (feeding, errors)
        return result
      }
      return outcome.closureResult
    }
  }
}
