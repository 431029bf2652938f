import PipelineDefinition
import Testing

@Suite("Reading YAML")
struct YAMLReaderTests {
  private func read(_ text: String) -> [String] {
    YAMLReader.read(text: text, file: "f.yaml").diagnostics.map(\.description)
  }

  @Test(
    "What YAML 1.1 reads differently is refused with the form to write",
    arguments: [
      (
        "a: NO",
        #"f.yaml:1:4: NO without quotes is a boolean in YAML 1.1 and text in YAML 1.2; write "NO" for the text or false for the boolean"#
      ),
      (
        "a: off",
        #"f.yaml:1:4: off without quotes is a boolean in YAML 1.1 and text in YAML 1.2; write "off" for the text or false for the boolean"#
      ),
      (
        "a: yes",
        #"f.yaml:1:4: yes without quotes is a boolean in YAML 1.1 and text in YAML 1.2; write "yes" for the text or true for the boolean"#
      ),
      (
        "a: [1, 05:30]",
        #"f.yaml:1:8: 05:30 without quotes is a number to the base 60 in YAML 1.1 and text in YAML 1.2; write "05:30""#
      ),
      ("on: 1", #"f.yaml:1:1: the key on without quotes is a boolean in YAML 1.1; write "on":"#),
      (
        "a: 010",
        #"f.yaml:1:4: 010 without quotes is octal in YAML 1.1 and decimal in YAML 1.2; write "010" for the text or 10 for the number"#
      ),
      (
        "a: 1_000",
        #"f.yaml:1:4: 1_000 without quotes is a number in YAML 1.1 and text in YAML 1.2; write "1_000" for the text or 1000 for the number"#
      ),
      ("010: a", #"f.yaml:1:1: the key 010 without quotes is a number in YAML 1.1; write "010":"#),
    ])
  func traps(text: String, expected: String) {
    #expect(read(text) == [expected])
  }

  @Test(
    "What both versions read alike is no trap",
    arguments: [
      "a: \"NO\"", "a: 'off'", "\"on\": 1", "a: \"05:30\"", "a: 0", "a: 10", "a: 0.5", "a: 10:99", "a: on arrival",
      "a: 2024-01-01", "a: y", "a: true", "a: null", "a: |\n  yes", "a: 5xx", "a: 0.5%", "a: http://x:80/",
    ])
  func noTraps(text: String) {
    #expect(read(text) == [])
  }

  @Test("Both places of a key that occurs twice are named, however often and deep")
  func duplicateKeys() {
    let text = """
      a: 1
      "b": {x: 1, y: 2, x: 3}
      a: 2
      a: 3
      'b': 4
      """
    #expect(
      read(text) == [
        #"f.yaml:2:19: the key "x" is written twice; it is on line 2 already; remove one of the two"#,
        #"f.yaml:3:1: the key "a" is written twice; it is on line 1 already; remove one of the two"#,
        #"f.yaml:4:1: the key "a" is written twice; it is on line 1 already; remove one of the two"#,
        #"f.yaml:5:1: the key "b" is written twice; it is on line 2 already; remove one of the two"#,
      ])
  }

  @Test(
    "Anchors, aliases, merge keys and tags are refused",
    arguments: [
      ("a: &x 1", "f.yaml:1:7"), ("a: &x {b: 1}", "f.yaml:1:4"), ("a: *x", "f.yaml:1:4"), ("<<: {a: 1}", "f.yaml:1:1"),
    ])
  func reuse(text: String, place: String) {
    let found = read(text)
    #expect(found.count == 1)
    #expect(
      found.first?.hasSuffix(
        "anchors (&), aliases (*) and merge keys (<<) are not part of the format; write the values out") == true)
    #expect(found.first?.hasPrefix("f.yaml:1:") == true)
  }

  @Test("A tag is refused", arguments: ["a: !!str 1", "a: !!int \"1\"", "a: !x y", "a: !!set {b: null}"])
  func tags(text: String) {
    #expect(read(text).count == 1)
    #expect(read(text).first?.hasSuffix("tags (!) are not part of the format; remove the tag") == true)
  }

  @Test(
    "What is not YAML is told with its place",
    arguments: [
      (
        "a: b: c",
        "f.yaml:1:5: this is not YAML: mapping values are not allowed in this context; check the indentation, and write text with a colon in quotes"
      ),
      (
        "a: [1, 2\nb: 3",
        "f.yaml:2:2: this is not YAML: did not find expected ',' or ']'; close the list with ] and the mapping with }, and write text with brackets in quotes"
      ),
      (
        "a:\n\tb: 1",
        "f.yaml:2:1: this is not YAML: found character that cannot start any token; indent with spaces, and write text that begins with a special character in quotes"
      ),
      ("a: 1\n---\nb: 2", "f.yaml:2:1: a second document begins here; one file is one pipeline: remove the --- line"),
      ("a: \"b", "f.yaml:1:6: this is not YAML: found unexpected end of stream; close the quote"),
    ])
  func syntax(text: String, expected: String) {
    #expect(read(text) == [expected])
  }

  @Test("Aliases cost nothing, however much they would become")
  func aliases() {
    let levels = (1..<12).map { level in
      "l\(level): &l\(level) [\(Array(repeating: "*l\(level - 1)", count: 9).joined(separator: ","))]"
    }
    let text = "l0: &l0 [x,x,x,x,x,x,x,x,x]\n" + levels.joined(separator: "\n")
    #expect(text.utf8.count < 800)
    let (document, diagnostics) = YAMLReader.read(text: text, file: "f.yaml")
    #expect(diagnostics.count > 12 && diagnostics.count < 200)
    #expect(diagnostics.allSatisfy { $0.code == "yaml_reuse" })
    #expect(document?["l11"]?.elements.allSatisfy { $0.isNull } == true)
    #expect(read("? [*x, *x]\n: 1").count == 1, "as a key too")
  }

  /// By name: the texts are long.
  private static let excessive: [String: (text: String, told: String)] = [
    "lists": (String(repeating: "[", count: 400_000), "nested deeper than 32 levels"),
    "mappings": (String(repeating: "{a: ", count: 200_000), "nested deeper than 32 levels"),
    "dashes": (String(repeating: "- ", count: 400_000), "nested deeper than 32 levels"),
    "keys": (String(repeating: "? ", count: 400_000), "nested deeper than 32 levels"),
    "values": ("a: [" + String(repeating: "1,", count: 100_000) + "]", "more than 50000 keys and values"),
    "bytes": ("a: \"" + String(repeating: "x", count: 1_000_000) + "\"", "larger than 1 MB"),
    "NUL": ("a: \u{0}", "control characters are not allowed"),
    "NUL alone": ("\u{0}", "control characters are not allowed"),
  ]

  @Test(
    "What is larger than a definition is refused with its place, and nothing overflows",
    arguments: excessive.keys.sorted())
  func limits(name: String) throws {
    let (text, told) = try #require(Self.excessive[name])
    let found = read(text)
    #expect(found.count <= 2)
    #expect(found.contains { $0.contains(told) })
  }

  @Test("A byte-order mark is no part of the text")
  func byteOrderMark() throws {
    let (document, diagnostics) = YAMLReader.read(text: "\u{FEFF}a: 1\nb: 2\n", file: "f.yaml")
    #expect(diagnostics == [])
    #expect(document?.entry("a")?.place == Place(file: "f.yaml", line: 1, column: 1))
    #expect(Definitions.parse("\u{FEFF}" + Definitions.shortest, file: "pipelines/airports.yaml").pipeline != nil)
  }

  @Test("Keys are told apart by their bytes")
  func canonicalEquivalence() throws {
    let document = try #require(YAMLReader.read(text: "caf\u{E9}: 1\ncafe\u{301}: 2\n", file: "f.yaml").document)
    #expect(document.entries.count == 2)
    #expect(document["caf\u{E9}"]?.text == "1")
    #expect(document["cafe\u{301}"]?.text == "2")
  }

  @Test("A control character is told with its place, after other alphabets too")
  func controlCharacter() {
    #expect(
      read("a: \u{E9}\nb: \u{65E5}\u{1}") == [
        "f.yaml:2:5: this is not YAML: control characters are not allowed; remove the character"
      ])
  }

  @Test("Places count characters from one, after other alphabets too")
  func places() throws {
    let document = try #require(YAMLReader.read(text: "# é\nä: {ключ: \"日本\", b: 2}\n", file: "f.yaml").document)
    let inner = try #require(document["ä"])
    #expect(inner.entry("b")?.place == Place(file: "f.yaml", line: 2, column: 17))
    #expect(inner["ключ"]?.text == "日本")
    #expect(inner["b"]?.place == Place(file: "f.yaml", line: 2, column: 20))
  }

  @Test("An empty file, a list and a text are no definitions")
  func notADefinition() {
    #expect(
      Definitions.parse("# nothing\n").diagnostics.map(\.description)
        == ["pipelines/orders.yaml:1:1: the file is empty; begin with pipeline: orders"])
    #expect(
      Definitions.parse("- a\n").diagnostics.map(\.description)
        == ["pipelines/orders.yaml:1:1: a definition must be a mapping; found a list; begin with pipeline: orders"])
    #expect(Definitions.parse("hello").diagnostics.count == 1)
  }
}
