import JobModel

/// Why a DuckDB child did not do its work.
package struct DuckDBError: Failure, Equatable, CustomDebugStringConvertible {
  package enum Code: String, Sendable {
    /// No usable `duckdb` was found.
    case missing = "duckdb_missing"
    case memoryLimit = "memory_limit"
    case diskFull = "disk_full"
    case timeLimit = "time_limit"
    case sql = "sql_error"
    /// The child was killed by a signal that was not ours, as the kernel kills where memory is short.
    case killed = "duckdb_killed"
    /// It was ended by another signal: it crashed, or somebody asked it to end.
    case stopped = "duckdb_stopped"
    /// The child said something that this module cannot read.
    case unreadable = "duckdb_unreadable"
    /// More than the caller takes.
    case resultTooLarge = "result_too_large"
  }

  package var kind: Code
  package var message: String
  package var hint: String?
  package var isTransient: Bool
  /// All that the child said, values included; never for a log.
  package var detail: String

  package init(_ kind: Code, _ message: String, hint: String? = nil, isTransient: Bool = false, detail: String = "") {
    self.kind = kind
    self.message = message
    self.hint = hint
    self.isTransient = isTransient
    self.detail = detail
  }

  package var code: String { kind.rawValue }
  package var isOutOfMemory: Bool { [.memoryLimit, .killed].contains(kind) }
  package var debugDescription: String { detail.isEmpty ? description : "\(description)\n\(detail)" }

  /// Reads what the child wrote to its standard error.
  static func parse(_ text: String, limits: DuckDBLimits, directory: String) -> DuckDBError {
    guard let first = text.split(separator: "\n").first.map(String.init) else {
      return DuckDBError(
        .killed, "DuckDB was killed from outside, probably because the machine ran out of memory",
        hint: "lower limits.memory or run fewer jobs at a time", isTransient: true)
    }
    if text.contains("No space left on device") || text.contains("Disk quota exceeded") {
      return DuckDBError(
        .diskFull, "the disk is full in \(unwritableDirectory(in: first) ?? directory)",
        hint: "free space there; the work goes on by itself", isTransient: true, detail: text)
    }
    if text.contains("max_temp_directory_size") || text.contains("failed to offload") {
      return DuckDBError(
        .memoryLimit,
        "the SQL needs more than \(megabytes(limits.memoryBytes)) of memory and "
          + "\(megabytes(limits.temporaryBytes)) of scratch space in \(directory)",
        hint: "raise limits.memory, or split the batch", detail: text)
    }
    // A library that gets no memory, or no thread for lack of it, ends the process.
    if first.hasPrefix("Out of Memory Error") || text.contains("std::bad_alloc") || first.hasPrefix("terminate called")
    {
      return DuckDBError(
        .memoryLimit, "the SQL needs more than \(megabytes(limits.memoryBytes)) of memory",
        hint: "raise limits.memory, or lower limits.threads", detail: text)
    }
    return DuckDBError(.sql, withoutValues(first), detail: text)
  }

  /// The directory of the file in `Could not write file "…"`.
  private static func unwritableDirectory(in line: String) -> String? {
    let parts = line.split(separator: "\"", omittingEmptySubsequences: false)
    guard parts.count >= 3, let slash = parts[1].lastIndex(of: "/") else { return nil }
    return String(parts[1][..<slash])
  }

  /// In the errors that are about values these stand in quotes; they are taken out.
  private static func withoutValues(_ line: String) -> String {
    let kinds = ["Conversion Error", "Invalid Input Error", "Constraint Error", "Out of Range Error"]
    guard kinds.contains(where: line.hasPrefix) else { return line }
    var result = ""
    var quote: Character?
    for character in line {
      if let open = quote {
        if character == open {
          result += "…" + String(character)
          quote = nil
        }
      } else {
        result.append(character)
        if character == "\"" || character == "'" { quote = character }
      }
    }
    return quote == nil ? result : result + "…"
  }

  private static func megabytes(_ bytes: Int) -> String { "\(bytes / 1_000_000) MB" }
}
