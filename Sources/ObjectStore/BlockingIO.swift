import Dispatch

/// Threads for file operations that may wait for a disk: the cooperative pool must not.
package enum BlockingIO {
  private static let queue = DispatchQueue(label: "sluice.file-io", attributes: .concurrent)

  /// Runs a blocking piece of work on a thread of its own and resumes with what it returned.
  ///
  /// Pieces should be large (256 KiB and more): each costs two changes of thread.
  package static func run<T: Sendable>(_ work: @escaping @Sendable () throws -> T) async throws -> T {
    try await withCheckedThrowingContinuation { continuation in
      queue.async { continuation.resume(with: Result { try work() }) }
    }
  }
}
