import DuckDB
import FoundationEssentials
import Synchronization

/// Runs `body` with the real DuckDB and an empty directory that is removed afterwards.
func withScratch<T>(_ body: (DuckDB, DuckDBPlace) async throws -> T) async throws -> T {
  let path = FileManager.default.temporaryDirectory.path + "/sluice-duckdb-" + UUID().uuidString
  try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(atPath: path) }
  return try await body(try DuckDB.locate(), DuckDBPlace(directory: path, directories: []))
}

/// The most memory that a child was seen with.
final class PeakMemory: Sendable {
  private let most = Mutex<Int64>(0)
  var bytes: Int64 { most.withLock { $0 } }
  func note(_ bytes: Int64) { most.withLock { $0 = max($0, bytes) } }
}
