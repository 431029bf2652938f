import DuckDB
import FoundationEssentials
import JobModel
import Records
import Testing

/// The reader writes files of Parquet by itself. The engine must read in them what was written.
@Suite("A file of rows, read by the engine")
struct RowFileEngineTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var lines: [String]
    var limits = RowFile.Limits()
  }

  private static func limits(rows: Int, pages: Int = 65_536) -> RowFile.Limits {
    var limits = RowFile.Limits()
    (limits.rowsPerGroup, limits.pagesPerFile) = (rows, pages)
    return limits
  }

  private static let everyByte = String(String.UnicodeScalarView((0...0x3FF).compactMap(Unicode.Scalar.init)))

  private static func object(_ fields: [String: String]) -> String {
    String(decoding: (try? JSONEncoder().encode(fields)) ?? Data(), as: UTF8.self)
  }

  private static let gaps = (0..<100).map { row in
    object(row < 50 ? (row % 3 == 0 ? [:] : ["a": "\(row)"]) : ["a": row % 2 == 0 ? "" : "é\(row)", "late": "\(row)"])
  }

  static let cases = [
    Case(testDescription: "no row", lines: []), Case(testDescription: "one row", lines: [object(["a": "1"])]),
    Case(testDescription: "one row without a value", lines: ["{}"]),
    Case(testDescription: "a column without a value", lines: [#"{"a":null,"b":""}"#, #"{"b":null}"#]),
    Case(
      testDescription: "every byte", lines: [object(["a": everyByte]), object(["a": "\0", "b": "\u{1}\u{2}\u{1F}\n"])]),
    Case(testDescription: "gaps", lines: gaps),
    Case(testDescription: "groups of one", lines: gaps, limits: limits(rows: 1)),
    Case(testDescription: "groups of seven in files of two", lines: gaps, limits: limits(rows: 7, pages: 8)),
    Case(testDescription: "groups of eight in files of one", lines: gaps, limits: limits(rows: 8, pages: 1)),
    Case(
      testDescription: "wide",
      lines: (0..<3).map { row in
        object(Dictionary(uniqueKeysWithValues: (0..<1_599).map { ("f\($0)", "\(row * $0)") }))
      },
      limits: limits(rows: 2)),
    Case(
      testDescription: "long",
      lines: [
        object(["a": "1"]), object(["a": String(repeating: "é", count: 3_000_000), "b": "x"]), object(["b": "2"]),
      ]),
  ]

  @Test("has the same rows", arguments: cases)
  func same(_ example: Case) async throws {
    try await Workbench.with { bench in
      try Data(example.lines.joined(separator: "\n").utf8).write(to: URL(filePath: bench.directory + "/in"))
      var reading = RecordReading(format: .lines, maximumRecordBytes: 64_000_000, keepsRecords: true) { !$0.isEmpty }
      reading.limits = example.limits
      let reader = try RecordReader(
        reading, rows: bench.directory + "/rows", rejects: bench.directory + "/rejects", isCancelled: { false })
      try reader.read(bench.directory + "/in", part: 7)
      let read = try reader.finish()
      #expect(read.rows.count == example.lines.count && read.rejects.count == 0)
      let texts = Self.compared(of: 1 + read.fields.count)
      var written: [String] = []
      try read.rows.read { numbers, values in
        let shown = texts.map { values[$0].map(Self.shown) ?? "-" }
        written.append((numbers.map { "\($0)" } + shown).joined(separator: "|"))
      }
      let list =
        ["c0::VARCHAR", "c1::VARCHAR"]
        + texts.map { index in
          let column = RowFile.column(2 + index)
          let bytes = "case when strlen(\(column)) < \(Self.longBytes) then hex(encode(\(column))) else '' end"
          return "coalesce(strlen(\(column)) || ' ' || \(bytes), '-')"
        }
      let found = try await bench.duckdb.withSession(
        in: DuckDBPlace(directory: bench.directory), limits: bench.limits
      ) { session in
        try await session.rows(
          """
          select concat_ws('|', \(list.joined(separator: ", "))) as t
          from read_parquet(\(quoteList(read.rows.paths)), hive_partitioning = false) order by c1
          """)
      }
      #expect(found.map { $0["t"]?.text ?? "" } == written)
    }
  }

  /// Of many columns the first and the last.
  private static func compared(of count: Int) -> [Int] {
    count < 20 ? Array(0..<count) : [0, 1, 2, count - 2, count - 1]
  }

  /// Of a longer value only its length is compared.
  private static let longBytes = 10_000

  private static func shown(_ bytes: [UInt8]) -> String {
    guard bytes.count < longBytes else { return "\(bytes.count) " }
    let digits = Array("0123456789ABCDEF".utf8)
    let text = bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
    return "\(bytes.count) \(String(decoding: text, as: UTF8.self))"
  }
}
