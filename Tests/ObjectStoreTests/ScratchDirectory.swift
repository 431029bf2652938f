import FoundationEssentials

/// A directory of this test alone; gone when the test ends.
func withScratchDirectory<T>(_ body: (String) async throws -> T) async throws -> T {
  let path = FileManager.default.temporaryDirectory.appending(path: "sluice-store-\(UUID().uuidString)").path
  try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(atPath: path) }
  return try await body(path)
}

/// Chunks of the given sizes with recognisable bytes; fails after them where `error` is given.
func chunks(_ sizes: [Int], then error: (any Error)? = nil) -> AsyncThrowingStream<[UInt8], any Error> {
  AsyncThrowingStream { continuation in
    for (index, size) in sizes.enumerated() {
      continuation.yield([UInt8](repeating: UInt8(truncatingIfNeeded: index + 1), count: size))
    }
    continuation.finish(throwing: error)
  }
}

func bytes(_ sizes: [Int]) -> [UInt8] {
  sizes.enumerated().flatMap { index, size in [UInt8](repeating: UInt8(truncatingIfNeeded: index + 1), count: size) }
}

func collect(_ stream: AsyncThrowingStream<[UInt8], any Error>) async throws -> [UInt8] {
  var all: [UInt8] = []
  for try await chunk in stream { all += chunk }
  return all
}
