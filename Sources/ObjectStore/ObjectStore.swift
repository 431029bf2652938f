/// Where raw and curated objects live: named byte strings that are written whole or not at all.
///
/// An object becomes visible at once and complete, with its bytes on stable storage; a writer that dies leaves nothing
/// behind that a reader could see. Only the catalog says which objects exist for a pipeline.
package protocol ObjectStore: Sendable {
  /// Writes an object from chunks of any size, hashing it on the way. Memory is bounded by one chunk and one buffer.
  ///
  /// - Throws: ``ObjectStoreError`` `object_exists` where the condition is `.absent` and the key is taken, `disk_full`,
  ///   or what `chunks` throws; nothing is visible then.
  @discardableResult
  func put(
    _ key: ObjectKey, condition: PutCondition, from chunks: some AsyncSequence<[UInt8], any Error>
  ) async throws -> StoredObject

  /// Writes an object where no reader sees it, hashing it on the way; ``publish(_:condition:)`` makes it durable and visible.
  ///
  /// For many small objects: to publish them together costs little more than to publish one. A staged object that is dropped
  /// leaves nothing behind.
  ///
  /// - Throws: ``ObjectStoreError`` `disk_full`, or what `chunks` throws.
  func stage(_ key: ObjectKey, from chunks: some AsyncSequence<[UInt8], any Error>) async throws -> StagedObject

  /// Makes staged objects visible. When it returns, all of their bytes and names are on stable storage; each becomes visible
  /// whole, once its bytes are there.
  ///
  /// - Throws: ``ObjectStoreError``; some of the objects may be visible then.
  func publish(_ objects: [StagedObject], condition: PutCondition) async throws

  /// Takes a finished local file in as an object, hashing it; the file is gone from its old place afterwards.
  ///
  /// For the outputs of the SQL engine. Fastest on the same filesystem, where nothing is copied.
  @discardableResult
  func adopt(file path: String, as key: ObjectKey, condition: PutCondition) async throws -> StoredObject

  /// Reads an object, or the bytes of `range` (counted from 0, cut at the object's end), as they are asked for.
  ///
  /// - Throws: While iterating: ``ObjectStoreError`` `object_missing`.
  func get(_ key: ObjectKey, range: Range<Int64>?) -> AsyncThrowingStream<[UInt8], any Error>

  /// Every object whose key begins with `prefix`, sorted by the bytes of the key. Hashes are not known.
  func list(prefix: String) async throws -> [ObjectInfo]

  /// nil where there is no such object.
  func info(_ key: ObjectKey) async throws -> ObjectInfo?

  /// Removes an object; none of that key is no error.
  func delete(_ key: ObjectKey) async throws

  /// What the SQL engine can open: a path or a URL; nil where it can open none.
  func localPath(_ key: ObjectKey) -> String?
}

/// Files that are taken in at the same time: the filesystem serves the syncs of one moment by one write of its journal.
private let adoptedAtOnce = 16

extension ObjectStore {
  /// Takes a finished local file in under a key that is not in use.
  @discardableResult
  package func adopt(file path: String, as key: ObjectKey) async throws -> StoredObject {
    try await adopt(file: path, as: key, condition: .absent)
  }

  /// Takes finished local files in under keys that are not in use, several at the same time: each waits for the disk more than once.
  ///
  /// - Returns: The objects in the order of the files.
  /// - Throws: What the first file that cannot be taken in throws; others may be taken in then.
  package func adopt(files: [(path: String, key: ObjectKey)]) async throws -> [StoredObject] {
    try await withThrowingTaskGroup(of: [(index: Int, object: StoredObject)].self) { group in
      for start in 0..<min(adoptedAtOnce, files.count) {
        group.addTask {
          var taken: [(index: Int, object: StoredObject)] = []
          for index in stride(from: start, to: files.count, by: adoptedAtOnce) {
            try Task.checkCancellation()
            taken.append((index, try await adopt(file: files[index].path, as: files[index].key)))
          }
          return taken
        }
      }
      var taken: [(index: Int, object: StoredObject)] = []
      for try await part in group { taken += part }
      return taken.sorted { $0.index < $1.index }.map(\.object)
    }
  }

  /// Reads a whole object as it is asked for.
  package func get(_ key: ObjectKey) -> AsyncThrowingStream<[UInt8], any Error> { get(key, range: nil) }

  /// Writes a small object that is in memory already.
  @discardableResult
  package func put(
    _ key: ObjectKey, condition: PutCondition, bytes: [UInt8]
  ) async throws -> StoredObject {
    let chunks = AsyncThrowingStream<[UInt8], any Error> { continuation in
      continuation.yield(bytes)
      continuation.finish()
    }
    return try await put(key, condition: condition, from: chunks)
  }
}

package enum PutCondition: Sendable {
  /// Replaces an object of the same key.
  case always
  /// Refuses where the key is taken: what is written once stays as it is.
  case absent
}

/// An object that was just written.
package struct StoredObject: Sendable, Equatable {
  package var key: ObjectKey
  package var bytes: Int64
  /// Lower-case hexadecimal.
  package var sha256: String

  package init(key: ObjectKey, bytes: Int64, sha256: String) {
    self.key = key
    self.bytes = bytes
    self.sha256 = sha256
  }
}

/// An object whose bytes are written, and that no reader sees yet.
package struct StagedObject: Sendable {
  /// What it will be.
  package var object: StoredObject
  /// Where its bytes can be read until it is published or dropped; nil where no path leads to them.
  package var localPath: String?
  let file: TemporaryFile

  /// How many there are in this process: each holds an open file until it is dropped.
  package static var openCount: Int { TemporaryFile.openCount }
}

/// What the store itself knows of an object.
package struct ObjectInfo: Sendable, Equatable {
  package var key: ObjectKey
  package var bytes: Int64
  /// nil where the store keeps none: the catalog does.
  package var sha256: String?
  /// Seconds since 1970.
  package var modifiedAt: Int64

  package init(key: ObjectKey, bytes: Int64, sha256: String? = nil, modifiedAt: Int64) {
    self.key = key
    self.bytes = bytes
    self.sha256 = sha256
    self.modifiedAt = modifiedAt
  }
}
