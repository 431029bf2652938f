import FoundationEssentials

/// A folder of a test's own, removed after it.
package struct TestProject: Sendable {
  package let directory: String

  /// A folder that the caller makes and removes.
  package init(directory: String) { self.directory = directory }

  /// Runs `body` with an empty folder.
  @discardableResult
  package static func withProject<T: Sendable>(
    _ body: @Sendable (TestProject) async throws -> T
  ) async throws -> T {
    let project = TestProject(directory: try TemporaryFolder.make("sluice-project"))
    let result: T
    do { result = try await body(project) } catch {
      // The test's own failure is the one to tell.
      try? project.remove()
      throw error
    }
    try project.remove()
    return result
  }

  /// A server that is just ending removes files of its own at the same time.
  private func remove() throws {
    for _ in 0..<100 {
      do { return try FileManager.default.removeItem(atPath: directory) } catch {
        guard FileManager.default.fileExists(atPath: directory) else { return }
      }
    }
    try FileManager.default.removeItem(atPath: directory)
  }

  package func path(_ relative: String) -> String { directory + "/" + relative }

  /// Writes a file, with the folders above it.
  package func write(_ relative: String, _ text: String) throws { try write(relative, Array(text.utf8)) }

  package func write(_ relative: String, _ bytes: [UInt8]) throws {
    let target = path(relative)
    let folder = target[..<(target.lastIndex(of: "/") ?? target.endIndex)]
    try FileManager.default.createDirectory(atPath: String(folder), withIntermediateDirectories: true)
    try Data(bytes).write(to: URL(filePath: target))
  }

  package func text(_ relative: String) throws -> String {
    String(decoding: try Data(contentsOf: URL(filePath: path(relative))), as: UTF8.self)
  }

  package func exists(_ relative: String) -> Bool { FileManager.default.fileExists(atPath: path(relative)) }
}
