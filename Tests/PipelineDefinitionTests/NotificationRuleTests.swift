import Testing

@testable import PipelineDefinition

@Suite("The rules of notify")
struct NotificationRuleTests {
  private func parse(_ rule: String) -> (channel: NotifyRule.Channel?, diagnostics: [Diagnostic]) {
    let text = """
      pipeline: airports
      sources: {drops: {files: {at: "file:d"}, streams: {airports: {match: "*.csv"}}}}
      curate: {airports: {from: drops.airports}}
      notify: [\(rule)]

      """
    let (pipeline, diagnostics) = Definitions.parse(text, file: "pipelines/airports.yaml")
    return (pipeline?.notify.first?.channel, diagnostics)
  }

  @Test("a command names the secrets that it gets in its environment")
  func secrets() throws {
    let (channel, diagnostics) = parse("{when: [failed], command: [./page], secrets: [ops/pager, token]}")
    #expect(diagnostics.isEmpty)
    guard case .command(let words, let secrets) = channel else { return #expect(channel == nil, "not a command") }
    #expect(words.map(\.source) == ["./page"])
    #expect(secrets == ["ops/pager", "token"])
    let resolver = ValueResolver(environment: { _ in nil }, secret: { $0 == "token" ? nil : "value of \($0)" })
    #expect(
      try resolver.variables(ofSecrets: ["ops/pager"], at: .unknown) == [
        "SLUICE_SECRET_OPS_PAGER": "value of ops/pager"
      ])
    #expect(throws: TemplateError.self) { try resolver.variables(ofSecrets: ["token"], at: .unknown) }
  }

  @Test("a secret in an argument, which every user can read, is warned of; a wrong name is refused")
  func warned() throws {
    let (channel, diagnostics) = parse("{when: [failed], command: [./page, \"secret:ops/pager\"]}")
    #expect(channel != nil)
    #expect(diagnostics.map(\.severity) == [.warning])
    #expect(diagnostics.first?.description.hasPrefix("pipelines/airports.yaml:4:") == true)
    for name in ["../warehouse", "secret:pager", "\"\""] {
      let (_, diagnostics) = parse("{when: [failed], command: [./page], secrets: [\(name)]}")
      #expect(diagnostics.contains { $0.severity == .error }, "\(name)")
    }
    #expect(parse("{when: [failed], webhook: \"secret:hook\", secrets: [pager]}").diagnostics.count == 1)
  }
}
