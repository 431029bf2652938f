import FoundationEssentials
import Testing

@testable import PipelineDefinition

@Suite("The description of the format")
struct PipelineSchemaTests {
  private static let docs = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "docs")

  private func committed(_ name: String) throws -> String {
    try String(decoding: Data(contentsOf: Self.docs.appending(path: name)), as: UTF8.self)
  }

  /// `SLUICE_UPDATE_DOCS=1` writes both files anew; the tests then hold what was written.
  private static let isUpdating = ProcessInfo.processInfo.environment["SLUICE_UPDATE_DOCS"] != nil

  private func write(_ text: String, _ name: String) throws {
    try Data(text.utf8).write(to: Self.docs.appending(path: name))
  }

  @Test("The committed JSON Schema is the one of the source")
  func jsonSchema() throws {
    if Self.isUpdating { try write(PipelineSchema.json(), "pipeline.schema.json") }
    #expect(try committed("pipeline.schema.json") == PipelineSchema.json())
  }

  @Test("The committed tables of the reference are those of the source")
  func reference() throws {
    var text = try committed("pipeline.md")
    for (name, tables) in [("pipeline", SchemaReference.pipeline()), ("project", SchemaReference.project())] {
      let begin = "<!-- begin \(name) -->\n"
      let end = "<!-- end \(name) -->"
      let start = try #require(text.firstRange(of: begin)).upperBound
      let stop = try #require(text[start...].firstRange(of: end)).lowerBound
      if Self.isUpdating {
        text.replaceSubrange(start..<stop, with: tables)
        try write(text, "pipeline.md")
      } else {
        #expect(String(text[start..<stop]) == tables)
      }
    }
  }

  @Test("Every example of a key is right")
  func examples() {
    var keys: [KeyShape] = []
    PipelineSchema.pipeline.collect(into: &keys)
    ProjectSchema.settings.collect(into: &keys)
    #expect(keys.count > 100)
    for key in keys {
      guard let example = key.example, !example.contains("…") else { continue }
      let (document, reading) = YAMLReader.read(text: "value: \(example)\n", file: key.name)
      #expect(reading == [], "\(key.name)")
      guard let value = document?["value"] else {
        Issue.record("\(key.name): \(example)")
        continue
      }
      let found = ShapeValidator.validate(value, as: key.shape, named: key.name).filter { $0.severity == .error }
      #expect(found == [], "\(key.name)")
    }
  }

  @Test("Every default of a key is right")
  func defaults() {
    var keys: [KeyShape] = []
    PipelineSchema.pipeline.collect(into: &keys)
    for key in keys {
      guard let text = key.defaultText, !text.contains(" ") || text.hasPrefix("[") else { continue }
      let value = YAMLReader.read(text: "value: \(text)\n", file: key.name).document?["value"]
      let found = value.map { ShapeValidator.validate($0, as: key.shape, named: key.name) }
      #expect(found == [], "\(key.name): \(text)")
    }
  }

  @Test("Every code block of the reference that is a pipeline is right")
  func codeBlocks() throws {
    let blocks = try committed("pipeline.md").split(separator: "```yaml\n").dropFirst().compactMap { part in
      part.firstRange(of: "```").map { String(part[..<$0.lowerBound]) }
    }
    let pipelines = blocks.filter { $0.hasPrefix("pipeline: ") }
    #expect(pipelines.count >= 2)
    for text in pipelines {
      let name = text.dropFirst("pipeline: ".count).prefix { !$0.isWhitespace }
      let (pipeline, diagnostics) = PipelineParser.parse(text: text, file: "pipelines/\(name).yaml")
      #expect(diagnostics == [])
      #expect(pipeline != nil)
    }
  }
}

extension ObjectShape {
  fileprivate func collect(into keys: inout [KeyShape]) {
    for key in self.keys {
      keys.append(key)
      key.shape.collect(into: &keys)
    }
  }
}

extension Shape {
  fileprivate func collect(into keys: inout [KeyShape]) {
    switch self {
    case .object(let object): object.collect(into: &keys)
    case .map(_, let value): value.collect(into: &keys)
    case .list(let element): element.collect(into: &keys)
    case .written(let shapes): for shape in shapes { shape.collect(into: &keys) }
    case .variants(let variants): for variant in variants.variants { variant.shape.collect(into: &keys) }
    case .text, .integer, .number, .boolean, .scalar, .choice, .anything: return
    }
  }
}
