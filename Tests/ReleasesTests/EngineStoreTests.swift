import FoundationEssentials
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
      let (hash, bytes) = try await store.put(engine)
      #expect(bytes == 20)
      #expect(try await store.put(engine).hash == hash)
      let paths = try await withThrowingTaskGroup(of: String.self) { group in
        for _ in 0..<8 { group.addTask { try await store.fetch(hash) } }
        return try await group.reduce(into: Set()) { $0.insert($1) }
      }
      let path = try #require(paths.first)
      #expect(paths.count == 1)
      #expect(store.hash(ofCached: path) == hash)
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.directory + "/cache/" + hash) == ["sluice"])
      #expect(try await EngineProcess(path: path, directory: folder.directory).run(["hello"]) == "hello\n")
    }
  }

  @Test("that are gone, damaged or no program are refused with the way out")
  func refused() async throws {
    try await TestProject.withProject { folder in
      let objects = LocalObjectStore(root: folder.directory + "/store")
      let store = EngineStore(objects: objects, cache: folder.directory + "/cache")
      await #expect(throws: ReleaseRefusal.self) { try await store.put(folder.directory + "/none") }
      await #expect(throws: ReleaseRefusal.self) { try await store.fetch(String(repeating: "a", count: 64)) }
      let hash = String(repeating: "b", count: 64)
      try await objects.put(try ObjectKey("releases/engines/\(hash)"), condition: .absent, bytes: [1, 2, 3])
      do {
        _ = try await store.fetch(hash)
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
