import FoundationEssentials
import JobModel
import ObjectStore
import TestSupport
import Testing

@Suite("A local object store")
struct LocalObjectStoreTests {
  @Test(
    "gives back what was put, whatever the chunks",
    arguments: [[], [0], [1], [3, 5, 0, 7], [256 * 1024], [256 * 1024 - 1, 2], [700_000, 1, 300_000]])
  func roundTrip(sizes: [Int]) async throws {
    try await withScratchDirectory { directory async throws in
      let store = LocalObjectStore(root: directory + "/store")
      let stored = try await store.put("raw/a/b.bin", condition: .absent, from: chunks(sizes))
      let expected = bytes(sizes)
      #expect(
        stored == StoredObject(key: "raw/a/b.bin", bytes: Int64(expected.count), sha256: SHA256Hasher.hex(of: expected))
      )
      #expect(try await collect(store.get("raw/a/b.bin")) == expected)
      #expect(try await store.info("raw/a/b.bin")?.bytes == Int64(expected.count))
      let path = try #require(store.localPath("raw/a/b.bin"))
      #expect(FileManager.default.contents(atPath: path).map(Array.init) == expected)
    }
  }

  @Test("shows staged objects to no reader until they are published, several at once; a dropped one leaves nothing")
  func staged() async throws {
    try await withScratchDirectory { directory async throws in
      let store = LocalObjectStore(root: directory + "/store")
      var staged: [StagedObject] = []
      for number in 1...40 {
        let key = try ObjectKey("raw/\(number % 3)/\(number).bin")
        let object = try await store.stage(key, from: chunks([number, 300_000 * (number % 2)]))
        #expect(object.object.bytes == Int64(number + 300_000 * (number % 2)))
        #expect(try await store.info(key) == nil)
        let path = try #require(object.localPath)
        #expect(FileManager.default.contents(atPath: path)?.count == Int(object.object.bytes))
        staged.append(object)
      }
      #expect(StagedObject.openCount >= 40)
      _ = try await store.stage("raw/0/dropped.bin", from: chunks([5]))
      #expect(try await store.list(prefix: "").isEmpty)
      try await store.publish(staged, condition: .absent)
      for object in staged {
        let content = try await collect(store.get(object.object.key))
        #expect(SHA256Hasher.hex(of: content) == object.object.sha256)
      }
      #expect(try await store.list(prefix: "").count == 40)
      let again = try await store.stage("raw/1/1.bin", from: chunks([2]))
      let error = await #expect(throws: ObjectStoreError.self) { try await store.publish([again], condition: .absent) }
      #expect(error?.code == "object_exists")
      #expect(try await store.info("raw/1/1.bin")?.bytes == 300_001)
      try await store.publish([], condition: .absent)
    }
  }

  @Test("knows SHA-256 as others do")
  func knownHash() {
    #expect(
      SHA256Hasher.hex(of: Array("abc".utf8)) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    #expect(SHA256Hasher.hex(of: []) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
  }

  @Test("refuses to write a key twice when it must be absent, and keeps the first")
  func absent() async throws {
    try await withScratchDirectory { directory async throws in
      let store = LocalObjectStore(root: directory)
      try await store.put("k/one", condition: .absent, bytes: [1])
      let error = await #expect(throws: ObjectStoreError.self) {
        try await store.put("k/one", condition: .absent, bytes: [2])
      }
      #expect(error?.code == "object_exists")
      #expect(error?.isTransient == false)
      #expect(try await collect(store.get("k/one")) == [1])
      try await store.put("k/one", condition: .always, bytes: [2, 3])
      #expect(try await collect(store.get("k/one")) == [2, 3])
    }
  }

  @Test("lets exactly one of many concurrent writers of a key win")
  func race() async throws {
    try await withScratchDirectory { directory async throws in
      let store = LocalObjectStore(root: directory)
      let winners = await withTaskGroup(of: UInt8?.self) { group in
        for writer in UInt8(1)...16 {
          group.addTask {
            do {
              try await store.put("one/key", condition: .absent, from: chunks([Int(writer) * 1000]))
              return writer
            } catch { return nil }
          }
        }
        return await group.reduce(into: [UInt8]()) { if let writer = $1 { $0.append(writer) } }
      }
      let winner = try #require(winners.first)
      #expect(winners.count == 1)
      #expect(try await store.info("one/key")?.bytes == Int64(winner) * 1000)
    }
  }

  @Test("shows nothing of a body that broke off, and leaves no file behind", arguments: [PutCondition.absent, .always])
  func brokenBody(condition: PutCondition) async throws {
    struct Broken: Error {}
    try await withScratchDirectory { directory async throws in
      let store = LocalObjectStore(root: directory)
      await #expect(throws: Broken.self) {
        try await store.put("a/b", condition: condition, from: chunks([600_000], then: Broken()))
      }
      #expect(try await store.info("a/b") == nil)
      #expect(try await store.list(prefix: "").isEmpty)
      #expect(try FileManager.default.contentsOfDirectory(atPath: directory + "/.tmp").isEmpty)
    }
  }

  @Test(
    "gives the bytes of a range, cut at the end",
    arguments: [(0, 4), (2, 5), (9, 20), (10, 12), (50, 60), (3, 3)] as [(Int64, Int64)])
  func ranges(from: Int64, until: Int64) async throws {
    try await withScratchDirectory { directory async throws in
      let store = LocalObjectStore(root: directory)
      let whole = (0..<10).map { UInt8($0) }
      try await store.put("r", condition: .absent, bytes: whole)
      let expected = whole.enumerated().filter { $0.offset >= from && $0.offset < until }.map(\.element)
      #expect(try await collect(store.get("r", range: from..<until)) == expected)
    }
  }

  @Test("lists by prefix, sorted, without its own files, and forgets what was deleted")
  func listing() async throws {
    try await withScratchDirectory { directory async throws in
      let store = LocalObjectStore(root: directory)
      for key in ["raw/b/2", "raw/b/10", "raw/a/1", "raw/ab", "curated/x"] as [ObjectKey] {
        try await store.put(key, condition: .absent, bytes: [1, 2])
      }
      #expect(try await store.list(prefix: "raw/").map(\.key.text) == ["raw/a/1", "raw/ab", "raw/b/10", "raw/b/2"])
      #expect(try await store.list(prefix: "raw/a").map(\.key.text) == ["raw/a/1", "raw/ab"])
      #expect(try await store.list(prefix: "none/").isEmpty)
      #expect(try await store.list(prefix: "").count == 5)
      try await store.delete("raw/ab")
      try await store.delete("raw/ab")
      #expect(try await store.list(prefix: "raw/a").map(\.key.text) == ["raw/a/1"])
    }
  }

  @Test("ends a listing with an error where a link leads back, and follows one that does not")
  func linksInListing() async throws {
    try await withScratchDirectory { directory async throws in
      let store = LocalObjectStore(root: directory + "/store")
      try await store.put("raw/a/1", condition: .absent, bytes: [1])
      let manager = FileManager.default
      try manager.createDirectory(atPath: directory + "/disk", withIntermediateDirectories: true)
      try manager.createSymbolicLink(atPath: directory + "/store/other", withDestinationPath: directory + "/disk")
      try await store.put("other/2", condition: .absent, bytes: [1])
      #expect(try await store.list(prefix: "").map(\.key.text) == ["other/2", "raw/a/1"])
      try manager.createSymbolicLink(atPath: directory + "/store/raw/a/loop", withDestinationPath: "..")
      try manager.createSymbolicLink(atPath: directory + "/store/raw/a/loop2", withDestinationPath: "..")
      let error = await #expect(throws: ObjectStoreError.self) { try await store.list(prefix: "raw/") }
      #expect(error?.message.contains("a link leads to a folder that is in it") == true)
    }
  }

  @Test("tells keys apart by their bytes")
  func normalisation() async throws {
    try await withScratchDirectory { directory async throws in
      let store = LocalObjectStore(root: directory)
      let keys = try ["caf\u{E9}", "cafe\u{301}"].map { try ObjectKey($0) }
      #expect(Set(keys).count == 2)
      for key in keys { try await store.put(key, condition: .absent, bytes: [1]) }
      #expect(try await store.list(prefix: "caf\u{E9}").map(\.key) == [keys[0]])
      #expect(try await store.list(prefix: "cafe").map(\.key) == [keys[1]])
    }
  }

  @Test("takes a finished file in, whose old place is then empty")
  func adopting() async throws {
    try await withScratchDirectory { directory async throws in
      let store = LocalObjectStore(root: directory + "/store")
      let file = directory + "/out.parquet"
      #expect(FileManager.default.createFile(atPath: file, contents: Data([1, 2, 3])))
      let stored = try await store.adopt(file: file, as: "curated/d/out.parquet")
      #expect(stored.bytes == 3)
      #expect(stored.sha256 == SHA256Hasher.hex(of: [1, 2, 3]))
      #expect(!FileManager.default.fileExists(atPath: file))
      #expect(try await collect(store.get("curated/d/out.parquet")) == [1, 2, 3])

      #expect(FileManager.default.createFile(atPath: file, contents: Data([9])))
      let error = await #expect(throws: ObjectStoreError.self) {
        try await store.adopt(file: file, as: "curated/d/out.parquet")
      }
      #expect(error?.code == "object_exists")
      #expect(FileManager.default.fileExists(atPath: file), "a refused file stays where it is")
    }
  }

  @Test("takes many files in at once, in their order, and says which it cannot take")
  func adoptingMany() async throws {
    try await withScratchDirectory { directory async throws in
      let store = LocalObjectStore(root: directory + "/store")
      let files = try (0..<40).map { number in
        let path = "\(directory)/\(number)"
        #expect(FileManager.default.createFile(atPath: path, contents: Data(bytes([number + 1]))))
        return (path: path, key: try ObjectKey("curated/d/day=\(number % 7)/part-\(number)"))
      }
      let stored = try await store.adopt(files: files)
      #expect(stored.map(\.key) == files.map(\.key))
      #expect(stored.map(\.bytes) == (1...40).map(Int64.init))
      for object in stored { #expect(try await store.info(object.key)?.bytes == object.bytes) }
      #expect(try await store.adopt(files: []).isEmpty)
      let error = await #expect(throws: ObjectStoreError.self) {
        try await store.adopt(files: [(path: "\(directory)/none", key: "curated/d/none")])
      }
      #expect(error?.message.contains("\(directory)/none") == true)
    }
  }

  @Test("takes a file in from another filesystem", .enabled(if: FileManager.default.fileExists(atPath: "/dev/shm")))
  func adoptingAcross() async throws {
    try await withScratchDirectory { directory async throws in
      let store = LocalObjectStore(root: directory)
      let file = "/dev/shm/sluice-adopt-\(UUID().uuidString)"
      #expect(FileManager.default.createFile(atPath: file, contents: Data(bytes([600_000]))))
      let stored = try await store.adopt(file: file, as: "a/b")
      #expect(stored.bytes == 600_000)
      #expect(!FileManager.default.fileExists(atPath: file))
      #expect(try await collect(store.get("a/b")) == bytes([600_000]))
    }
  }

  @Test("says which object is missing")
  func missing() async throws {
    try await withScratchDirectory { directory async throws in
      let store = LocalObjectStore(root: directory)
      let error = await #expect(throws: ObjectStoreError.self) { try await collect(store.get("no/such")) }
      #expect(error?.code == "object_missing")
      #expect(error?.message.contains("no/such") == true)
      #expect(try await store.info("no/such") == nil)
    }
  }

  @Test("says that the disk is full, by its directory, and keeps nothing", .enabled(if: FullDisk.isAvailable))
  func diskFull() async throws {
    try await FullDisk.with(bytes: 1 << 20) { directory async throws in
      let store = LocalObjectStore(root: directory)
      let error = await #expect(throws: ObjectStoreError.self) {
        try await store.put("raw/large", condition: .absent, from: chunks([400_000, 400_000, 400_000, 400_000]))
      }
      #expect(error?.code == "disk_full")
      #expect(error?.isTransient == true)
      #expect(error?.message.contains(directory) == true)
      #expect(try await store.list(prefix: "").isEmpty)
      // A child that another test forks at this moment holds the dropped file until it runs its own program.
      try await eventually("there is room again") {
        do { try await store.put("raw/small", condition: .absent, bytes: bytes([100_000])) } catch let error
          as ObjectStoreError where error.code == "disk_full"
        { return false }
        return true
      }
      #expect(try await store.info("raw/small")?.bytes == 100_000)
    }
  }
}

@Suite("An object key")
struct ObjectKeyTests {
  @Test(
    "that leads out of the store or cannot be a name is refused",
    arguments: [
      "", "/a", "a/", "a//b", "../a", "a/../b", "a/./b", ".tmp/x", "a\nb", "a\u{0}b",
      String(repeating: "x", count: 300), "a/../\u{301}b", "a/.\u{301}x", "/\u{301}a", "a//\u{301}b",
    ])
  func refused(text: String) {
    let error = #expect(throws: ObjectStoreError.self) { try ObjectKey(text) }
    #expect(error?.code == "object_key")
  }

  @Test(
    "of an ordinary kind is accepted",
    arguments: ["a", "raw/p/s/t/1/2-3-0.csv.gz", "d/month=2024-01/x y.parquet", "ü/1"])
  func accepted(text: String) throws {
    #expect(try ObjectKey(text).text == text)
  }
}

@Suite("A storage location")
struct StorageLocationTests {
  @Test(
    "of a local directory is relative to the project",
    arguments: [
      ("file:.sluice/raw", "/p/.sluice/raw"), ("file:/data/raw/", "/data/raw"), ("file:///data/raw", "/data/raw"),
    ])
  func local(location: String, root: String) throws {
    let store = try #require(try openObjectStore(location: location, projectDirectory: "/p") as? LocalObjectStore)
    #expect(store.root == root)
  }

  @Test(
    "of another kind, or relative and outside of the project, is refused",
    arguments: ["s3://bucket/x", "gs://x", "raw", "file:", "file:..", "file:a/../../b", "file://../x"])
  func unsupported(location: String) {
    let error = #expect(throws: ObjectStoreError.self) {
      try openObjectStore(location: location, projectDirectory: "/p")
    }
    #expect(error?.code == "not_supported")
    #expect(error?.isTransient == false)
  }
}
