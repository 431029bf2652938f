#if canImport(Glibc)
  import Glibc
#endif

/// The size and hash of a local file.
package enum FileHash {
  /// Reads the whole file. Blocks: call it through ``BlockingIO``.
  package static func hash(_ path: String) throws -> (bytes: Int64, sha256: String) {
    try hash(FileReader(path: path))
  }

  /// The same of what a reader gives.
  package static func hash(_ reader: FileReader) throws -> (bytes: Int64, sha256: String) {
    var hasher = SHA256Hasher()
    var bytes: Int64 = 0
    while let chunk = try reader.next(LocalObjectStore.bufferBytes) {
      hasher.update(chunk)
      bytes += Int64(chunk.count)
    }
    return (bytes, hasher.finalizeHex())
  }

  /// The same, and brings the bytes onto stable storage.
  static func hashAndSync(_ path: String) throws -> (bytes: Int64, sha256: String) {
    let result: (bytes: Int64, sha256: String)
    do { result = try hash(path) } catch is FileReader.Missing {
      throw ObjectStoreError(.storageFailed, "cannot take in \(path): there is no such file")
    }
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw ObjectStoreError.system(errno, "open", path: path, directory: path) }
    defer { _ = close(descriptor) }
    // Whatever program wrote it, the object is private.
    guard fchmod(descriptor, PrivateFiles.fileMode) == 0, fsync(descriptor) == 0 else {
      throw ObjectStoreError.system(errno, "write", path: path, directory: path)
    }
    return result
  }
}
