import FoundationEssentials
import PipelineDefinition
import Testing

#if canImport(Glibc)
  import Glibc
#endif

@Suite("A bundle of a directory with links")
struct BundleLinkTests {
  private let files = [
    "pipelines/shop.yaml": "pipeline: shop\n", "sql/orders.sql": "select 1", "sql/shared/common.sql": "select 2",
    "sql/shared/deep/more.sql": "select 3", "secrets/tok": "hunter2", ".sluice/control.json": "hunter2",
    "sql/.hidden": "hunter2",
  ]

  /// Makes a link in a project next to a folder that is not part of it.
  private func bundle(link path: String, to target: String) throws -> ProjectBundle {
    try withDirectory(["outside/secret": "hunter2"]) { outside throws in
      try withDirectory(files) { directory throws in
        let target = target.replacing("OUTSIDE", with: outside + "/outside").replacing("PROJECT", with: directory)
        try FileManager.default.createSymbolicLink(atPath: directory + "/" + path, withDestinationPath: target)
        return try ProjectBundle(directory: directory)
      }
    }
  }

  @Test(
    "holds no file that a link outside leads to",
    arguments: [
      ("sql/leak.sql", "OUTSIDE/secret"), ("sql/leak", "OUTSIDE"), ("sluice.yaml", "OUTSIDE/secret"),
      ("sql/etc", "/etc"), ("tests", "OUTSIDE"), ("sql/up", "../.."), ("sql/passwd.sql", "/etc/passwd"),
      ("sql/leak", "../secrets"), ("sql/leak.sql", "../secrets/tok"), ("sql/state", "../.sluice"), ("sql/root", ".."),
      ("sql/control.sql", "PROJECT/.sluice/control.json"), ("sql/hidden.sql", ".hidden"),
    ])
  func outside(path: String, target: String) throws {
    let error = #expect(throws: DefinitionError.self) { try bundle(link: path, to: target) }
    #expect(error?.code == "link_outside")
    #expect(error?.message.contains(path) == true && error?.message.contains("hunter2") == false)
  }

  @Test(
    "ends with an error where a link leads back",
    arguments: [
      ("sql/loop", "loop"), ("sql/loop", "."), ("sql/loop", "../sql"),
      ("sql/loop", "PROJECT/sql"),
      ("sql/pipelines", "../pipelines"),
    ])
  func loops(path: String, target: String) throws {
    let error = #expect(throws: DefinitionError.self) { try bundle(link: path, to: target) }
    #expect(error?.code == "link_loop")
    #expect(error?.message.contains(path) == true)
  }

  @Test("follows one to a file of the definition")
  func inside() throws {
    #expect(try bundle(link: "sql/c.sql", to: "shared/common.sql")[path: "sql/c.sql"] == Array("select 2".utf8))
    #expect(try bundle(link: "sluice.yaml", to: "sql/shared/common.sql")[path: "sluice.yaml"] == Array("select 2".utf8))
  }

  @Test("reads a project that a link leads to")
  func linkedProject() throws {
    try withDirectory(files) { directory throws in
      let link = directory + "-link"
      try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: directory)
      defer { try? FileManager.default.removeItem(atPath: link) }
      #expect(try ProjectBundle(directory: link) == ProjectBundle(directory: directory))
    }
  }

  @Test("waits for no pipe")
  func pipes() throws {
    try withDirectory(files) { directory throws in
      #expect(mkfifo(directory + "/sql/pipe.sql", 0o600) == 0)
      let error = #expect(throws: DefinitionError.self) { try ProjectBundle(directory: directory) }
      #expect(error?.code == "unreadable_file")
      #expect(error?.message == "sql/pipe.sql is neither a file nor a folder")
    }
  }

  @Test("tells names apart by their bytes")
  func normalisation() throws {
    let names = ["tests/caf\u{E9}.csv", "tests/cafe\u{301}.csv"]
    try withDirectory(files) { directory throws in
      try FileManager.default.createDirectory(atPath: directory + "/tests", withIntermediateDirectories: true)
      for (index, name) in names.enumerated() {
        try Data("\(index)".utf8).write(to: URL(filePath: directory + "/" + name))
      }
      let bundle = try ProjectBundle(directory: directory)
      #expect(bundle.files.count == 6)
      #expect(bundle[path: names[0]] == Array("0".utf8))
      #expect(bundle[path: names[1]] == Array("1".utf8))
      #expect(try ProjectBundle(canonicalBytes: bundle.canonicalBytes) == bundle)
      #expect(try Project.load(directory: directory).definitions.count == 1)
    }
  }

  @Test("An environment's name is a name", arguments: ["../x", "a/b", "", "A", "x\u{0}", "-a", ".", "a\nb", "é"])
  func environments(name: String) throws {
    try withDirectory(files) { directory throws in
      let error = #expect(throws: DefinitionError.self) { try Project.load(directory: directory, environment: name) }
      #expect(error?.code == "environment_name")
      #expect(try Project.load(directory: directory, environment: "prod-2").environment == "prod-2")
    }
  }

  @Test("A byte-order mark before SQL is no part of it")
  func byteOrderMark() throws {
    try withDirectory(files.merging(["sql/orders.sql": "\u{FEFF}select 1"]) { $1 }) { directory throws in
      let text = try Project.load(directory: directory).text(at: "sql/orders.sql")
      #expect(Array(text.utf8) == Array("select 1".utf8))
    }
  }
}
