import Curation
import DuckDB
import FoundationEssentials
import JobModel
import PipelineDefinition
import Testing

/// The examples of `docs/types.md`.
struct TypeExample: Sendable {
  /// As the table's first column has it: a type, and keys of the contract.
  var kind: String
  var text: String
  /// As DuckDB prints it; nil: a violation.
  var value: String?

  var type: ColumnType { ColumnType(String(kind.split(separator: ", ")[0])) }
  var hasKeys: Bool { kind.contains(", ") }

  static func table() throws -> [TypeExample] {
    let file = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appending(path: "docs/types.md")
    let text = String(decoding: try Data(contentsOf: file), as: UTF8.self)
    let start = try #require(text.firstRange(of: "## Examples")).upperBound
    return text[start...].split(separator: "\n").filter { $0.hasPrefix("| `") }.compactMap { line in
      let cells = line.dropFirst(2).dropLast(2).split(separator: " | ", omittingEmptySubsequences: false)
      guard cells.count == 3 else { return nil }
      let value = cells[2] == "–" ? nil : String(cells[2].dropFirst().dropLast())
      return TypeExample(
        kind: String(cells[0].dropFirst().dropLast()), text: String(cells[1].dropFirst().dropLast()), value: value)
    }
  }
}

@Suite("The table of types")
struct TypeTableTests {
  /// Where a text gets its type.
  enum Route: CaseIterable { case contractFromCSV, contractFromJSON, streamFromCSV, streamFromJSON }

  @Test("is what the casts do, by contract and by stream, from CSV and from JSON", arguments: Route.allCases)
  func table(route: Route) async throws {
    let isContract = route == .contractFromCSV || route == .contractFromJSON
    let isCSV = route == .contractFromCSV || route == .streamFromCSV
    let examples = try TypeExample.table().filter { isContract || !$0.hasKeys }
    #expect(examples.count > 130)
    let known = Set(examples.map { $0.type.name.split(separator: "(")[0] })
    #expect(
      known == [
        "text", "bigint", "integer", "smallint", "decimal", "double", "real", "boolean", "date", "time", "timestamp",
        "timestamptz", "uuid", "json", "bytea",
      ])
    // One column a kind; in each row one text stands in its kind's column.
    let kinds = Set(examples.map(\.kind)).sorted()
    let names = ["n"] + kinds.indices.map { "v\($0)" }
    let lines = examples.enumerated().map { row, example in
      let column = kinds.firstIndex(of: example.kind) ?? 0
      guard isCSV else { return "{\"n\":\(row),\"v\(column)\":\(JSONText(example.text).text)}" }
      let quoted =
        "\"" + example.text.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
      return (["\(row)"] + kinds.indices.map { $0 == column ? quoted : "" }).joined(separator: ",")
    }
    let contract =
      [ContractColumn(name: "n", type: ColumnType("integer"))]
      + kinds.enumerated().map { Self.column("v\($0.offset)", $0.element) }
    let definition = stream(
      records: isCSV ? .csv(CSVFormat()) : .ndjson,
      columns: isContract ? [] : contract.map { StreamColumn(name: $0.name, type: $0.type) })
    try await Workbench.with { bench in
      let text = ((isCSV ? [names.joined(separator: ",")] : []) + lines).joined(separator: "\n")
      let result = try await bench.curate(
        try bench.request(step(columns: isContract ? contract : []), [input(definition, try bench.objects([text]))]))
      let values = kinds.indices.map { "v\($0)::varchar" }.joined(separator: ", ")
      var kept: [Int: String] = [:]
      for row in try await bench.ask(result, "select n, coalesce(\(values)) as v from data") {
        kept[row["n"]?.int ?? -1] = row["v"]?.text
      }
      for (row, example) in examples.enumerated() {
        #expect(kept[row] == example.value, "\(example.text) as \(example.kind)")
      }
      let refused = examples.count { $0.value == nil }
      #expect(result.counts.all == [examples.count, examples.count - refused, 0, 0, refused])
      let reasons = try await bench.table(result, "select distinct split_part(unnest(reasons), ':', 2) a from bad")
      #expect(reasons == [["type"]])
    }
  }

  private static func column(_ name: String, _ kind: String) -> ContractColumn {
    let parts = kind.split(separator: ", ").map(String.init)
    var column = ContractColumn(name: name, type: ColumnType(parts[0]))
    column.isLossy = parts.contains("lossy: allow")
    column.sourceTimezone = parts.first { $0.hasPrefix("source_timezone: ") }.map { String($0.dropFirst(17)) }
    return column
  }

  /// Values of a SELECT's own types held against a contract's type.
  static let calculated: [(sql: String, type: String, becomes: String?)] = [
    ("3.0::double", "bigint", "3"), ("3.5::double", "bigint", nil), ("1e20", "bigint", nil),
    ("12.00::decimal(9,2)", "integer", "12"), ("12.01::decimal(9,2)", "integer", nil),
    ("70000", "smallint", nil), ("170141183460469231731687303715884105727::hugeint", "decimal(38,0)", nil),
    ("0.1::double", "decimal(4,1)", "0.1"), ("0.12::double", "decimal(4,1)", nil),
    ("1e-7::double", "decimal(9,7)", "0.0000001"),
    ("9007199254740993", "double", nil), ("0.1::double", "real", "0.1"), ("0.30000000000000004::double", "real", nil),
    ("timestamp '2024-01-31 00:00:00'", "date", "2024-01-31"), ("timestamp '2024-01-31 10:00:00'", "date", nil),
    ("date '2024-01-31'", "timestamp", "2024-01-31 00:00:00"),
    ("timestamptz '2024-01-31 10:00:00+02'", "timestamp", "2024-01-31 08:00:00"),
    ("'2024-01-31 10:00:00.123456789'::timestamp_ns", "timestamp", nil),
    ("timestamp '2024-01-31 10:00:00'", "time", nil), ("true", "integer", nil), ("2", "boolean", nil),
  ]

  @Test("holds for values that a SELECT calculates")
  func calculatedValues() async throws {
    try await Workbench.with { bench in
      let columns = Self.calculated.indices.map {
        ContractColumn(name: "v\($0)", type: ColumnType(Self.calculated[$0].type))
      }
      // In each row one value; a row without any is always good.
      let values = Self.calculated.enumerated().map {
        "case when n::int = \($0.offset) then \($0.element.sql) end as v\($0.offset)"
      }
      let rows = Self.calculated.indices.map { "\($0)" } + ["-1"]
      let result = try await bench.curate(
        try bench.request(
          step(columns: [ContractColumn(name: "n", type: ColumnType("integer"))] + columns),
          [input(stream(), try bench.objects([(["n"] + rows).joined(separator: "\n")]))],
          sql: "select n, \(values.joined(separator: ", ")) from orders"))
      let list = columns.map { "\($0.name)::varchar" }.joined(separator: ", ")
      var kept: [Int: String] = [:]
      for row in try await bench.ask(result, "select n, coalesce(\(list)) as v from data") {
        kept[row["n"]?.int ?? -1] = row["v"]?.text
      }
      for (row, test) in Self.calculated.enumerated() {
        #expect(kept[row] == test.becomes, "\(test.sql) as \(test.type)")
      }
    }
  }
}

/// A text as JSON writes it.
private struct JSONText {
  let text: String
  init(_ value: String) {
    text = "\"" + value.map { $0 == "\"" || $0 == "\\" ? "\\\($0)" : "\($0)" }.joined() + "\""
  }
}
