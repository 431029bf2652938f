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
    let staged = try await stage(key, from: chunks)
    try await publish([staged], condition: condition)
    return staged.object
  }

  package func stage(
    _ key: ObjectKey, from chunks: some AsyncSequence<[UInt8], any Error>
  ) async throws -> StagedObject {
    var buffer: [UInt8] = []
    var begun: TemporaryFile?
    for try await chunk in chunks {
      if buffer.isEmpty, chunk.count >= Self.bufferBytes {
        begun = try await write(chunk, to: begun)
        continue
      }
      buffer.append(contentsOf: chunk)
      if buffer.count >= Self.bufferBytes {
        let full = buffer
        buffer = []
        begun = try await write(full, to: begun)
      }
    }
    try Task.checkCancellation()
    let (rest, file) = (buffer, begun)
    return try await BlockingIO.run {
      let file = try file ?? temporaryFile()
      try file.append(rest)
      let (bytes, hash) = file.finish()
      return StagedObject(
        object: StoredObject(key: key, bytes: bytes, sha256: hash), localPath: file.readablePath, file: file)
    }
  }

  private func write(_ bytes: [UInt8], to begun: TemporaryFile?) async throws -> TemporaryFile {
    try await BlockingIO.run {
      let file = try begun ?? temporaryFile()
      try file.append(bytes)
      return file
    }
  }

  private func temporaryFile() throws -> TemporaryFile {
    try DirectoryTree.create(temporaryDirectory)
    return try TemporaryFile(in: temporaryDirectory, of: root)
  }

  package func publish(_ objects: [StagedObject], condition: PutCondition) async throws {
    guard let first = objects.first else { return }
    guard objects.count > 1 else {
      return try await BlockingIO.run {
        try first.file.sync()
        try name(objects, condition: condition)
      }
    }
    try await sync(objects)
    try await BlockingIO.run { try name(objects, condition: condition) }
  }

  /// Syncs that wait at the same time: the filesystem serves those of one moment by one write of its journal.
  private static let syncsAtOnce = 16

  private func sync(_ objects: [StagedObject]) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for start in 0..<min(Self.syncsAtOnce, objects.count) {
        group.addTask {
          try await BlockingIO.run {
            for index in stride(from: start, to: objects.count, by: Self.syncsAtOnce) {
              try objects[index].file.sync()
            }
          }
        }
      }
      try await group.waitForAll()
    }
  }

  /// Gives objects, whose bytes are durable, their names, and makes those durable.
  private func name(_ objects: [StagedObject], condition: PutCondition) throws {
    var folders: [String] = []
    for staged in objects {
      let (key, folder) = (staged.object.key, folderPath(of: staged.object.key))
      if folders.last != folder, !folders.contains(folder) {
        try DirectoryTree.create(folder)
        folders.append(folder)
      }
      try staged.file.publish(as: path(of: key), key: key, condition: condition)
    }
    for folder in folders { try DirectoryTree.sync(folder) }
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
    let file = try temporaryFile()
    let reader = FileReader(path: source, range: nil)
    while let chunk = try reader.next(Self.bufferBytes) { try file.append(chunk) }
    let (bytes, hash) = file.finish()
    try file.sync()
    try file.publish(as: path(of: key), key: key, condition: condition)
    try syncFolder(of: key)
    _ = unlink(source)
    return StoredObject(key: key, bytes: bytes, sha256: hash)
  }

  private func folderPath(of key: ObjectKey) -> String { key.folder.map { root + "/" + $0 } ?? root }
  private func createFolder(of key: ObjectKey) throws { try DirectoryTree.create(folderPath(of: key)) }
  private func syncFolder(of key: ObjectKey) throws { try DirectoryTree.sync(folderPath(of: key)) }
}
