import DuckDB
import JobModel
import PipelineDefinition
import Postgres
import Testing

@testable import Loading

@Suite("Values that arrive unchanged")
struct TypeLoadingTests {
  private struct Example: Sendable {
    var type: String
    /// DuckDB literals, and what PostgreSQL's own text of each is.
    var values: [(duck: String, text: String)]

    init(_ type: String, _ values: (String, String)...) {
      self.type = type
      self.values = values.map { (duck: $0.0, text: $0.1) }
    }
  }

  private static let tiny = "0.00000000000000000000000000000000000001"

  private static let examples = [
    Example(
      "decimal(38,18)", ("99999999999999999999.999999999999999999", "99999999999999999999.999999999999999999"),
      ("-99999999999999999999.999999999999999999", "-99999999999999999999.999999999999999999"),
      ("0.000000000000000001", "0.000000000000000001"), ("10000", "10000.000000000000000000"),
      ("0", "0.000000000000000000")),
    Example("decimal(38,38)", (tiny, tiny), ("-\(tiny)", "-\(tiny)")),
    Example("decimal(9,9)", ("0.999999999", "0.999999999"), ("-0.000000001", "-0.000000001")),
    Example(
      "decimal(18,18)", ("0.999999999999999999", "0.999999999999999999"),
      ("0.000000000000000001", "0.000000000000000001")),
    Example("decimal(18,4)", ("10000.0001", "10000.0001"), ("-99999999999999.9999", "-99999999999999.9999")),
    Example("decimal(4,1)", ("-0.1", "-0.1"), ("999.9", "999.9")),
    Example("hugeint", ("9007199254740992", "9007199254740992"), ("-9007199254740992", "-9007199254740992")),
    Example("ubigint", ("18446744073709551615", "18446744073709551615")),
    Example("bigint", ("9223372036854775807", "9223372036854775807"), ("-9223372036854775808", "-9223372036854775808")),
    Example("tinyint", ("-128", "-128")), Example("utinyint", ("255", "255")),
    Example(
      "double", ("5e-324", "5e-324"), ("1.7976931348623157e308", "1.7976931348623157e+308"), ("nan", "NaN"),
      ("-infinity", "-Infinity")),
    Example("float", ("3.4028235e38", "3.4028235e+38"), ("1e-45", "1e-45")),
    Example("boolean", ("true", "true"), ("false", "false")),
    Example("varchar", ("", ""), ("\t \\N \\. \"", "\t \\N \\. \""), ("😀 日本 é", "😀 日本 é")),
    Example("blob", ("", "\\x"), ("\\x00\\xFF\\x0A", "\\x00ff0a")),
    Example(
      "date", ("0001-01-01", "0001-01-01"), ("9999-12-31", "9999-12-31"), ("4713-01-01 (BC)", "4713-01-01 BC"),
      ("-infinity", "-infinity")),
    Example("time", ("00:00:00", "00:00:00"), ("23:59:59.999999", "23:59:59.999999"), ("24:00:00", "24:00:00")),
    Example("timestamp", ("1969-12-31 23:59:59.999999", "1969-12-31 23:59:59.999999"), ("infinity", "infinity")),
    Example(
      "timestamptz", ("2024-03-31 01:59:59.999999+00", "2024-03-31 01:59:59.999999+00"),
      ("294246-12-31 23:59:59.999999+00", "294246-12-31 23:59:59.999999+00"), ("-infinity", "-infinity")),
    Example("uuid", ("ffffffff-ffff-ffff-ffff-ffffffffffff", "ffffffff-ffff-ffff-ffff-ffffffffffff")),
    Example(
      "json", ("{\"a\": [1.10, null, \"é\"]}", "{\"a\": [1.10, null, \"é\"]}"),
      ("12345678901234567890.123456789", "12345678901234567890.123456789"), ("null", "null")),
    Example("interval", ("1 month 2 days 3 seconds", "P1M2DT3S")),
    Example("varchar[]", ("['a', '', NULL, 'é']", "{a,\"\",NULL,é}"), ("[]", "{}")),
    Example("struct(a integer, b varchar)", ("{'a': 1, 'b': NULL}", "{\"a\": 1, \"b\": null}")),
  ]

  @Test("the extremes of every type arrive as they were, and null as null")
  func extremes() async throws {
    try await TargetFixture.with { fixture in
      // One column a type; the rows are as many as the longest list of values, and end with a row of nulls.
      let count = Self.examples.map(\.values.count).max()! + 1  // The examples are not empty.
      let rows = (0..<count).map { row in
        let values = Self.examples.enumerated().map { index, example in
          let value = row < example.values.count ? quoteLiteral(example.values[row].duck) : "null"
          return "\(value)::\(example.type) as c\(index)"
        }
        return "select \(row) as id, \(values.joined(separator: ", "))"
      }
      let snapshot = try await fixture.snapshot(1, rows.joined(separator: " union all "))
      try await fixture.load(TargetFixture.table(.merge), [snapshot])
      for (index, example) in Self.examples.enumerated() {
        let select = SQLStatement(name: "column", text: "select c\(index)::text as v from mart.orders order by id")
        let arrived = try await fixture.withSession { session in
          try await session.query(select, []).map { try $0.optionalString("v") }
        }
        let sent = example.values.map { Optional($0.text) }
        let expected = sent + Array(repeating: nil, count: count - sent.count)
        #expect(arrived == expected, "\(example.type)")
      }
      // A second snapshot with the same values must see them as equal.
      var again = snapshot
      again.uuid = TargetFixture.uuid(2)
      let loaded = try await fixture.load(TargetFixture.table(.merge), [snapshot, again], ticket: 2)
      #expect(loaded.last?.updated == 0)
    }
  }

  @Test("a NUL byte is refused, naming the column and the way out")
  func nulByte() async throws {
    try await TargetFixture.with { fixture in
      let snapshot = try await fixture.snapshot(1, "select 1 as id, 'fine' as name, 'a' || chr(0) as note")
      let failure = await fixture.failure(TargetFixture.table(.merge), [snapshot])
      #expect(failure?.code == "nul_byte")
      #expect(failure?.message.contains("column note ") == true)
      #expect(failure?.isTransient == false)
      #expect(try await fixture.rows("select * from mart.orders") == [])
    }
  }

  @Test("a 128-bit integer that its Parquet file holds rounded is refused")
  func rounded() async throws {
    try await TargetFixture.with { fixture in
      let snapshot = try await fixture.snapshot(1, "select 1 as id, 9007199254740993::hugeint * 1000 as total")
      let failure = await fixture.failure(TargetFixture.table(.merge), [snapshot])
      #expect(failure?.code == "value_rounded")
      #expect(failure?.message.contains("total") == true)
      #expect(failure?.isTransient == false)
    }
  }

  @Test("existing columns of wider types, enums, domains and citext take the values")
  func existing() async throws {
    try await TargetFixture.with { fixture in
      try await fixture.execute(
        """
        create schema mart;
        create type mart.state as enum ('open', 'paid');
        create domain mart.price as numeric(20,4) check (value >= 0);
        create table mart.orders (
          id numeric primary key, state mart.state, price mart.price, code varchar(5), doc json, note text,
          made timestamptz default now(), twice integer generated always as (2) stored)
        """)
      let snapshot = try await fixture.snapshot(
        1,
        "select 1::bigint as id, 'paid' as state, 1.5::decimal(18,4) as price, 'CH' as code, '{\"b\":1}'::json as doc, "
          + "'[1]'::json as note")
      var again = snapshot
      again.uuid = TargetFixture.uuid(2)
      let loaded = try await fixture.load(TargetFixture.table(.merge), [snapshot, again])
      #expect(loaded.map(\.inserted) == [1, 0])
      #expect(loaded.map(\.updated) == [0, 0])
      #expect(
        try await fixture.rows("select id, state, price, code, doc, note, twice from mart.orders")
          == ["(1,paid,1.5000,CH,\"{\"\"b\"\":1}\",[1],2)"])
    }
  }

  @Test(
    "a column that does not fit fails before anything is staged, with the statement that mends it",
    arguments: [
      ("amount integer", "type_conflict", "is integer, and the dataset has numeric(18,4)"),
      ("amount numeric(10,2)", "type_conflict", "is numeric(10,2), and the dataset has numeric(18,4)"),
      ("amount double precision", "type_conflict", "is double precision"),
      ("other text", "target_column_missing", "no column amount"),
      ("amount numeric(18,4), must text not null", "target_column_required", "column must"),
    ])
  func conflict(columns: String, code: String, message: String) async throws {
    try await TargetFixture.with { fixture in
      try await fixture.execute("create schema mart; create table mart.orders (id integer primary key, \(columns))")
      let snapshot = try await fixture.snapshot(1, "select 1 as id, 12345.6789::decimal(18,4) as amount")
      let merge = TargetFixture.table(.merge)
      let failure = await fixture.failure(merge, [snapshot])
      #expect(failure?.code == code)
      #expect(failure?.isTransient == false)
      #expect(failure?.message.contains(message) == true)
      #expect(failure?.message.contains("mart.orders") == true)
      #expect(try await fixture.staged().isEmpty)
      let mend = try #require(failure?.hint).split(separator: ";")[0]
      try await fixture.execute(String(mend))
      try await fixture.load(merge, [snapshot], ticket: 2)
      #expect(try await fixture.rows("select id, amount from mart.orders") == ["(1,12345.6789)"])
    }
  }

  @Test(
    "a value that its column refuses fails without the value in the message",
    arguments: ["varchar(3)", "text check (name <> 'secret')"])
  func refusedValue(type: String) async throws {
    try await TargetFixture.with { fixture in
      try await fixture.execute("create schema mart; create table mart.orders (id integer primary key, name \(type))")
      let snapshot = try await fixture.snapshot(1, "select 1 as id, 'secret' as name")
      let failure = try #require(await fixture.failure(TargetFixture.table(.merge), [snapshot]))
      #expect(["target_value_too_long", "target_constraint"].contains(failure.code))
      #expect(failure.isTransient == false)
      #expect(!failure.description.contains("secret"))
    }
  }
}
