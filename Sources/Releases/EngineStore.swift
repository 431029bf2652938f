import Dispatch
import JobModel
import ObjectStore

#if canImport(Glibc)
  import Glibc
#endif

/// Engine binaries by the hash of their bytes: kept in the object store, run from a folder of this machine.
package struct EngineStore: Sendable {
  private let objects: any ObjectStore
  private let cache: String

  /// - Parameter cache: The folder of this machine; each binary gets one of its own there, so that a process is called
  ///   `sluice` whatever its release.
  package init(objects: any ObjectStore, cache: String) {
    self.objects = objects
    self.cache = cache
  }

  /// Stores a binary unless it is there.
  ///
  /// - Throws: ``ReleaseRefusal`` `engine_missing` where there is no such file.
  package func put(_ path: String) async throws -> (hash: String, bytes: Int64) {
    let (bytes, hash) = try await Self.hash(path)
    let key = try Self.key(hash)
    if try await objects.info(key) != nil {
      // A damaged one is replaced by the good one that is at hand.
      if try await Self.hash(objects.get(key)) == hash { return (hash, bytes) }
      try await objects.delete(key)
    }
    let reader = FileReader(path: path)
    let chunks = AsyncThrowingStream<[UInt8], any Error>(unfolding: {
      try await BlockingIO.run { try reader.next(1 << 18) }
    })
    do {
      let stored = try await objects.put(key, condition: .absent, from: chunks)
      guard stored.sha256 == hash else {
        try await objects.delete(key)
        throw ReleaseRefusal(
          "engine_changed", "the engine \(path) was changed while it was read", hint: "deploy again when it is whole")
      }
    } catch let error as ObjectStoreError where error.code == "object_exists" {}
    return (hash, bytes)
  }

  private static func hash(_ chunks: AsyncThrowingStream<[UInt8], any Error>) async throws -> String {
    var hasher = SHA256Hasher()
    for try await chunk in chunks { hasher.update(chunk) }
    return hasher.finalizeHex()
  }

  /// SHA-256 in hexadecimal.
  package static func hash(of bytes: [UInt8]) -> String { SHA256Hasher.hex(of: bytes) }

  package static func hash(_ path: String) async throws -> (bytes: Int64, sha256: String) {
    do { return try await BlockingIO.run { try FileHash.hash(path) } } catch is FileReader.Missing {
      throw ReleaseRefusal("engine_missing", "there is no engine \(path)", hint: "name the binary: --engine PATH")
    }
  }

  /// The binary as a file that can be run here; fetched, and checked against its hash, when it is not there yet.
  ///
  /// - Throws: ``ReleaseRefusal`` `engine_gone`, `engine_damaged`.
  package func fetch(_ hash: String) async throws -> String {
    let path = self.path(hash)
    if access(path, X_OK) == 0 { return path }
    guard try await objects.info(try Self.key(hash)) != nil else {
      throw ReleaseRefusal(
        "engine_gone", "the store has no engine \(hash.prefix(12))",
        hint: "deploy it again: sluice deploy --engine PATH")
    }
    let copies = LocalObjectStore(root: cache)
    // Others may fetch it at the same moment: the first one's copy stays, because it may be running.
    let name = "fetch-\(getpid())-\(DispatchTime.now().uptimeNanoseconds)"
    let copy = try await copies.put(
      try ObjectKey("\(hash)/\(name)"), condition: .absent, from: objects.get(try Self.key(hash)))
    let temporary = "\(cache)/\(hash)/\(name)"
    defer { unlink(temporary) }
    guard copy.sha256 == hash else {
      throw ReleaseRefusal(
        "engine_damaged", "the store's engine \(hash.prefix(12)) is not what its hash says",
        hint: "restore the storage, or deploy the engine again")
    }
    // Last: only what was checked can be run.
    guard chmod(temporary, 0o755) == 0, link(temporary, path) == 0 || errno == EEXIST else {
      throw StageFailure(
        code: "no_cache", message: "\(path) cannot be made: \(String(cString: strerror(errno)))",
        hint: "let this user own it", isTransient: true)
    }
    return path
  }

  /// The hash of the engine that a path of the cache is; nil for another path.
  package func hash(ofCached path: String) -> String? {
    let parts = path.split(separator: "/")
    guard parts.count >= 2, path == self.path(String(parts[parts.count - 2])) else { return nil }
    return String(parts[parts.count - 2])
  }

  private func path(_ hash: String) -> String { "\(cache)/\(hash)/sluice" }

  private static func key(_ hash: String) throws -> ObjectKey { try ObjectKey("releases/engines/\(hash)") }
}
