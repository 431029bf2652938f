import Synchronization

#if canImport(Glibc)
  import Glibc
#endif

/// A file that is being written and that no reader can see; published under its name once it is whole.
///
/// Has no name at all where the filesystem can do that (`O_TMPFILE`), so that not even `kill -9` leaves it behind;
/// elsewhere it has a name under the store's `.tmp` until it is published or dropped.
///
/// Every function blocks: call them through ``BlockingIO``.
final class TemporaryFile: Sendable {
  private struct State: ~Copyable {
    var descriptor: Int32
    var hasher = SHA256Hasher()
    var bytes: Int64 = 0
  }

  private static let alive = Atomic(0)
  /// How many there are in this process.
  static var openCount: Int { alive.load(ordering: .relaxed) }

  private let state: Mutex<State>
  /// nil: the file has no name.
  private let name: String?
  /// Leads to the bytes, in this process, as long as this object lives.
  let readablePath: String
  private let directory: String
  private let store: String

  /// - Parameters:
  ///   - directory: The store's `.tmp`, which exists and is on the filesystem of the objects.
  ///   - store: The store's root, by which errors name the place.
  init(in directory: String, of store: String) throws {
    self.directory = directory
    self.store = store
    let nameless = open(directory, namelessFlags | O_WRONLY | O_CLOEXEC, PrivateFiles.fileMode)
    if nameless >= 0 {
      state = Mutex(State(descriptor: nameless))
      name = nil
      readablePath = "/proc/self/fd/\(nameless)"
      Self.alive.add(1, ordering: .relaxed)
      return
    }
    let reason = errno
    guard reason == EOPNOTSUPP || reason == EISDIR || reason == EINVAL else {
      throw ObjectStoreError.system(reason, "create a file in", path: directory, directory: store)
    }
    var template = Array((directory + "/put-XXXXXX").utf8CString)
    let named = mkstemp(&template)
    guard named >= 0 else {
      throw ObjectStoreError.system(errno, "create a file in", path: directory, directory: store)
    }
    _ = fcntl(named, F_SETFD, FD_CLOEXEC)
    _ = fchmod(named, PrivateFiles.fileMode)
    state = Mutex(State(descriptor: named))
    let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    name = path
    readablePath = path
    Self.alive.add(1, ordering: .relaxed)
  }

  deinit {
    Self.alive.subtract(1, ordering: .relaxed)
    state.withLock { _ = close($0.descriptor) }
    if let name { _ = unlink(name) }
  }

  /// Writes all of `bytes` at the end and hashes them.
  func append(_ bytes: [UInt8]) throws {
    try state.withLock { state in
      try bytes.withUnsafeBytes { buffer in
        var rest = buffer
        while !rest.isEmpty {
          let count = write(state.descriptor, rest.baseAddress, rest.count)
          if count < 0 {
            if errno == EINTR { continue }
            throw ObjectStoreError.system(errno, "write to", path: directory, directory: store)
          }
          rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
        state.hasher.update(buffer)
        state.bytes += Int64(buffer.count)
      }
    }
  }

  /// Size and hash of what was written. To be called once, last.
  func finish() -> (bytes: Int64, sha256: String) {
    state.withLock { ($0.bytes, $0.hasher.finalizeHex()) }
  }

  /// Brings the bytes onto stable storage.
  func sync() throws {
    try state.withLock { state in
      guard fsync(state.descriptor) == 0 else {
        throw ObjectStoreError.system(errno, "write to", path: directory, directory: store)
      }
    }
  }

  /// Gives the file its name. The bytes are synced before, and the directory's entry is made durable after it, by the caller.
  func publish(as path: String, key: ObjectKey, condition: PutCondition) throws {
    try state.withLock { try link(descriptor: $0.descriptor, to: path, key: key, condition: condition) }
  }

  private func link(descriptor: Int32, to path: String, key: ObjectKey, condition: PutCondition) throws {
    let source = name ?? "/proc/self/fd/\(descriptor)"
    switch condition {
    case .absent:
      guard linkat(AT_FDCWD, source, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0 else {
        throw Self.refusal(errno, path: path, key: key, directory: store)
      }
    case .always:
      // A link never replaces; a rename does, and atomically. The intermediate name ends with the rename, and no two
      // files have it at a time: inode numbers are unique on a filesystem.
      var status = stat()
      _ = fstat(descriptor, &status)
      let intermediate = "\(directory)/replace-\(status.st_ino)"
      _ = unlink(intermediate)
      guard linkat(AT_FDCWD, source, AT_FDCWD, intermediate, AT_SYMLINK_FOLLOW) == 0, rename(intermediate, path) == 0
      else {
        throw ObjectStoreError.system(errno, "write", path: path, directory: store)
      }
    }
  }

  static func refusal(_ number: Int32, path: String, key: ObjectKey, directory: String) -> ObjectStoreError {
    guard number == EEXIST else {
      return ObjectStoreError.system(number, "write", path: path, directory: directory)
    }
    return ObjectStoreError(.objectExists, "the object \(key) exists already; objects are written once")
  }
}

/// `O_TMPFILE` of Linux: a macro of several bits, which the importer leaves out. It holds `O_DIRECTORY`, so that a
/// kernel without it refuses to open a directory for writing instead of creating something else.
private let namelessFlags: Int32 = 0o20000000 | O_DIRECTORY
