import ObjectStore

#if canImport(Glibc)
  import Glibc
#endif

extension EngineStore {
  /// The engines in the object store, and when each was stored, in seconds since 1970.
  func stored() async throws -> [(hash: String, modifiedAt: Int64)] {
    try await objects.list(prefix: Self.prefix).compactMap { object in
      let hash = String(object.key.text.dropFirst(Self.prefix.count))
      return Self.isHash(hash) ? (hash, object.modifiedAt) : nil
    }
  }

  func remove(_ hash: String) async throws { try await objects.delete(try Self.key(hash)) }

  /// Removes copies from this machine's cache that are not needed and were last started before a time. Returns their hashes.
  func sweepCache(usedBefore limit: Int64, unless isNeeded: @escaping @Sendable (String) -> Bool) async throws
    -> [String]
  {
    let cache = cache
    return try await BlockingIO.run {
      Self.names(in: cache).filter { Self.isHash($0) && !isNeeded($0) }.filter { hash in
        let folder = "\(cache)/\(hash)"
        var status = stat()
        let age = stat("\(folder)/sluice", &status) == 0 ? Int64(status.st_mtim.tv_sec) : nil
        // Without the file: what a fetch left that was killed, or one that is under way.
        guard age ?? (lstat(folder, &status) == 0 ? Int64(status.st_mtim.tv_sec) : .max) < limit else { return false }
        for name in Self.names(in: folder) { unlink("\(folder)/\(name)") }
        return rmdir(folder) == 0
      }
    }
  }

  private static func isHash(_ text: String) -> Bool {
    text.utf8.count == 64 && text.utf8.allSatisfy { (48...57).contains($0) || (97...102).contains($0) }
  }

  private static func names(in folder: String) -> [String] {
    guard let directory = opendir(folder) else { return [] }
    defer { _ = closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names
  }
}
