import FoundationEssentials
import JobModel
import PipelineDefinition
import Testing

@Suite("Secrets")
struct SecretStoreTests {
  private let nothing: @Sendable (String) -> String? = { _ in nil }

  @Test(
    "have a variable each",
    arguments: [
      ("warehouse", "SLUICE_SECRET_WAREHOUSE"), ("shop/readonly", "SLUICE_SECRET_SHOP_READONLY"),
      ("a-b.c", "SLUICE_SECRET_A_B_C"), ("é", "SLUICE_SECRET__"),
    ])
  func variable(name: String, expected: String) {
    #expect(SecretStore.variable(for: name) == expected)
  }

  @Test("come from the environment before the directory, without the newline at the end of a file")
  func order() throws {
    try withDirectory(["warehouse": "from file\n", "shop/readonly": "line 1\nline 2\r\n", "plain": "as is "]) {
      (directory: String) throws in
      let files = SecretStore(directory: directory, environment: nothing)
      #expect(try files.secret("warehouse") == "from file")
      #expect(try files.secret("shop/readonly") == "line 1\nline 2")
      #expect(try files.secret("plain") == "as is ")
      #expect(try files.secret("shop") == nil)
      #expect(try files.secret("absent") == nil)
      let both = SecretStore(directory: directory) { $0 == "SLUICE_SECRET_WAREHOUSE" ? "from environment" : nil }
      #expect(try both.secret("warehouse") == "from environment")
      #expect(try SecretStore(directory: nil, environment: nothing).secret("warehouse") == nil)
    }
  }

  @Test(
    "never lead out of their directory",
    arguments: ["../outside", "a/../../outside", "/etc/passwd", "", "a//b", ".hidden", "a/..", "a\\b"])
  func traversal(name: String) throws {
    try withDirectory(["outside": "x", "secrets/.hidden": "y"]) { (directory: String) throws in
      let store = SecretStore(directory: directory + "/secrets", environment: nothing)
      let error = #expect(throws: DefinitionError.self) { try store.secret(name) }
      #expect(error?.code == "secret_name")
    }
  }

  @Test("that are no text are refused without being shown")
  func notText() throws {
    try withDirectory([:]) { (directory: String) throws in
      try Data([0xFF, 0xFE, 0x68]).write(to: URL(filePath: directory + "/binary"))
      try Data(count: SecretStore.maximumBytes + 1).write(to: URL(filePath: directory + "/large"))
      let store = SecretStore(directory: directory, environment: nothing)
      for name in ["binary", "large"] {
        let error = #expect(throws: DefinitionError.self) { try store.secret(name) }
        #expect(error?.code == "secret_unreadable")
      }
    }
  }

  @Test("and variables are filled into a value; what is missing is named with its place")
  func resolver() throws {
    try withDirectory(["token": "t0p"]) { (directory: String) throws in
      let store = SecretStore(directory: directory) { $0 == "HOST" ? "example.com" : nil }
      let resolver = store.resolver(placeholders: ["env": "local"]).adding(["cursor": "7"])
      let place = Place(file: "pipelines/a.yaml", line: 3, column: 9)
      let template = ValueTemplate(
        parts: [
          .literal("https://"), .environment("HOST"), .literal("/"), .placeholder("env"), .placeholder("cursor"),
        ],
        place: place)
      #expect(try template.resolved(with: resolver) == "https://example.com/local7")
      #expect(try ValueTemplate(parts: [.secret("token")]).resolved(with: resolver) == "t0p")
      let error = #expect(throws: TemplateError.self) {
        try ValueTemplate(parts: [.secret("shop/absent")], place: place).resolved(with: resolver)
      }
      #expect(error?.description.contains("SLUICE_SECRET_SHOP_ABSENT") == true)
      #expect(error?.description.hasPrefix("pipelines/a.yaml:3:9: ") == true)
    }
  }
}
