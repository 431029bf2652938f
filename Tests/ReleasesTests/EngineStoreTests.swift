import FoundationEssentials
import Glibc
import JobModel
import ObjectStore
import TestSupport
import Testing

@testable import Releases

@Suite("Engines by their hash")
struct EngineStoreTests {
  @Test("are stored once, fetched by many at once, and run")
  func fetch() async throws {
    try await TestProject.withProject { folder in
      let engine = folder.directory + "/engine.sh"
      try Data("#!/bin/sh\necho \"$1\"\n".utf8).write(to: URL(filePath: engine))
      let store = EngineStore(
        objects: LocalObjectStore(root: folder.directory + "/store"), cache: folder.directory + "/cache")
      let stored = try await store.put(engine)
      let hash = stored.hash
      #expect(stored.bytes == 20 && stored.wasWritten)
      #expect(try await store.put(engine) == EngineStore.Stored(hash: hash, bytes: 20, wasWritten: false))
      let paths = try await withThrowingTaskGroup(of: String.self) { group in
        for _ in 0..<8 { group.addTask { try await store.open(hash).path } }
        return try await group.reduce(into: Set()) { $0.insert($1) }
      }
      let path = try #require(paths.first)
      #expect(paths.count == 1)
      #expect(store.hash(ofCached: path) == hash)
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.directory + "/cache/" + hash) == ["sluice"])
      #expect(try await EngineProcess(path: path, directory: folder.directory).run(["hello"]) == "hello\n")
      for place in [folder.directory + "/cache", folder.directory + "/cache/" + hash, path] {
        #expect(try Self.mode(place) == 0o700, "\(place) is its user's alone")
      }
    }
  }

  private static func mode(_ path: String) throws -> Int {
    try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int ?? 0
  }

  /// A store that has one engine, which is in the cache too; it prints a word.
  private func withEngine(
    _ body: @Sendable (_ store: EngineStore, _ hash: String, _ folder: TestProject) async throws -> Void
  ) async throws {
    try await TestProject.withProject { folder in
      let engine = folder.directory + "/engine.sh"
      try Data("#!/bin/sh\necho good\n".utf8).write(to: URL(filePath: engine))
      let store = EngineStore(
        objects: LocalObjectStore(root: folder.directory + "/store"), cache: folder.directory + "/cache")
      let hash = try await store.put(engine).hash
      _ = try await store.open(hash)
      try await body(store, hash, folder)
    }
  }

  @Test(
    "a copy of the cache that is damaged, another program or another user's to write is not run: it is fetched again",
    arguments: ["damaged", "cut", "writable", "link"])
  func cacheVerified(_ injury: String) async throws {
    try await withEngine { store, hash, folder in
      let path = store.path(hash)
      switch injury {
      case "damaged": try Data("#!/bin/sh\necho evil\n".utf8).write(to: URL(filePath: path))
      case "cut": truncate(path, 5)
      case "writable": chmod(path, 0o777)
      default:
        let other = folder.directory + "/other"
        #expect(rename(path, other) == 0 && symlink(other, path) == 0)
      }
      let engine = try await store.open(hash)
      #expect(try await EngineProcess(engine, directory: folder.directory).run([]) == "good\n")
      #expect(try Self.mode(path) == 0o700)
      #expect(try await EngineStore.hash(path).sha256 == hash)
    }
  }

  @Test("what was verified is what runs, whatever lies at its path by then")
  func descriptor() async throws {
    try await withEngine { store, hash, folder in
      let engine = try await store.open(hash)
      try Data("#!/bin/sh\necho evil\n".utf8).write(to: URL(filePath: folder.directory + "/evil"))
      chmod(folder.directory + "/evil", 0o755)
      #expect(rename(folder.directory + "/evil", engine.path) == 0)
      #expect(try await EngineProcess(engine, directory: folder.directory).run([]) == "good\n")
      #expect(try await EngineProcess(engine, directory: folder.directory).work([]) == "good\n")
      #expect(try await EngineProcess(path: engine.path, directory: folder.directory).run([]) == "evil\n")
    }
  }

  @Test(
    "a lost or damaged engine is told, also one of the right size, and stored again", arguments: ["lost", "damaged"])
  func repaired(_ injury: String) async throws {
    try await withEngine { store, hash, folder in
      #expect(try await store.trouble(of: hash, bytes: 20, isThorough: true) == nil)
      let key = try EngineStore.key(hash)
      try await store.objects.delete(key)
      if injury == "damaged" {
        try await store.objects.put(key, condition: .absent, bytes: Array(repeating: 7, count: 20))
      }
      let trouble = try await store.trouble(of: hash, bytes: 20, isThorough: true)
      #expect(trouble?.code == (injury == "lost" ? "engine_gone" : "engine_damaged"))
      #expect(trouble?.hint?.contains("sluice releases repair --engine PATH") == true)
      #expect(try await store.put(folder.directory + "/engine.sh").wasWritten)
      #expect(try await store.trouble(of: hash, bytes: 20, isThorough: true) == nil)
    }
  }

  @Test("the cache keeps what is needed and what was started a short time ago")
  func sweep() async throws {
    try await withEngine { store, hash, folder in
      let now = Int64(try #require(try await store.stored().first).modifiedAt)
      #expect(try await store.sweepCache(usedBefore: now - 60) { _ in false }.isEmpty)
      #expect(try await store.sweepCache(usedBefore: now + 60) { _ in true }.isEmpty)
      #expect(try await store.sweepCache(usedBefore: now + 60) { _ in false } == [hash])
      #expect(!FileManager.default.fileExists(atPath: folder.directory + "/cache/" + hash))
      #expect(try await EngineProcess(store.open(hash), directory: folder.directory).run([]) == "good\n")
    }
  }

  @Test("that are gone, damaged or no program are refused with the way out")
  func refused() async throws {
    try await TestProject.withProject { folder in
      let objects = LocalObjectStore(root: folder.directory + "/store")
      let store = EngineStore(objects: objects, cache: folder.directory + "/cache")
      await #expect(throws: ReleaseRefusal.self) { try await store.put(folder.directory + "/none") }
      await #expect(throws: ReleaseRefusal.self) { try await store.open(String(repeating: "a", count: 64)) }
      let hash = String(repeating: "b", count: 64)
      try await objects.put(try ObjectKey("releases/engines/\(hash)"), condition: .absent, bytes: [1, 2, 3])
      do {
        _ = try await store.open(hash)
        Issue.record("the bytes are not the hash's")
      } catch let refusal as ReleaseRefusal {
        #expect(refusal.code == "engine_damaged")
      }
      for script in ["#!/bin/sh\nexit 3\n", "#!/bin/sh\nkill -SEGV $$\n", "no program", "#!/bin/sh\necho '{}'\n"] {
        let engine = folder.directory + "/engine-\(script.utf8.count)"
        try Data(script.utf8).write(to: URL(filePath: engine))
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: engine)
        do {
          _ = try await EngineDescription.ask(engine)
          Issue.record("this is no engine: \(script)")
        } catch let refusal as ReleaseRefusal {
          #expect(refusal.code == "engine_failed", "\(script)")
          #expect(refusal.hint != nil)
        }
      }
    }
  }

  @Test("what an engine does for hours fails by a crash only where nobody ended it, and is not done twice")
  func work() async throws {
    try await TestProject.withProject { folder in
      let calls = folder.directory + "/calls"
      try Data().write(to: URL(filePath: calls))
      func outcome(_ script: String) async throws -> String {
        let engine = folder.directory + "/engine"
        try Data("#!/bin/sh\necho x >> \(calls)\n\(script)\n".utf8).write(to: URL(filePath: engine))
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: engine)
        do {
          return try await EngineProcess(path: engine, directory: folder.directory).work(["a b", "c"])
        } catch let refusal as ReleaseRefusal { return refusal.code }
      }
      #expect(try await outcome(#"echo "$1-$2""#) == "a b-c\n")
      #expect(try await outcome("kill -SEGV $$") == EngineProcess.crashed)
      #expect(try await outcome("kill -KILL $$") == "engine_failed")
      #expect(try await outcome("exit 4") == "engine_failed")
      #expect(try String(contentsOfFile: calls, encoding: .utf8) == "x\nx\nx\nx\n")
    }
  }
}
