import Testing

@Suite struct StyleTests {
  @Test("the project's files were found")
  func found() {
    #expect(SourceTree.sources.count > 50)
    #expect(SourceTree.file("Package.swift") != nil)
    #expect(SourceTree.file("Makefile") != nil)
  }

  @Test("the house keeps its rules", arguments: StyleRule.all)
  func kept(rule: StyleRule) {
    let violations = SourceTree.files.filter(rule.applies).flatMap(rule.violations)
    #expect(violations.isEmpty, "\(list(violations))")
  }

  @Test("every rule catches its mistake", arguments: StyleRule.all)
  func caught(rule: StyleRule) {
    #expect(rule.applies(rule.mistake))
    #expect(rule.violations(rule.mistake).count == 1)
  }

  @Test(
    "names that only look like banned ones pass",
    arguments: ["struct Score {}", "struct Coordinate {}", "enum Commonality {}", "let manager = FileManager.default"])
  func innocentNames(code: String) {
    #expect(StyleRule.bannedTypeNames.violations(SourceFile(path: "Sources/JobModel/Score.swift", text: code)).isEmpty)
  }
}
