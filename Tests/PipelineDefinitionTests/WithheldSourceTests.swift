import PipelineDefinition
import Testing

@Suite("A source of secrets")
struct WithheldSourceTests {
  private func codes(at: String, match: String, settings: String = "") -> [String] {
    let pipeline = """
      pipeline: shop
      sources:
        drops:
          files: {at: "\(at)"}
          streams:
            stock: {match: "\(match)", records: {format: bytes}}
      """
    let files = [("pipelines/shop.yaml", pipeline), ("sluice.yaml", settings)].filter { !$0.1.isEmpty }
    let bundle = ProjectBundle(files: files.map { .init(path: $0.0, bytes: Array($0.1.utf8)) })
    return Project(bundle: bundle, directory: "/data/shop").diagnostics.map(\.code)
  }

  @Test(
    "is refused by check",
    arguments: [
      ("file:.", "secrets/*"), ("file:secrets", "*"), ("file:./secrets/a", "*"), ("file:.sluice", "**"),
      ("file:/data/shop/secrets", "*"), ("file:/data", "shop/secrets/*"),
    ])
  func refused(at: String, match: String) {
    #expect(codes(at: at, match: match).contains("source_private"))
  }

  @Test("is refused where `secrets` names another folder")
  func configured() {
    let settings = "secrets: {directory: vault}\n"
    #expect(codes(at: "file:vault", match: "*", settings: settings).contains("source_private"))
    #expect(!codes(at: "file:secrets", match: "*", settings: settings).contains("source_private"))
  }

  @Test("is no other folder", arguments: [("file:secrets2", "*"), ("file:drops", "secrets/*"), ("file:.", "*")])
  func allowed(at: String, match: String) {
    #expect(!codes(at: at, match: match).contains("source_private"))
  }
}
