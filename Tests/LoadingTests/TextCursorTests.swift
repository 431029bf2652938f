import PipelineDefinition
import Testing

@testable import Loading

/// A dataset without a contract has its cursor as text: the stream says how its values are compared.
@Suite("The cursor as text in a target")
struct TextCursorTests {
  /// Values of one type, the older first; nil and what is none of the type are older than any value.
  static let orders: [(type: String, values: [String?])] = [
    ("bigint", ["-10", "-9", "0", "+7", "9", "010", "11", "9223372036854775807"]),
    ("bigint", ["9223372036854775808", "1"]), ("integer", [nil, "3"]), ("integer", ["1.5", "1"]),
    ("bigint", ["99999999999999999999999999", "1"]),
    ("decimal(18,4)", ["-1e3", "-2.5", "0.000", ".5", "0.51", "9.99", "10", "1E2"]), ("decimal(18,4)", ["x", "-1"]),
    (
      "timestamptz",
      [
        "2024-02-30T10:00:00Z", "0001-01-01T00:00:00+02:00", "1969-12-31T23:59:59Z", "2024-01-31",
        "2024-01-31T12:00:00+02:00", "2024-01-31 10:00:01Z", "2024-01-31T10:00:01.000000001", "2024-01-31T10:00:01,5z",
        "2024-01-31T08:31-02", "9999-12-31T23:59:60Z",
      ]
    ),
    ("date", ["24-01-01", "2023-12-31", "2024-01-01"]), ("timestamp", ["soon", "2024-01-01 10:00"]),
    ("text", ["", "B", "Z", "a", "b", "\u{e4}", "\u{1d11e}"]),
    (
      "uuid",
      [
        "a0", "0B5C61C6-4C33-4B39-9A1C-0123456789AB", "a0000000-0000-0000-0000-000000000000",
        " B0000000-0000-0000-0000-000000000000", "{c0000000-0000-0000-0000-000000000000}",
        "D0000000000000000000000000000000",
      ]
    ), ("bigint", [" 9", "10 ", "  +011"]), ("decimal(18,4)", ["1e-20000", " 0.1", "1e20000 ", "1e999999"]),
    ("text", [String(repeating: "z", count: 1_025), "a", String(repeating: "b", count: 1_024)]),
  ]

  @Test("is compared as the stream's cursor type says, whatever the texts are", arguments: orders.indices)
  func order(index: Int) async throws {
    let (type, values) = Self.orders[index]
    try await TargetFixture.with { fixture in
      // A session in another zone and with another order of texts must not matter.
      try await fixture.execute(
        "do $$ begin execute format('alter database %I set timezone = ''Asia/Tokyo''', current_database()); end $$")
      func text(_ value: String?) -> String { value.map { "'\($0)'" } ?? "null::varchar" }
      // A key for each pair of neighbours: first the newer arrives, or first the older; the newer stays.
      let pairs = zip(values, values.dropFirst()).enumerated().map { ($0.offset, $0.element.0, $0.element.1) }
      func select(_ rows: [(Int, String?, String)]) -> String {
        "select * from (values " + rows.map { "(\($0.0), '\($0.2)', \(text($0.1)))" }.joined(separator: ", ")
          + ") t(id, name, seen)"
      }
      let first = try await fixture.snapshot(
        1, cursor: "seen", cursorType: type,
        select(pairs.map { ($0.0, $0.2, "newer") } + pairs.map { ($0.0 + 100, $0.1, "older") }))
      let second = try await fixture.snapshot(
        2, cursor: "seen", cursorType: type,
        select(pairs.map { ($0.0, $0.1, "older") } + pairs.map { ($0.0 + 100, $0.2, "newer") }))
      try await fixture.load(TargetFixture.table(.merge, key: ["id"]), [first, second])
      #expect(try await fixture.rows("select id, seen from mart.orders where name = 'older' order by id") == [])
    }
  }
}
