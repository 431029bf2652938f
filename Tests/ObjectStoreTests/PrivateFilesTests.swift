import FoundationEssentials
import Glibc
import ObjectStore
import Testing

@Suite("Private files")
struct PrivateFilesTests {
  @Test("every way to store an object leaves files of mode 0600 in folders of mode 0700, whatever the umask")
  func objects() async throws {
    try await withScratchDirectory { directory in
      let store = LocalObjectStore(root: directory + "/store")
      try await store.put("raw/p/a", condition: .absent, bytes: [1])
      try await store.put("raw/p/a", condition: .always, bytes: [2])
      for (number, condition) in [PutCondition.absent, .always].enumerated() {
        let file = directory + "/made-\(number)"
        #expect(FileManager.default.createFile(atPath: file, contents: Data([3])))
        #expect(chmod(file, 0o666) == 0)
        try await store.adopt(file: file, as: ObjectKey("curated/p/\(number)"), condition: condition)
      }
      let modes = Self.modes(under: directory + "/store")
      #expect(modes.count == 9, "\(modes)")
      #expect(modes.allSatisfy { $0.value == ($0.key.last == "/" ? 0o700 : 0o600) }, "\(modes)")
    }
  }

  @Test("a folder is made private with its parents, and a small file replaces the one before")
  func create() async throws {
    try await withScratchDirectory { directory in
      try PrivateFiles.createFolder(directory + "/a/b")
      try PrivateFiles.createFolder(directory + "/a/b")
      let file = directory + "/a/b/token"
      #expect(FileManager.default.createFile(atPath: file, contents: Data([1])))
      #expect(chmod(file, 0o644) == 0)
      try PrivateFiles.write([2, 3], to: file)
      #expect(FileManager.default.contents(atPath: file).map(Array.init) == [2, 3])
      #expect(Self.modes(under: directory + "/a") == ["a/": 0o700, "a/b/": 0o700, "a/b/token": 0o600])
    }
  }

  @Test("what an older version left open is tightened; a link is neither followed nor changed, an exception stays")
  func tighten() async throws {
    try await withScratchDirectory { directory in
      let outside = directory + "/outside"
      try Self.make(outside, 0o644)
      for folder in ["state", "state/logs", "state/postgres"] { try Self.make(directory + "/" + folder + "/", 0o755) }
      for file in ["state/logs/a.log", "state/postgres/f"] { try Self.make(directory + "/" + file, 0o664) }
      try Self.make(directory + "/state/engine", 0o755)
      #expect(symlink(outside, directory + "/state/link") == 0)
      #expect(PrivateFiles.isOpen(directory + "/state"))
      #expect(PrivateFiles.tighten(directory + "/state", except: [directory + "/state/postgres"]) == [])
      #expect(!PrivateFiles.isOpen(directory + "/state"))
      #expect(
        Self.modes(under: directory + "/state") == [
          "state/": 0o700, "state/logs/": 0o700, "state/logs/a.log": 0o600, "state/engine": 0o700,
          "state/postgres/": 0o755, "state/postgres/f": 0o664,
        ])
      #expect(Self.modes(under: outside) == ["outside": 0o644])
    }
  }

  @Test("a storage root that holds other things keeps its mode, and so do they")
  func sharedRoot() async throws {
    try await withScratchDirectory { directory in
      let root = directory + "/shared"
      for folder in ["", "/raw", "/curated"] { try Self.make(root + folder + "/", 0o755) }
      try Self.make(root + "/raw/object", 0o644)
      for folder in PrivateFiles.folders(ofStorage: root) { PrivateFiles.tighten(folder) }
      #expect(
        Self.modes(under: root) == [
          "shared/": 0o700, "shared/raw/": 0o700, "shared/curated/": 0o700, "shared/raw/object": 0o600,
        ])
      #expect(chmod(root, 0o755) == 0 && chmod(root + "/raw", 0o755) == 0)
      try Self.make(root + "/report.csv", 0o644)
      for folder in PrivateFiles.folders(ofStorage: root) { PrivateFiles.tighten(folder) }
      #expect(
        Self.modes(under: root) == [
          "shared/": 0o755, "shared/raw/": 0o700, "shared/curated/": 0o700, "shared/raw/object": 0o600,
          "shared/report.csv": 0o644,
        ])
    }
  }

  private static func make(_ path: String, _ mode: mode_t) throws {
    if path.hasSuffix("/") {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    } else {
      #expect(FileManager.default.createFile(atPath: path, contents: Data([0])))
    }
    #expect(chmod(path, mode) == 0)
  }

  /// By path, from the last part of `root` on; folders end in a slash. Links are left out.
  private static func modes(under root: String) -> [String: mode_t] {
    let start = root.split(separator: "/").dropLast().map { "/" + $0 }.joined()
    var found: [String: mode_t] = [:]
    var pending = [root]
    while let path = pending.popLast() {
      var status = stat()
      guard lstat(path, &status) == 0, status.st_mode & S_IFMT != S_IFLNK else { continue }
      let isFolder = status.st_mode & S_IFMT == S_IFDIR
      found[String(path.dropFirst(start.count + 1)) + (isFolder ? "/" : "")] = status.st_mode & 0o7777
      let names = isFolder ? (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? [] : []
      pending += names.map { path + "/" + $0 }
    }
    return found
  }
}
