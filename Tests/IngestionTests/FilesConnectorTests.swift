import Catalog
import FoundationEssentials
import JobModel
import ObjectStore
import PipelineDefinition
import Testing

@testable import Ingestion

#if canImport(Glibc)
  import Glibc
#endif

@Suite("A source of files")
struct FilesConnectorTests {
  private func connector(
    _ fixture: PullFixture, match: String = "in/*.csv", read: ReadMode = .incremental,
    records: RecordFormat = .csv(CSVFormat()), at: String = "file:.", seen: Set<SeenFile> = []
  ) -> FilesConnector {
    FilesConnector(
      source: FilesSource(at: ValueTemplate(literal: at)),
      stream: Stream(name: "stock", match: match, read: read, records: records),
      resolver: ValueResolver(environment: { _ in nil }, secret: { _ in nil }), projectDirectory: fixture.directory,
      seen: { _ in seen }, timing: fixture.timing)
  }

  private func seen(_ objects: [NewRawObject]) -> Set<SeenFile> {
    Set(objects.map { SeenFile(path: $0.request, bytes: $0.originBytes ?? -1, sha256: $0.originSHA256 ?? "") })
  }

  @Test("brings every match byte for byte, sorted, and names it by its path")
  func copies() async throws {
    try await PullFixture.with { fixture async throws in
      try fixture.write("id\r\n1\r\n", to: "in/b.csv")
      try fixture.write("id\n\u{FEFF}2", to: "in/a.csv")
      try fixture.write("no", to: "in/c.txt")
      try fixture.write("no", to: "in/deep/d.csv")
      let outcome = await carry(connector(fixture), in: fixture.context())
      #expect(outcome.error == nil)
      #expect(outcome.objects.map(\.request) == ["in/a.csv", "in/b.csv"])
      #expect(outcome.objects.map(\.key) == ["0", "1"].map { "raw/orders/billing/invoices/7/40-1-\($0).csv" })
      #expect(try await fixture.text(outcome.objects[1].key) == "id\r\n1\r\n")
      #expect(outcome.objects[0].sha256 == SHA256Hasher.hex(of: Array("id\n\u{FEFF}2".utf8)))
      #expect(fixture.lastReport?.units == 2)
    }
  }

  @Test("knows what it had by path, size and hash, so that a rewrite of the same size counts")
  func new() async throws {
    try await PullFixture.with { fixture async throws in
      try fixture.write("id\n1\n", to: "in/a.csv")
      try fixture.write("id\n2\n", to: "in/b.csv")
      let first = await carry(connector(fixture), in: fixture.context(epoch: 1))
      let known = seen(first.objects)
      let second = await carry(connector(fixture, seen: known), in: fixture.context(epoch: 2))
      #expect(second.steps.isEmpty)
      #expect(second.remark?.contains("nothing new among 2 files") == true)
      try fixture.write("id\n3\n", to: "in/a.csv")
      try fixture.write("id\n2\n", to: "in/c.csv")
      let third = await carry(connector(fixture, seen: known), in: fixture.context(epoch: 3))
      #expect(third.objects.map(\.request) == ["in/a.csv", "in/c.csv"])
      let full = await carry(connector(fixture, read: .full, seen: known), in: fixture.context(epoch: 4))
      #expect(full.objects.count == 3)
    }
  }

  @Test("goes on behind the file of its checkpoint")
  func resumes() async throws {
    try await PullFixture.with { fixture async throws in
      for name in ["a", "b", "c"] { try fixture.write("id\n\(name)\n", to: "in/\(name).csv") }
      let first = await carry(connector(fixture, read: .full), in: fixture.context(epoch: 1), limit: 2)
      let second = await carry(
        connector(fixture, read: .full), from: first.steps[1].state, in: fixture.context(epoch: 2))
      #expect(second.objects.map(\.request) == ["in/c.csv"])
      #expect(second.objects.map(\.sequence) == [2])
    }
  }

  @Test("without a match says so and is no failure; a missing directory is one")
  func nothing() async throws {
    try await PullFixture.with { fixture async throws in
      try fixture.write("x", to: "in/a.txt")
      let none = await carry(connector(fixture), in: fixture.context())
      #expect(none.error == nil)
      #expect(none.remark?.contains("no file") == true)
      #expect(fixture.notes.last?.contains("in/*.csv") == true)
      let missing = await carry(connector(fixture, at: "file:nowhere"), in: fixture.context())
      #expect(missing.failure?.code == "source_missing")
      #expect(missing.failure?.isTransient == false)
      #expect(missing.failure?.message.contains(fixture.directory + "/nowhere") == true)
    }
  }

  @Test("keeps gzip as it is, and a truncated one as broken")
  func compressed() async throws {
    try await PullFixture.with { fixture async throws in
      // gzip of "id\n1\n".
      let whole: [UInt8] = [
        0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 2, 3, 0xCB, 0x4C, 0xE1, 0x32, 0xE4, 2, 0, 0x0F, 0xE9, 0x5B, 0xCD, 5, 0, 0, 0,
      ]
      try FileManager.default.createDirectory(atPath: fixture.directory + "/in", withIntermediateDirectories: true)
      for (name, bytes) in [("1.csv.gz", whole), ("2.csv.gz", Array(whole.dropLast(6)))] {
        #expect(FileManager.default.createFile(atPath: fixture.directory + "/in/" + name, contents: Data(bytes)))
      }
      let outcome = await carry(connector(fixture, match: "in/*.gz"), in: fixture.context())
      #expect(outcome.objects.map(\.bytes) == [25, 19])
      #expect(outcome.objects[0].broken == nil)
      #expect(outcome.objects[0].key.hasSuffix(".csv.gz"))
      #expect(outcome.failure?.code == "source_document")
      #expect(outcome.failure?.message.contains("in/2.csv.gz: a truncated or damaged gzip file") == true)
    }
  }

  @Test("fails for a JSON document that cannot be parsed, with its path and the byte, and keeps it")
  func brokenDocument() async throws {
    try await PullFixture.with { fixture async throws in
      try fixture.write("[1, 2}", to: "in/a.json")
      let outcome = await carry(
        connector(fixture, match: "in/*.json", records: .json(path: "$[*]")), in: fixture.context())
      #expect(outcome.failure?.message.contains("in/a.json: invalid JSON at byte 5") == true)
      #expect(try await fixture.text(#require(outcome.objects.first).key) == "[1, 2}")
    }
  }

  @Test("follows no link and reads no pipe or device, and says so")
  func links() async throws {
    try await PullFixture.with { fixture async throws in
      try fixture.write("hunter2", to: "secrets/warehouse.csv")
      try fixture.write("id\n1\n", to: "in/a.csv")
      let (root, inbox) = (fixture.directory, fixture.directory + "/in")
      let manager = FileManager.default
      try manager.createSymbolicLink(atPath: inbox + "/b.csv", withDestinationPath: root + "/secrets/warehouse.csv")
      try manager.createSymbolicLink(atPath: inbox + "/c.csv", withDestinationPath: "a.csv")
      try manager.createSymbolicLink(atPath: inbox + "/out", withDestinationPath: root + "/secrets")
      try manager.createSymbolicLink(atPath: inbox + "/loop", withDestinationPath: ".")
      #expect(mkfifo(inbox + "/d.csv", 0o600) == 0)
      let outcome = await carry(connector(fixture, match: "**/*.csv", at: "file:in"), in: fixture.context())
      #expect(outcome.error == nil)
      #expect(outcome.objects.map(\.request) == ["a.csv"])
      #expect(outcome.remark?.contains("links, pipes, devices") == true)
      let one = await carry(connector(fixture, match: "out/*.csv", at: "file:in"), in: fixture.context(epoch: 2))
      #expect(one.objects.isEmpty)
      let looped = await carry(connector(fixture, match: "**", at: "file:in/loop/loop"), in: fixture.context(epoch: 3))
      #expect(looped.objects.map(\.request) == ["a.csv"], "the author of the definition may name a link")
    }
  }

  @Test("opens nothing that became a link, a pipe or a folder after the look")
  func exchanged() throws {
    let manager = FileManager.default
    let root = manager.temporaryDirectory.appending(path: "sluice-inbox-\(UUID().uuidString)").path
    try manager.createDirectory(atPath: root + "/sub", withIntermediateDirectories: true)
    defer { try? manager.removeItem(atPath: root) }
    try Data("x".utf8).write(to: URL(filePath: root + "/sub/a.csv"))
    let directory = SourceDirectory(root: root)
    _ = close(try directory.open("sub/a.csv"))
    try manager.moveItem(atPath: root + "/sub", toPath: root + "/moved")
    try manager.createSymbolicLink(atPath: root + "/sub", withDestinationPath: "moved")
    try manager.createSymbolicLink(atPath: root + "/link.csv", withDestinationPath: "moved/a.csv")
    #expect(mkfifo(root + "/pipe.csv", 0o600) == 0)
    for path in ["sub/a.csv", "link.csv", "pipe.csv", "moved", "../none", "moved/../moved/a.csv", "gone"] {
      #expect(throws: FileReader.Missing.self, "\(path)") { try directory.open(path) }
      #expect(directory.look(at: path) == nil)
    }
  }

  @Test("ends with an error at a location that leads to itself")
  func loopedLocation() async throws {
    try await PullFixture.with { fixture async throws in
      let manager = FileManager.default
      try manager.createSymbolicLink(atPath: fixture.directory + "/loop", withDestinationPath: "loop")
      let outcome = await carry(connector(fixture, at: "file:loop"), in: fixture.context())
      #expect(outcome.failure?.code == "source_denied")
      #expect(outcome.failure?.message.contains("/loop cannot be read") == true)
    }
  }

  @Test("outside of the project needs an absolute path", arguments: ["file:..", "file:in/../../x", "file://../x"])
  func outside(location: String) async throws {
    try await PullFixture.with { fixture async throws in
      let outcome = await carry(connector(fixture, at: location), in: fixture.context())
      #expect(outcome.failure?.code == "source_location")
      #expect(outcome.failure?.hint == "write an absolute path, such as file:/data/drops")
      try fixture.write("id\n1\n", to: "in/a.csv")
      let absolute = await carry(
        connector(fixture, match: "*.csv", at: "file:" + fixture.directory + "/in"), in: fixture.context(epoch: 2))
      #expect(absolute.objects.count == 1)
    }
  }

  @Test("tells names apart by their bytes: two notations of one letter are two files")
  func normalisation() async throws {
    try await PullFixture.with { fixture async throws in
      let (one, two) = ("in/caf\u{E9}.csv", "in/cafe\u{301}.csv")
      #expect(one == two, "to Swift they are equal")
      try fixture.write("id\n1\n", to: one)
      let first = await carry(connector(fixture), in: fixture.context(epoch: 1))
      #expect(first.objects.count == 1)
      try fixture.write("id\n1\n", to: two)
      let second = await carry(connector(fixture, seen: seen(first.objects)), in: fixture.context(epoch: 2))
      #expect(second.error == nil)
      #expect(second.objects.map { Array($0.request.utf8) } == [Array(two.utf8)])
      let both = await carry(connector(fixture, read: .full), in: fixture.context(epoch: 3))
      #expect(both.objects.count == 2)
      let known = await carry(
        connector(fixture, seen: seen(first.objects + second.objects)), in: fixture.context(epoch: 4))
      #expect(known.objects.isEmpty)
    }
  }

  @Test("takes a file of any age")
  func ages() async throws {
    try await PullFixture.with { fixture async throws in
      try fixture.write("id\n1\n", to: "in/a.csv")
      for seconds in [Int.max, .min, 99_999_999_999_999] {
        let times = [timespec(tv_sec: seconds, tv_nsec: 0), timespec(tv_sec: seconds, tv_nsec: 0)]
        // A filesystem may refuse or shorten it.
        _ = utimensat(AT_FDCWD, fixture.directory + "/in/a.csv", times, 0)
        let outcome = await carry(
          connector(fixture, read: .full), in: fixture.context(epoch: Int64(seconds % 1000 + 2000)))
        #expect(outcome.objects.count == 1)
      }
    }
  }

  @Test("notices that a file is being written, and reads it again when it is done")
  func changing() async throws {
    try await PullFixture.with { fixture async throws in
      try fixture.write(String(repeating: "x", count: 900_000), to: "in/a.csv")
      let path = fixture.directory + "/in/a.csv"
      let context = fixture.context()
      let growth = Growth(path: path)
      var watched = context
      watched.report = { progress in
        if progress.bytes > 0 { growth.once() }
        context.report(progress)
      }
      let outcome = await carry(connector(fixture), in: watched)
      #expect(outcome.error == nil)
      #expect(outcome.objects.first?.bytes == 900_005)
      #expect(fixture.sleeps == [.milliseconds(200)])
      #expect(try await fixture.keys.count == 1)
    }
  }
}

@Suite("A pattern of files")
struct GlobTests {
  @Test(
    "matches as a shell does",
    arguments: [
      ("*.csv", "a.csv", true), ("*.csv", "d/a.csv", false), ("*.csv", ".csv", false),
      ("stock/*.csv.gz", "stock/x.csv.gz", true),
      ("**", "a", true), ("**", "a/b/c", true), ("**/*.csv", "a.csv", true), ("**/*.csv", "a/b/c.csv", true),
      ("a/**/z", "a/z", true), ("a/**/z", "a/b/c/z", true), ("a/**/z", "b/z", false), ("?.csv", "é.csv", true),
      ("?.csv", "ab.csv", false), ("a*b*c", "aXbYc", true), ("a*b*c", "aXc", false), ("[a].csv", "a.csv", false),
      ("./in/*", "in/x", true), ("in", "in/x", false), ("*", "", false),
    ])
  func matches(pattern: String, path: String, expected: Bool) {
    #expect(Glob(pattern).matches(path) == expected)
  }

  @Test("ends, however many wildcards it has", arguments: ["*", "**/", "*a", "**/*a*/", "?*"])
  func manyStars(wildcard: String) {
    let pattern = String(repeating: wildcard, count: 31) + "b"
    #expect(!Glob(pattern).matches(String(repeating: "a", count: 250)))
    #expect(!Glob(pattern).matches(String(repeating: "a/", count: 500) + "c"))
    #expect(Glob(String(repeating: "*a", count: 31)).matches(String(repeating: "a", count: 250)))
  }

  @Test("tells parts and names apart by scalars")
  func scalars() {
    #expect(Glob("*/b").matches("a/b"))
    #expect(!Glob("*").matches("a/\u{301}b"), "a slash before a combining mark is a slash")
    #expect(!Glob("*.csv").matches(".\u{301}csv"), "and a dot is a dot")
    #expect(!Glob("caf\u{E9}").matches("cafe\u{301}"))
    #expect(Glob("caf?").matches("caf\u{E9}"))
    #expect(Glob("caf??").matches("cafe\u{301}"))
  }
}
