import Synchronization

#if canImport(Glibc)
  import Glibc
#endif

/// Reads a local file, or a range of it, piece by piece. Opens it at the first piece. Every function blocks.
package final class FileReader: Sendable {
  /// There is no file of that path.
  package struct Missing: Error {
    package let path: String
    package init(path: String) { self.path = path }
  }

  private enum State {
    case unopened
    case open(Int32, remaining: Int64)
    case ended
  }

  package let path: String
  private let range: Range<Int64>?
  private let open: @Sendable (String) throws -> Int32
  private let state = Mutex(State.unopened)

  /// - Parameter open: Gives a descriptor of the file, which the reader closes; by default the file of that path, whatever
  ///   links lead to it.
  package init(
    path: String, range: Range<Int64>? = nil, open: @escaping @Sendable (String) throws -> Int32 = FileReader.following
  ) {
    self.path = path
    self.range = range
    self.open = open
  }

  deinit {
    if case .open(let descriptor, _) = state.withLock({ $0 }) { _ = close(descriptor) }
  }

  /// The next piece of at most `maximum` bytes; nil at the end.
  ///
  /// - Throws: ``Missing``, or ``ObjectStoreError``.
  package func next(_ maximum: Int) throws -> [UInt8]? {
    try state.withLock { state in
      if case .unopened = state { state = try opened() }
      guard case .open(let descriptor, let remaining) = state else { return nil }
      let wanted = Int(min(Int64(maximum), remaining))
      var count = 0
      let piece =
        wanted == 0
        ? []
        : try [UInt8](unsafeUninitializedCapacity: wanted) { buffer, filled in
          count = try Self.fill(descriptor, buffer, path: path)
          filled = count
        }
      guard count > 0 else {
        _ = close(descriptor)
        state = .ended
        return nil
      }
      state = .open(descriptor, remaining: remaining - Int64(count))
      return piece
    }
  }

  private func opened() throws -> State {
    let descriptor = try open(path)
    if let range, range.lowerBound > 0 { _ = lseek(descriptor, off_t(range.lowerBound), SEEK_SET) }
    return .open(descriptor, remaining: range.map { Int64($0.count) } ?? .max)
  }

  package static let following: @Sendable (String) throws -> Int32 = { path in
    let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      if errno == ENOENT { throw Missing(path: path) }
      throw ObjectStoreError.system(errno, "read", path: path, directory: path)
    }
    return descriptor
  }

  private static func fill(_ descriptor: Int32, _ buffer: UnsafeMutableBufferPointer<UInt8>, path: String) throws -> Int
  {
    while true {
      let count = read(descriptor, buffer.baseAddress, buffer.count)
      if count >= 0 { return count }
      guard errno == EINTR else { throw ObjectStoreError.system(errno, "read", path: path, directory: path) }
    }
  }
}
