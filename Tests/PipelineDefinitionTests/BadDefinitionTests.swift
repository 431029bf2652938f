import PipelineDefinition
import Testing

/// What an author reads who made one mistake: the place, the mistake, the way out, and nothing besides.
@Suite("A mistake in a definition")
struct BadDefinitionTests {
  @Test("is told once, at its place, with the way out", arguments: Mistake.ofOnePart + Mistake.ofFit)
  func isTold(mistake: Mistake) {
    let text = mistake.text
    let (pipeline, diagnostics) = Definitions.parse(text, environment: nil)
    #expect(pipeline == nil)
    #expect(diagnostics.map(\.description) == mistake.told.map { "pipelines/orders.yaml:" + $0 })
    #expect(diagnostics.allSatisfy { $0.severity == .error })
  }

  @Test("does not hide the next one: all are told, in the order of the file")
  func allAreTold() {
    let text = """
      pipeline: orders
      shedule: {}
      sources:
        shop: {http: {base_url: x, retry: {max: many}}, streams: {orders: {get: /o, records: {format: cvs}}}}
      load:
        w: {postgres: {url: x}, tables: {orders: {from: order, mode: merg}}}
      """
    #expect(
      Definitions.parse(text).diagnostics.map(\.description) == [
        "pipelines/orders.yaml:2:1: unknown key \"shedule\"; did you mean \"schedule\"?",
        "pipelines/orders.yaml:4:43: \"max\" must be a whole number of 0 to 100; found text",
        "pipelines/orders.yaml:4:97: format: unknown value \"cvs\"; did you mean \"csv\"?",
        "pipelines/orders.yaml:6:51: there is no dataset \"order\"; add it under curate",
        "pipelines/orders.yaml:6:64: mode: unknown value \"merg\"; did you mean \"merge\"?",
      ])
  }

  @Test("that earlier engines accepted refuses no stored definition, with which runs go on")
  func stored() throws {
    let text = Mistake(
      name: "", stream: "orders: {get: \"/o.csv?{cursor}\", cursor: {field: id, type: bigint}}", told: []
    ).text
    let file = "pipelines/orders.yaml"
    #expect(PipelineParser.parse(text: text, file: file).pipeline == nil)
    let (pipeline, diagnostics) = PipelineParser.parse(text: text, file: file, isStored: true)
    #expect(pipeline != nil)
    #expect(diagnostics.isEmpty)
  }

  @Test("never shows a value that may be a secret")
  func secretsStayUnseen() {
    let text = """
      pipeline: orders
      sources:
        shop:
          http: {base_url: "https://x/${", auth: {bearer: "Token secret:hunter2 hunter3"}}
          streams: {orders: {get: "/o.csv?token={hunter4", query: {key: [hunter5]}}}
      load: {w: {postgres: {url: "secret:post gres://u:hunter6@h/d"}, tables: {}}}
      """
    let (pipeline, diagnostics) = Definitions.parse(text)
    #expect(pipeline == nil)
    #expect(diagnostics.count == 4)
    #expect(!diagnostics.contains { $0.description.contains("hunter") })
  }
}
