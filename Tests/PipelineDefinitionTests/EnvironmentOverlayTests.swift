import PipelineDefinition
import Testing

@Suite("The overlay of an environment")
struct EnvironmentOverlayTests {
  @Test("Without an overlay the definition stays as it is", arguments: [nil, "local", "ci"])
  func noOverlay(environment: String?) {
    let plain = Definitions.parse(Definitions.orders)
    let (pipeline, diagnostics) = Definitions.parse(Definitions.orders, environment: environment)
    #expect(pipeline == plain.pipeline && pipeline != nil)
    #expect(diagnostics == [])
  }

  @Test("raw, schema_suffix and notify replace what the definition says")
  func staging() throws {
    let (parsed, diagnostics) = Definitions.parse(Definitions.orders, environment: "staging")
    #expect(diagnostics == [])
    let pipeline = try #require(parsed)
    #expect(pipeline.raw.location?.source == "file:.sluice/staging")
    #expect(pipeline.load[0].tables.map { "\($0.schema).\($0.table)" } == ["mart_stg.orders", "public_stg.stock"])
    #expect(pipeline.notify == [])
  }

  @Test("There are at most a hundred: each is a definition of its own")
  func tooMany() {
    let overlays = (0..<5000).map { "  e\($0): {notify: none}\n" }.joined()
    let (pipeline, diagnostics) = Definitions.parse(
      Definitions.shortest + "environments:\n" + overlays, file: "pipelines/airports.yaml")
    #expect(pipeline == nil)
    #expect(diagnostics.map(\.message) == ["there are more than 100 environments"])
  }

  @Test("`pipeline` is merged by key, and lists are replaced")
  func production() throws {
    let pipeline = try #require(Definitions.parse(Definitions.orders, environment: "prod").pipeline)
    #expect(pipeline.priority == 9)
    guard case .http(let http) = pipeline.sources[0].kind else { return #expect(Bool(false), "an http source") }
    #expect(http.retry.statuses == [.code(503)])
    #expect(http.retry.max == 3)
    #expect(pipeline.sources[0].streams.count == 1)
  }

  @Test("What is not supported yet counts only in the environment that is asked for")
  func development() {
    let (pipeline, diagnostics) = Definitions.parse(Definitions.orders, environment: "dev")
    #expect(pipeline == nil)
    #expect(
      diagnostics.map(\.description) == [
        "pipelines/orders.yaml:62:9: \"sample\" is not supported yet; remove it for now",
        "pipelines/orders.yaml:62:49: load: preview is not supported yet; remove it for now",
      ])
  }

  @Test("An overlay takes away what is not supported yet")
  func takesAway() {
    let text = Definitions.shortest + "raw: {to: \"s3://b/p\"}\nenvironments: {dev: {raw: \"file:raw\"}}\n"
    let file = "pipelines/airports.yaml"
    #expect(Definitions.parse(text, file: file).diagnostics.map(\.severity) == [.notSupportedYet])
    #expect(Definitions.parse(text, file: file, environment: "dev").diagnostics == [])
  }

  @Test("Mistakes in every overlay are told, whatever environment is asked for")
  func mistakesEverywhere() {
    let text =
      Definitions.shortest + """
        environments:
          dev: {smaple: {}, pipeline: {load: {warehouse: {tables: {public.airports: {mode: merge}}}}}}
          prod: {pipeline: {priority: high}}
          Test: {}
        """
    let expected = [
      "6:9: unknown key \"smaple\"; did you mean \"sample\"?",
      "6:84: merge needs a key: \"public.airports\" has none; add key: [id]",
      "7:31: \"priority\" must be a whole number of 0 to 1000; found text",
      "8:3: environments: \"Test\" is not a name: names have lower-case letters, digits, _, - and begin with a letter; write test",
    ]
    for environment in [nil, "dev", "prod"] {
      let found = Definitions.parse(text, file: "pipelines/airports.yaml", environment: environment).diagnostics
      #expect(found.map(\.description) == expected.map { "pipelines/airports.yaml:" + $0 })
    }
  }

  @Test("A misspelt environment is warned of")
  func misspelt() {
    let (pipeline, diagnostics) = Definitions.parse(Definitions.orders, environment: "prd")
    #expect(pipeline != nil)
    #expect(
      diagnostics.map(\.description) == [
        "pipelines/orders.yaml:60:1: there is no overlay for the environment \"prd\"; did you mean \"prod\"?"
      ])
    #expect(diagnostics.map(\.severity) == [.warning])
  }

  @Test("The explanation names the origin of each line, and is the definition again")
  func explanation() throws {
    let explanation = try #require(
      PipelineExplanation(text: Definitions.orders, file: "pipelines/orders.yaml", environment: "staging"))
    let lines = Dictionary(explanation.lines.map { ($0.text, $0.origin) }) { first, _ in first }
    #expect(lines["priority: 5"] == "pipelines/orders.yaml:4")
    #expect(lines["  to: \"file:.sluice/staging\""] == "pipelines/orders.yaml:61 overlay staging")
    #expect(lines["      mart_stg.orders:"] == "pipelines/orders.yaml:55 overlay staging")
    #expect(lines["    engine: duckdb"] == "default")
    let again = try #require(Definitions.parse(explanation.description).pipeline)
    let direct = try #require(Definitions.parse(Definitions.orders, environment: "staging").pipeline)
    #expect(again.curate.map(\.columns.count) == direct.curate.map(\.columns.count))
    #expect(again.load.map { $0.tables.map(\.schema) } == direct.load.map { $0.tables.map(\.schema) })
    #expect(again.sources.map { $0.streams.map(\.records) } == direct.sources.map { $0.streams.map(\.records) })
    #expect(again.sources.map { $0.streams.map(\.cursor) } == direct.sources.map { $0.streams.map(\.cursor) })
    #expect(again.raw.location?.source == direct.raw.location?.source)
  }
}
