import FoundationEssentials

#if canImport(Glibc)
  import Glibc
#endif

/// A filesystem of a few bytes, for tests of what happens when it is full.
enum FullDisk {
  /// Whether this user may mount a small filesystem.
  static let isAvailable: Bool = {
    guard let directory = try? mounted(bytes: 1 << 16) else { return false }
    unmount(directory)
    return true
  }()

  static func with(bytes: Int, _ body: (String) async throws -> Void) async throws {
    let directory = try mounted(bytes: bytes)
    defer { unmount(directory) }
    try await body(directory)
  }

  private struct Refused: Error {}

  private static func mounted(bytes: Int) throws -> String {
    let directory = FileManager.default.temporaryDirectory.appending(path: "sluice-full-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    guard mount("tmpfs", directory, "tmpfs", 0, "size=\(bytes)") == 0 else {
      _ = rmdir(directory)
      throw Refused()
    }
    return directory
  }

  private static func unmount(_ directory: String) {
    _ = umount(directory)
    _ = rmdir(directory)
  }
}
