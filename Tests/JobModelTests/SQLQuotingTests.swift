import JobModel
import Testing

@Suite("Quoting for SQL")
struct SQLQuotingTests {
  @Test(
    "doubles a quote whatever follows it",
    arguments: [
      ("it's", "'it''s'"), ("'\u{301}", "'''\u{301}'"), ("'\u{FE0F}'\u{200D}", "'''\u{FE0F}''\u{200D}'"), ("", "''"),
      ("a\\", " E'a\\\\'"), ("a\n.shell", " E'a\\x0a.shell'"), ("\u{7F}\t", " E'\\x7f\\x09'"), ("é", "'é'"),
    ])
  func literals(text: String, quoted: String) {
    #expect(Array(quoteLiteral(text).utf8) == Array(quoted.utf8))
  }

  @Test(
    "doubles a quote in a name whatever follows it",
    arguments: [("k", "\"k\""), ("k\"\u{301};\n.shell", "\"k\"\"\u{301};\n.shell\""), ("\"", "\"\"\"\"")])
  func names(name: String, quoted: String) {
    #expect(Array(quoteIdentifier(name).utf8) == Array(quoted.utf8))
  }
}
