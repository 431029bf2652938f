import FoundationEssentials
import Subprocess
import SystemPackage
import TestSupport

/// Every published version of a real file, in order, where the shared data is at hand.
struct Deliveries: Sendable {
  let name: String
  /// Paths, oldest first.
  let files: [String]

  static let folder: String? = {
    let here = FileManager.default.currentDirectoryPath
    let candidates = [ProcessInfo.processInfo.environment["SLUICE_SHARED_DATA"], "\(here)/../shared/data"]
    return candidates.compactMap { $0 }.first {
      FileManager.default.fileExists(atPath: "\($0)/airports-history.tar.zst")
    }
  }()

  static func unpack(_ name: String, into directory: String) async throws -> Deliveries {
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    let result = try await run(
      .name("tar"), arguments: ["--zstd", "-xf", "\(folder ?? "")/\(name)-history.tar.zst", "-C", directory],
      output: .discarded, error: .string(limit: 4096))
    guard result.terminationStatus.isSuccess else {
      throw TestSupportError("\(name) could not be unpacked: \(result.standardError)")
    }
    let files = try FileManager.default.subpathsOfDirectory(atPath: directory)
      .filter { $0.hasSuffix("-\(name).dat") }.sorted().map { "\(directory)/\($0)" }
    return Deliveries(name: name, files: files)
  }
}
