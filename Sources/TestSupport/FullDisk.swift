import FoundationEssentials
import Glibc

/// A filesystem of a few bytes, for tests of what happens when it is full.
package struct FullDisk: Sendable {
  /// Where it is mounted.
  package let directory: String

  /// Whether this user may mount a small filesystem.
  package static let isAvailable: Bool = {
    let directory = FileManager.default.temporaryDirectory.appending(path: "sluice-full-\(UUID().uuidString)").path
    guard let disk = try? mounted(bytes: 1 << 16, at: directory) else { return false }
    disk.unmount()
    rmdir(directory)
    return true
  }()

  /// In a folder of its own.
  package static func with(bytes: Int, _ body: (String) async throws -> Void) async throws {
    let directory = FileManager.default.temporaryDirectory.appending(path: "sluice-full-\(UUID().uuidString)").path
    defer { rmdir(directory) }
    try await with(bytes: bytes, at: directory) { try await body($0.directory) }
  }

  /// In a folder that is made where it is missing, and stays.
  package static func with(
    bytes: Int, at directory: String, _ body: (FullDisk) async throws -> Void
  ) async throws {
    let disk = try mounted(bytes: bytes, at: directory)
    defer { disk.unmount() }
    try await body(disk)
  }

  /// Makes room.
  package func grow(to bytes: Int) throws {
    guard mount("tmpfs", directory, "tmpfs", UInt(MS_REMOUNT), "size=\(bytes)") == 0 else {
      throw TestSupportError("\(directory) cannot grow: \(String(cString: strerror(errno)))")
    }
  }

  private static func mounted(bytes: Int, at directory: String) throws -> FullDisk {
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    guard mount("tmpfs", directory, "tmpfs", 0, "size=\(bytes)") == 0 else {
      throw TestSupportError("nothing can be mounted at \(directory): \(String(cString: strerror(errno)))")
    }
    return FullDisk(directory: directory)
  }

  /// A process that has just ended may still hold it for a moment.
  private func unmount() { umount2(directory, Int32(MNT_DETACH)) }
}
