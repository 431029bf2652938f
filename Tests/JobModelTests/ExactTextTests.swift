import JobModel
import Testing

@Suite("A text that is told apart by its bytes")
struct ExactTextTests {
  @Test("differs from another notation of the same letters, and is found among them")
  func bytes() {
    let texts = ["caf\u{E9}", "cafe\u{301}", "cafe", "\u{212B}", "\u{C5}", "A\u{30A}", ""]
    let exact = texts.map { ExactText($0) }
    #expect(Set(texts).count < texts.count, "to Swift some are equal")
    #expect(Set(exact).count == texts.count)
    for (index, text) in texts.enumerated() { #expect(exact.firstIndex(of: ExactText(text)) == index) }
    #expect(exact.sorted().map(\.text.utf8.first) == exact.map(\.text.utf8.first).sorted { ($0 ?? 0) < ($1 ?? 0) })
  }

  @Test(
    "is cut at every slash, also before a combining mark",
    arguments: [
      ("a/b", ["a", "b"]), ("a/\u{301}b", ["a", "\u{301}b"]), ("", [""]), ("/", ["", ""]), ("a//", ["a", "", ""]),
    ])
  func parts(path: String, parts: [String]) {
    #expect(path.pathParts.map { Array($0.utf8) } == parts.map { Array($0.utf8) })
  }
}

@Suite("A release's label")
struct ReleaseLabelTests {
  @Test(
    "is one line with something in it",
    arguments: ["v1", "2024-01", "caf\u{E9} \u{1F600}", String(repeating: "x", count: 200)])
  func accepted(text: String) { #expect(ReleaseLabel.problem(of: text) == nil) }

  @Test(
    "is refused where it is empty, has control characters, is too long or a number",
    arguments: [
      ("", "empty"), (" \u{A0}", "empty"), ("\n", "empty"), ("a\nb", "line break"), ("a\r\nb", "line break"),
      ("a\u{2028}b", "line break"), ("a\u{0}", "control"), ("\u{1B}[2J", "control"), ("a\u{85}b", "line break"),
      (String(repeating: "x", count: 201), "200"), (String(repeating: "e\u{301}", count: 101), "200"), ("17", "number"),
    ])
  func refused(text: String, says: String) { #expect(ReleaseLabel.problem(of: text)?.contains(says) == true) }
}
