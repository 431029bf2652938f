import Testing

@Suite struct ImportTests {
  @Test("no module imports what the import table does not allow")
  func imports() {
    let violations = SourceTree.sources.flatMap { ImportTable.project.violations(in: $0) }
    #expect(violations.isEmpty, "\(list(violations))")
  }

  @Test("the import table has no cycle")
  func cycles() {
    var rest = ImportTable.project.rows.mapValues { $0.modules }
    while let ready = rest.first(where: { $0.value.allSatisfy { rest[$0] == nil } }) {
      rest[ready.key] = nil
    }
    #expect(rest.isEmpty, "these import each other: \(rest.keys.sorted())")
  }

  @Test("ARCHITECTURE.md shows the import table that is enforced")
  func document() throws {
    let document = try #require(SourceTree.file("ARCHITECTURE.md"))
    let shown = ImportTable(markdown: document.text).rows
    let enforced = ImportTable.project.rows
    #expect(Set(shown.keys) == Set(enforced.keys))
    for (module, row) in enforced {
      #expect(shown[module] == row, "\(module)")
    }
  }

  @Test(
    "a forbidden import is caught",
    arguments: [
      "import JobStore", "@testable import JobStore", "package import JobStore", "import struct JobStore.Lease",
      "  @_spi(Internals) import JobStore",
    ])
  func forbidden(line: String) {
    let file = SourceFile(path: "Sources/Postgres/Pool.swift", text: "// why\n\(line)\n")
    #expect(ImportTable.project.violations(in: file).map(\.line) == [2])
  }

  @Test(
    "an allowed import is not",
    arguments: ["import CLibPQ", "import FoundationEssentials", "// import JobStore", "important = JobStore"])
  func allowed(line: String) {
    #expect(ImportTable.project.violations(in: SourceFile(path: "Sources/Postgres/Pool.swift", text: line)).isEmpty)
  }

  @Test("a module that nobody has put into the table is caught")
  func unknownModule() {
    let file = SourceFile(path: "Sources/Surprise/Surprise.swift", text: "")
    #expect(ImportTable.project.violations(in: file).count == 1)
  }
}

/// One violation a line, for the test's message.
func list(_ violations: [Violation]) -> String {
  violations.map(\.description).joined(separator: "\n")
}
