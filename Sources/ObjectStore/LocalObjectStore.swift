#if canImport(Glibc)
  import Glibc
#endif

/// Objects as files under one directory, whose names are the keys.
///
/// Durable when a call returns: file, directory entry and new directories are synced. Any number of processes may share
/// the directory, also over a network filesystem that keeps `link` and `rename` atomic.
package struct LocalObjectStore: ObjectStore {
  /// What is gathered before it goes to the disk: small enough to be cheap, large enough that changing threads is.
  static let bufferBytes = 256 * 1024

  /// Absolute, or relative to the working directory.
  package let root: String
  private var temporaryDirectory: String { root + "/.tmp" }

  package init(root: String) {
    self.root = root.count > 1 && root.hasSuffix("/") ? String(root.dropLast()) : root
  }

  package func localPath(_ key: ObjectKey) -> String? { path(of: key) }
  private func path(of key: ObjectKey) -> String { root + "/" + key.text }

  @discardableResult
  package func put(
    _ key: ObjectKey, condition: PutCondition, from chunks: some AsyncSequence<[UInt8], any Error>
  ) async throws -> StoredObject {
    let file = try await BlockingIO.run {
      try DirectoryTree.create(temporaryDirectory)
      return try TemporaryFile(in: temporaryDirectory, of: root)
    }
    var buffer: [UInt8] = []
    for try await chunk in chunks {
      if buffer.isEmpty, chunk.count >= Self.bufferBytes {
        try await BlockingIO.run { try file.append(chunk) }
        continue
      }
      if buffer.isEmpty { buffer.reserveCapacity(Self.bufferBytes) }
      buffer.append(contentsOf: chunk)
      if buffer.count >= Self.bufferBytes {
        let full = buffer
        buffer = []
        try await BlockingIO.run { try file.append(full) }
      }
    }
    try Task.checkCancellation()
    let rest = buffer
    return try await BlockingIO.run {
      try file.append(rest)
      try createFolder(of: key)
      let (bytes, hash) = try file.publish(as: path(of: key), key: key, condition: condition)
      try syncFolder(of: key)
      return StoredObject(key: key, bytes: bytes, sha256: hash)
    }
  }

  @discardableResult
  package func adopt(file source: String, as key: ObjectKey, condition: PutCondition) async throws -> StoredObject {
    try await BlockingIO.run {
      let (bytes, hash) = try FileHash.hashAndSync(source)
      try createFolder(of: key)
      let target = path(of: key)
      let status = condition == .absent ? link(source, target) : rename(source, target)
      if status != 0, errno == EXDEV || errno == EPERM {
        return try copy(source, to: key, condition: condition)
      }
      guard status == 0 else { throw TemporaryFile.refusal(errno, path: target, key: key, directory: root) }
      if condition == .absent { _ = unlink(source) }
      try syncFolder(of: key)
      return StoredObject(key: key, bytes: bytes, sha256: hash)
    }
  }

  package func info(_ key: ObjectKey) async throws -> ObjectInfo? {
    try await BlockingIO.run {
      var status = stat()
      guard stat(path(of: key), &status) == 0 else {
        if errno == ENOENT || errno == ENOTDIR { return nil }
        throw ObjectStoreError.system(errno, "look at", path: path(of: key), directory: root)
      }
      return ObjectInfo(key: key, bytes: Int64(status.st_size), modifiedAt: Int64(status.st_mtim.tv_sec))
    }
  }

  package func delete(_ key: ObjectKey) async throws {
    try await BlockingIO.run {
      guard unlink(path(of: key)) == 0 || errno == ENOENT || errno == ENOTDIR else {
        throw ObjectStoreError.system(errno, "delete", path: path(of: key), directory: root)
      }
    }
  }

  package func list(prefix: String) async throws -> [ObjectInfo] {
    try await BlockingIO.run {
      // The folder part narrows the walk; the rest of the prefix is compared as text.
      let folder = prefix.utf8.lastIndex(of: UInt8(ascii: "/")).map { String(prefix[..<$0]) } ?? ""
      return try DirectoryTree.files(under: root, in: folder)
        .filter { $0.path.utf8.starts(with: prefix.utf8) }
        .map { ObjectInfo(key: try ObjectKey($0.path), bytes: $0.bytes, modifiedAt: $0.modifiedAt) }
        .sorted { $0.key < $1.key }
    }
  }

  package func get(_ key: ObjectKey, range: Range<Int64>?) -> AsyncThrowingStream<[UInt8], any Error> {
    let reader = FileReader(path: path(of: key), range: range)
    return AsyncThrowingStream {
      do { return try await BlockingIO.run { try reader.next(Self.bufferBytes) } } catch let error as FileReader.Missing
      {
        throw ObjectStoreError(
          .objectMissing, "the object \(key) is not in \(root)", hint: "was it removed by hand? (\(error.path))")
      }
    }
  }

  private func copy(_ source: String, to key: ObjectKey, condition: PutCondition) throws -> StoredObject {
    try DirectoryTree.create(temporaryDirectory)
    let file = try TemporaryFile(in: temporaryDirectory, of: root)
    let reader = FileReader(path: source, range: nil)
    while let chunk = try reader.next(Self.bufferBytes) { try file.append(chunk) }
    let (bytes, hash) = try file.publish(as: path(of: key), key: key, condition: condition)
    try syncFolder(of: key)
    _ = unlink(source)
    return StoredObject(key: key, bytes: bytes, sha256: hash)
  }

  private func folderPath(of key: ObjectKey) -> String { key.folder.map { root + "/" + $0 } ?? root }
  private func createFolder(of key: ObjectKey) throws { try DirectoryTree.create(folderPath(of: key)) }
  private func syncFolder(of key: ObjectKey) throws { try DirectoryTree.sync(folderPath(of: key)) }
}
