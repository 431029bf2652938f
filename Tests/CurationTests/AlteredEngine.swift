import DuckDB
import FoundationEssentials

extension Workbench {
  /// The same with an engine whose statements are written to a file as it gets them, changed by a script of `sed` where there is one.
  func altered(_ script: String = "", log: String? = nil) throws -> Workbench {
    let path = "\(directory)/engine-\(UUID().uuidString)"
    try Data(script.utf8).write(to: URL(filePath: path + ".sed"))
    let text = """
      #!/bin/sh
      sed -u -f '\(path).sed' | tee '\(log ?? "/dev/null")' | '\(duckdb.executable)' "$@"
      """
    try Data(text.utf8).write(to: URL(filePath: path))
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
    return Workbench(directory: directory, duckdb: DuckDB(executable: path), limits: limits)
  }
}
