import FoundationEssentials
import Glibc

extension DuckDB {
  /// Finds DuckDB: `SLUICE_DUCKDB`, then `.tools/duckdb/duckdb` two levels above this executable's real path or in
  /// `projectDirectory`, then PATH.
  ///
  /// On PATH only the program itself counts: the wrapper script of the Python package of the same name does not,
  /// because it cannot be killed as one process.
  ///
  /// - Throws: ``DuckDBError`` `.missing`.
  package static func locate(
    environment: [String: String] = ProcessInfo.processInfo.environment,
    executablePath: String? = nil,
    projectDirectory: String = FileManager.default.currentDirectoryPath
  ) throws -> DuckDB {
    if let named = environment["SLUICE_DUCKDB"], !named.isEmpty {
      guard isProgram(named) else {
        throw DuckDBError(.missing, "SLUICE_DUCKDB names \(named), which is not an executable program")
      }
      return DuckDB(executable: named, extensionDirectory: extensions(beside: named, environment))
    }
    var folders: [String] = []
    if let own = executablePath ?? realPath("/proc/self/exe") {
      folders += ancestors(of: own, levels: 2...4).map { $0 + "/.tools/duckdb" }
    }
    folders.append(projectDirectory + "/.tools/duckdb")
    folders += (environment["PATH"] ?? "").split(separator: ":").map(String.init)
    for folder in folders {
      let candidate = folder + "/duckdb"
      if isProgram(candidate) {
        return DuckDB(executable: candidate, extensionDirectory: extensions(beside: candidate, environment))
      }
    }
    throw DuckDBError(
      .missing, "no duckdb program was found", hint: "run \"make setup\", or set SLUICE_DUCKDB to the program's path")
  }

  private static func extensions(beside program: String, _ environment: [String: String]) -> String? {
    if let named = environment["SLUICE_DUCKDB_EXTENSIONS"], !named.isEmpty { return named }
    guard let real = realPath(program), let slash = real.lastIndex(of: "/") else { return nil }
    let folder = real[..<slash] + "/extensions"
    return FileManager.default.fileExists(atPath: String(folder)) ? String(folder) : nil
  }

  private static func ancestors(of path: String, levels: ClosedRange<Int>) -> [String] {
    let parts = path.split(separator: "/")
    return levels.compactMap { level in
      parts.count > level ? "/" + parts.dropLast(level).joined(separator: "/") : nil
    }
  }

  /// Whether this is an executable ELF file.
  private static func isProgram(_ path: String) -> Bool {
    guard access(path, X_OK) == 0, let file = fopen(path, "r") else { return false }
    defer { fclose(file) }
    var magic = [UInt8](repeating: 0, count: 4)
    return fread(&magic, 1, 4, file) == 4 && magic == [0x7F, 0x45, 0x4C, 0x46]
  }

  static func realPath(_ path: String) -> String? {
    guard let resolved = realpath(path, nil) else { return nil }
    defer { free(resolved) }
    return String(cString: resolved)
  }
}
