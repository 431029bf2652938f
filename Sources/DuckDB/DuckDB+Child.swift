import FoundationEssentials
import Glibc
import JobModel
import Subprocess
import SystemPackage

/// Starting, limiting and ending the child.
extension DuckDB {
  /// Starts DuckDB so that the kernel kills it when this process dies, and lets it have no more memory than its limit.
  ///
  /// `setpriv` sets the parent-death signal, `prlimit` the memory limit, and both become DuckDB. The signal is bound to the
  /// thread that starts the child; Subprocess starts every child from one thread that lives as long as the process. The
  /// environment is not handed down: it may hold secrets, and SQL can read it.
  func launch<Errors: ErrorOutputProtocol, T: Sendable>(
    _ place: DuckDBPlace, _ limits: DuckDBLimits, stopsAtError: Bool, error: Errors,
    _ body: @escaping @Sendable (Execution<CustomWriteInput, SequenceOutput, Errors>) async throws -> T
  ) async throws -> ExecutionResult<T, SequenceOutput, Errors> {
    _ = BrokenPipe.isAnError
    var options = PlatformOptions()
    options.processGroupID = 0
    options.teardownSequence = [.send(signal: .kill, toProcessGroup: true, allowedDurationToNextStep: .seconds(1))]
    let memory = limits.hardMemoryBytes + (place.extensions.isEmpty ? 0 : DuckDBLimits.extensionReserveBytes)
    let arguments =
      [
        "--pdeathsig", "KILL", "--", "prlimit", "--data=\(memory)", "--core=0", "--", executable,
        "-no-init", "-batch", "-jsonlines",
      ]
      + (stopsAtError ? ["-bail"] : [])
      + (!place.extensions.isEmpty && trusts(place.extensions) ? ["-unsigned"] : [])
      + [place.database ?? ":memory:"]
    do {
      return try await Subprocess.run(
        .name("setpriv"), arguments: Arguments(arguments),
        environment: .custom([
          "PATH": "/usr/bin:/bin", "HOME": place.directory, "LANG": "C.UTF-8", "TZ": "UTC",
          // Freed memory goes back to the system instead of counting against the limit.
          "DUCKDB_JE_MALLOC_CONF": "retain:false"
            + (place.returnsMemory ? ",oversize_threshold:1048576,dirty_decay_ms:0" : ""),
        ]),
        workingDirectory: FilePath(place.directory), platformOptions: options, input: .inputWriter, output: .sequence,
        error: error
      ) { execution in
        Self.endsFirst(execution.processIdentifier.value)
        do {
          return try await watchingMemory(of: execution.processIdentifier.value) { try await body(execution) }
        } catch {
          let signal =
            (error as? DuckDBError)?.kind == .killed ? await endSignal(of: execution.processIdentifier.value) : nil
          try? execution.send(signal: .kill, toProcessGroup: true)
          if let signal, signal != SIGKILL {
            throw DuckDBError(.stopped, "DuckDB was ended by signal \(signal)", isTransient: true)
          }
          throw error
        }
      }
    } catch let error as SubprocessError where error.code == .executableNotFound || error.code == .spawnFailed {
      throw DuckDBError(
        .missing, "DuckDB could not be started through setpriv",
        hint: "run \"sluice doctor\"; setpriv and prlimit are in the Debian package util-linux", detail: "\(error)")
    }
  }

  /// The signal that ended a child of this process; nil where it is not known. The child closes its pipes a moment before its end is known.
  private func endSignal(of child: pid_t) async -> Int32? {
    for _ in 0..<50 {
      var info = siginfo_t()
      guard waitid(P_PID, id_t(child), &info, WEXITED | WNOHANG | WNOWAIT) == 0 else { return nil }
      if info.si_signo == SIGCHLD {
        let isSignal = info.si_code == CLD_KILLED || info.si_code == CLD_DUMPED
        return isSignal ? info._sifields._sigchld.si_status : nil
      }
      do { try await clock.sleep(for: .milliseconds(10)) } catch { return nil }
    }
    return nil
  }

  /// Writes the whole script; a child that ended early tells why by its other pipes.
  func feed(_ text: String, to writer: StandardInputWriter) async {
    _ = try? await writer.write(text)
    try? await writer.finish()
  }

  /// The head of every script: limits first, then what may be opened, then nothing may be changed any more.
  ///
  /// `.safe_mode` comes last. It turns off access to all other files, locks the configuration, and takes from the shell
  /// every command of its own that runs programs or opens files. It cannot be turned off again.
  func settingsScript(_ place: DuckDBPlace, _ limits: DuckDBLimits) throws -> String {
    var lines = [
      "set memory_limit = '\(limits.engineMemoryBytes / 1000)KB'",
      "set threads = \(limits.usableThreads)",
      "set temp_directory = \(quoteLiteral(place.directory + "/spill"))",
      "set max_temp_directory_size = '\(limits.temporaryBytes / 1000)KB'",
      "set preserve_insertion_order = \(place.keepsInsertionOrder)",
      "set autoinstall_known_extensions = false",
      "set autoload_known_extensions = false",
      "set enable_progress_bar = false",
      "set TimeZone = 'UTC'",
    ]
    if let extensionDirectory { lines.append("set extension_directory = \(quoteLiteral(extensionDirectory))") }
    lines += place.extensions.map { "load \(quoteIdentifier($0))" }
    if let path = place.planFile {
      lines.append("set enable_profiling = 'json'")
      lines.append("set profiling_output = \(quoteLiteral(path))")
      lines.append("set custom_profiling_settings = \(quoteLiteral(StatementPlan.settings))")
    }
    lines.append("set allowed_directories = \(quoteList([place.directory] + place.directories))")
    lines.append("set allowed_paths = \(quoteList(place.files))")
    let script = lines.map { $0 + ";" }.joined(separator: "\n")
    try ShellWall.check(script)
    return script + "\n.safe_mode"
  }

  /// Runs `body`; when it is not done in time, cancels it, which kills the child.
  func withTimeLimit<T: Sendable>(_ limit: Duration, _ body: @escaping @Sendable () async throws -> T) async throws -> T
  {
    try await withThrowingTaskGroup(of: T?.self) { group in
      group.addTask { try await body() }
      group.addTask {
        try await clock.sleep(for: limit)
        return nil
      }
      defer { group.cancelAll() }
      guard let first = try await group.next(), let result = first else {
        throw DuckDBError(
          .timeLimit, "the SQL was not done after \(limit.components.seconds) seconds",
          hint: "raise limits.time, or split the batch")
      }
      return result
    }
  }
}
