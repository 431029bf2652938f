import Dispatch
import JobModel
import ObjectStore

#if canImport(Glibc)
  import Glibc
#endif

/// Engine binaries by the hash of their bytes: kept in the object store, run from a folder of this machine.
package struct EngineStore: Sendable {
  /// Where the object store keeps them.
  static let prefix = "releases/engines/"
  private static let pieceBytes = 1 << 18

  let objects: any ObjectStore
  let cache: String

  /// - Parameter cache: The folder of this machine; each binary gets one of its own there, so that a process is called
  ///   `sluice` whatever its release.
  package init(objects: any ObjectStore, cache: String) {
    self.objects = objects
    self.cache = cache
  }

  /// What ``put(_:)`` found and did.
  package struct Stored: Sendable, Equatable {
    package var hash: String
    package var bytes: Int64
    /// Whether the bytes were not there, or not as they should be.
    package var wasWritten: Bool
  }

  /// Stores a binary unless it is there. A damaged one is replaced.
  ///
  /// - Throws: ``ReleaseRefusal`` `engine_missing` where there is no such file.
  package func put(_ path: String) async throws -> Stored {
    let (bytes, hash) = try await Self.hash(path)
    let key = try Self.key(hash)
    if try await objects.info(key) != nil {
      if try await Self.hash(objects.get(key)) == hash { return Stored(hash: hash, bytes: bytes, wasWritten: false) }
      try await objects.delete(key)
    }
    let reader = FileReader(path: path)
    let chunks = AsyncThrowingStream<[UInt8], any Error>(unfolding: {
      try await BlockingIO.run { try reader.next(Self.pieceBytes) }
    })
    do {
      let stored = try await objects.put(key, condition: .absent, from: chunks)
      guard stored.sha256 == hash else {
        try await objects.delete(key)
        throw ReleaseRefusal(
          "engine_changed", "the engine \(path) was changed while it was read", hint: "deploy again when it is whole")
      }
    } catch let error as ObjectStoreError where error.code == "object_exists" {}
    return Stored(hash: hash, bytes: bytes, wasWritten: true)
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

  /// The binary, ready to be started here. It is compared with its hash at every call, and fetched where this machine has none
  /// that can be trusted.
  ///
  /// - Throws: ``ReleaseRefusal`` `engine_gone`, `engine_damaged`; `StageFailure` `no_cache`.
  package func open(_ hash: String) async throws -> EngineFile {
    do { return try await cached(hash) } catch is EngineFile.Fault {}
    try await fetch(hash)
    do { return try await cached(hash) } catch is EngineFile.Fault {
      throw StageFailure(
        code: "no_cache", message: "\(path(hash)) was changed by another process as soon as it was written",
        hint: "let no other user write \(cache)", isTransient: true)
    }
  }

  private func cached(_ hash: String) async throws -> EngineFile {
    let path = path(hash)
    return try await BlockingIO.run { try EngineFile.open(path, sha256: hash) }
  }

  /// Brings the binary from the store into the cache.
  private func fetch(_ hash: String) async throws {
    let key = try Self.key(hash)
    guard try await objects.info(key) != nil else { throw trouble("gone", hash) }
    try await BlockingIO.run { try PrivateFiles.createFolder("\(cache)/\(hash)") }
    // Others may fetch it at the same moment.
    let temporary = "\(cache)/\(hash)/fetch-\(getpid())-\(DispatchTime.now().uptimeNanoseconds)"
    defer { unlink(temporary) }
    guard try await copy(objects.get(key), to: temporary) == hash else { throw trouble("damaged", hash) }
    let path = path(hash)
    // The first one's copy stays, because it may be running; one that was not to be trusted is replaced.
    if link(temporary, path) == 0 { return }
    guard errno == EEXIST else { throw EngineFile.failure("cannot be made", path) }
    do { _ = try await cached(hash) } catch is EngineFile.Fault {
      guard rename(temporary, path) == 0 else { throw EngineFile.failure("cannot be made", path) }
    }
  }

  /// Returns the hash of what was written. It can be run only once it is whole and closed.
  private func copy(_ chunks: AsyncThrowingStream<[UInt8], any Error>, to path: String) async throws -> String {
    let descriptor = Glibc.open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard descriptor >= 0 else { throw EngineFile.failure("cannot be made", path) }
    defer { close(descriptor) }
    var hasher = SHA256Hasher()
    for try await chunk in chunks {
      hasher.update(chunk)
      try await BlockingIO.run {
        var rest = chunk[...]
        while !rest.isEmpty {
          let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
          if count < 0, errno == EINTR { continue }
          guard count > 0 else { throw EngineFile.failure("cannot be written", path) }
          rest = rest.dropFirst(count)
        }
      }
    }
    guard fchmod(descriptor, 0o700) == 0 else { throw EngineFile.failure("cannot be made", path) }
    return hasher.finalizeHex()
  }

  /// By which a change of the stored bytes is noticed without reading them; nil: there are none.
  package func stamp(of hash: String) async throws -> String? {
    try await objects.info(try Self.key(hash)).map { "\(hash) \($0.bytes) \($0.modifiedAt)" }
  }

  /// What keeps a machine without a copy of its own from starting an engine; nil: nothing does.
  ///
  /// - Parameters:
  ///   - bytes: How large it is.
  ///   - isThorough: Reads all of it.
  package func trouble(of hash: String, bytes: Int64?, isThorough: Bool) async throws -> ReleaseRefusal? {
    let key = try Self.key(hash)
    guard let info = try await objects.info(key) else { return trouble("gone", hash) }
    if let bytes, info.bytes != bytes { return trouble("damaged", hash) }
    guard isThorough else { return nil }
    return try await Self.hash(objects.get(key)) == hash ? nil : trouble("damaged", hash)
  }

  private func trouble(_ what: String, _ hash: String) -> ReleaseRefusal {
    ReleaseRefusal(
      "engine_\(what)",
      what == "gone"
        ? "the storage has no engine \(hash.prefix(12))"
        : "the engine \(hash.prefix(12)) in the storage is not what its hash says",
      hint: "store it again: sluice releases repair --engine PATH, or sluice deploy --engine PATH")
  }

  /// The hash of the engine that a path of the cache is; nil for another path.
  package func hash(ofCached path: String) -> String? {
    let parts = path.split(separator: "/")
    guard parts.count >= 2, path == self.path(String(parts[parts.count - 2])) else { return nil }
    return String(parts[parts.count - 2])
  }

  func path(_ hash: String) -> String { "\(cache)/\(hash)/sluice" }

  static func key(_ hash: String) throws -> ObjectKey { try ObjectKey(prefix + hash) }
}
