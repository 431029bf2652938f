import PipelineDefinition
import Testing

@Suite("References and masks of a contract")
struct ReferenceTests {
  private static func file(_ name: String, _ dataset: String) -> String {
    """
    pipeline: \(name)
    sources: {s: {files: {at: "file:drops"}, streams: {t: {match: "*.csv", cursor: {field: at, type: timestamptz}}}}}
    curate: {\(dataset)}

    """
  }

  private static let customers =
    "customers: {from: s.t, columns: {id: {type: bigint, mask: copies}, region: text, n: integer, email: {type: text, mask: sha256}}}"

  private func diagnostics(_ orders: String) throws -> [String] {
    let files = [
      "pipelines/a.yaml": Self.file("a", Self.customers), "pipelines/b.yaml": Self.file("b", orders),
    ]
    return try withDirectory(files) { directory in
      let project = try Project.load(directory: directory)
      let messages = project.diagnostics.map { "\($0.message); \($0.suggestion ?? "")" }
      #expect(project.pipelines.map(\.name) == (messages.isEmpty ? ["a", "b"] : ["a"]))
      return messages
    }
  }

  @Test("name a dataset of any pipeline by a column or by several")
  func read() throws {
    let orders = """
      orders: {from: s.t, references: [{columns: [area, nr], to: "customers( region , n)"}],
        columns: {customer: {type: bigint, mask: copies, references: customers(id)}, area: text, nr: bigint}}
      """
    let files = ["pipelines/a.yaml": Self.file("a", Self.customers), "pipelines/b.yaml": Self.file("b", orders)]
    try withDirectory(files) { directory in
      let project = try Project.load(directory: directory)
      #expect(project.diagnostics == [])
      let step = try project.pipeline(named: "b").curate[0]
      #expect(step.references.map(\.columns) == [["customer"], ["area", "nr"]])
      #expect(step.references.map(\.key) == [["id"], ["region", "n"]])
      #expect(step.references.allSatisfy { $0.dataset == "customers" })
      #expect(
        step.columns.map(\.isMaskedInCopies) == [true, false, false] && step.columns.allSatisfy { $0.mask == nil })
      let masked = try project.pipeline(named: "a").curate[0].columns.last
      #expect(masked?.mask != nil && masked?.isMaskedInCopies == true)
    }
  }

  @Test(
    "that cannot be kept are refused",
    arguments: [
      ("customer: {type: text, references: customer(id)}", "there is no dataset \"customer\"; did you mean"),
      ("customer: {type: text, references: customers(i)}", "the dataset \"customers\" has no column \"i\""),
      (
        "customer: {type: text, references: customers}",
        "\"customers\" is not a dataset with columns; write DATASET(COLUMN)"
      ),
      ("customer: {type: text, references: \"customers(,)\"}", "\"customers(,)\" names no column"),
      (
        "customer: {type: text, references: customers(id)}",
        "\"customer\" is text, and \"id\" of \"customers\" is bigint"
      ),
      ("customer: {type: bigint, references: customers(id)}", "which have the same values, only one has that mask"),
      ("customer: {type: text, mask: copies, references: customers(email)}", "only one has that mask"),
      (
        "customer: {type: text, references: \"customers(region, n)\"}",
        "1 column(s) of \"orders\" cannot have the values of 2"
      ),
      (
        "amount: {type: double, mask: copies}",
        "mask: copies belongs to text, uuid, bigint, integer; this column is double"
      ),
      (
        "at: {type: text, mask: copies}",
        "\"at\" is the cursor, which orders the versions of a row; a hash has no order"
      ),
      ("id: {type: bigint, mask: sha256}", "mask belongs to text; this column is bigint"),
      ("id: {type: text, mask: md5}", "unknown value \"md5\"; write sha256 or copies"),
    ])
  func refused(column: String, expected: String) throws {
    let found = try diagnostics("orders: {from: s.t, columns: {\(column)}}")
    #expect(found.count == 1 && found[0].contains(expected), "\(found)")
  }

  @Test("of columns that the dataset does not have are refused")
  func missingColumn() throws {
    let found = try diagnostics(
      "orders: {from: s.t, references: [{columns: [arae], to: customers(region)}], columns: {area: text}}")
    #expect(found == ["the dataset \"orders\" has no column \"arae\"; did you mean \"area\"?"])
  }
}
