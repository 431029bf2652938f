import DuckDB
import FoundationEssentials

/// Runs `body` with the real DuckDB and an empty directory that is removed afterwards.
func withScratch<T>(_ body: (DuckDB, DuckDBPlace) async throws -> T) async throws -> T {
  let path = FileManager.default.temporaryDirectory.path + "/sluice-duckdb-" + UUID().uuidString
  try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(atPath: path) }
  return try await body(try DuckDB.locate(), DuckDBPlace(directory: path, directories: []))
}
