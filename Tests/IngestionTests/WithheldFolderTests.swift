import Catalog
import FoundationEssentials
import Ingestion
import JobModel
import PipelineDefinition
import Testing

@testable import Ingestion

@Suite("A folder that a source does not read")
struct WithheldFolderTests {
  private func connector(
    _ fixture: PullFixture, at: String, match: String, secrets: String? = nil
  ) -> FilesConnector {
    FilesConnector(
      source: FilesSource(at: ValueTemplate(literal: at)),
      stream: Stream(name: "stock", match: match, read: .full, records: .bytes),
      resolver: ValueResolver(environment: { _ in nil }, secret: { _ in nil }), projectDirectory: fixture.directory,
      secretsDirectory: secrets.map { fixture.directory + "/" + $0 }, seen: { _ in [] }, timing: fixture.timing)
  }

  @Test(
    "is that of secrets or of the installation's state, however it is named",
    arguments: [
      ("file:secrets", "**"), ("file:.", "secrets/*"), ("file:secrets/deep", "*"), ("file:.sluice", "**"),
      ("file:./.sluice/logs", "*"), ("file:link", "*"), ("file:.", "secrets/deep/*"), ("file:vault", "*"),
    ])
  func refused(at: String, match: String) async throws {
    try await PullFixture.with { fixture async throws in
      for path in ["secrets/tok", "secrets/deep/tok", ".sluice/logs/x", "vault/tok"] {
        try fixture.write("x", to: path)
      }
      try FileManager.default.createSymbolicLink(
        atPath: fixture.directory + "/link", withDestinationPath: at == "file:link" ? "secrets/deep" : "none")
      let isVault = at == "file:vault"
      let outcome = await carry(
        connector(fixture, at: at, match: match, secrets: isVault ? "vault" : nil), in: fixture.context())
      #expect(outcome.failure?.code == "source_private")
      #expect(outcome.failure?.isTransient == false)
      #expect(outcome.objects.isEmpty)
    }
  }

  @Test("is left out below the location, with a note", arguments: ["**", "*/*"])
  func below(match: String) async throws {
    try await PullFixture.with { fixture async throws in
      for path in ["secrets/tok", "in/a"] { try fixture.write("x", to: path) }
      let outcome = await carry(connector(fixture, at: "file:.", match: match), in: fixture.context())
      #expect(outcome.error == nil)
      #expect(outcome.objects.map(\.request) == ["in/a"])
      #expect(outcome.remark?.contains("these folders are not read: secrets (") == true)
    }
  }

  @Test("lies too deep: it does not stop the stream")
  func deep() async throws {
    try await PullFixture.with { fixture async throws in
      try fixture.write("x", to: "in/" + String(repeating: "d/", count: 120) + "a")
      try fixture.write("x", to: "in/b")
      let outcome = await carry(connector(fixture, at: "file:in", match: "**"), in: fixture.context())
      #expect(outcome.error == nil)
      #expect(outcome.objects.map(\.request) == ["b"])
      #expect(outcome.remark?.contains("more than 100 levels") == true)
    }
  }

  @Test("is opened by no path that a checkpoint names")
  func opened() async throws {
    try await PullFixture.with { fixture async throws in
      try fixture.write("x", to: "secrets/tok")
      let root = fixture.directory
      let directory = SourceDirectory(root: root, withheld: WithheldFolders([root + "/secrets"], project: root))
      #expect(throws: (any Error).self) { try directory.open("secrets/tok") }
      #expect(directory.look(at: "secrets/tok") == nil)
    }
  }

  @Test("is none where the folder of secrets contains the project")
  func around() async throws {
    try await PullFixture.with { fixture async throws in
      try fixture.write("x", to: "in/a")
      let outcome = await carry(connector(fixture, at: "file:in", match: "*", secrets: "."), in: fixture.context())
      #expect(outcome.objects.count == 1)
    }
  }
}
