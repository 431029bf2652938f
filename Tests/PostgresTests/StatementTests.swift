import JobModel
import Postgres
import TestSupport
import Testing

@Suite("Statements")
struct StatementTests {
  @Test(
    "A value of each type comes back as it went",
    arguments: [
      (PostgresValue.text("héé 🐘 'q' \"d\" \\ \n"), "text", "héé 🐘 'q' \"d\" \\ \n"),
      (.text(""), "text", ""),
      (.int(.max), "bigint", "9223372036854775807"),
      (.int(.min), "bigint", "-9223372036854775808"),
      (.double(0.1), "double precision", "0.1"),
      (.double(-1e300), "double precision", "-1e+300"),
      (.double(.infinity), "double precision", "Infinity"),
      (.bool(true), "boolean", "true"),
      (.json(#"{"a": [1, "x"]}"#), "jsonb", #"{"a": [1, "x"]}"#),
      (
        .texts(["a", "", "b,c", "d\"e\\f", "{}", "null", "\u{301}"]), "text[]",
        #"{a,"","b,c","d\"e\\f","{}","null",\#u{301}}"#
      ),
      (.ints([1, -2, 3]), "bigint[]", "{1,-2,3}"),
      (.texts([]), "text[]", "{}"),
      ("2026-01-02T03:04:05.678901+02:00", "timestamptz", "2026-01-02 01:04:05.678901+00"),
    ])
  func roundTrip(value: PostgresValue, type: String, text: String) async throws {
    try await TestDatabase.withEmptyDatabase { database in
      let statement = SQLStatement(text: "select ($1::\(type))::text as value, $1::\(type) is null as missing")
      let row = try #require(try await database.pool.query(statement, [value]).first)
      #expect(try row.string("value") == text)
      #expect(try row.bool("missing") == false)
    }
  }

  @Test("Numbers, booleans, bytes and nulls are read by type")
  func typedRows() async throws {
    try await TestDatabase.withEmptyDatabase { database in
      let all = (0...255).map { UInt8($0) }
      let rows = try await database.pool.query(
        "select $1::bytea as raw, $2::bigint as number, $3::float8 as real, $4::bool as flag, $5::text as nothing",
        [.bytes(all), 42, 1.5, false, nil])
      let row = try #require(rows.first)
      #expect(try row.bytes("raw") == all)
      #expect(try row.int("number") == 42)
      #expect(try row.double("real") == 1.5)
      #expect(try row.bool("flag") == false)
      #expect(try row.isNull("nothing"))
      #expect(try row.optionalInt("nothing") == nil)
      #expect(try row.optionalBytes("nothing") == nil)
      #expect(rows.columns == ["raw", "number", "real", "flag", "nothing"])
    }
  }

  @Test("A reader that does not fit the statement is told its column, and never a value")
  func misfit() async throws {
    try await TestDatabase.withEmptyDatabase { database in
      let statement = SQLStatement(name: "orders_list", text: "select 'secret' as word, null as nothing")
      let row = try #require(try await database.pool.query(statement, []).first)
      func failure(_ read: () throws -> Void) -> PostgresError? {
        do { try read() } catch { return error as? PostgresError }
        return nil
      }
      #expect(failure { _ = try row.int("word") }?.message == "orders_list: column word is not an integer")
      #expect(failure { _ = try row.string("nothing") }?.message == "orders_list: column nothing is null")
      #expect(failure { _ = try row.string("absent") }?.message == "orders_list: the result has no column absent")
      #expect(failure { _ = try row.bool("word") }?.kind == .usage)
    }
  }

  @Test("Affected rows are counted, and scripts may hold several statements")
  func scripts() async throws {
    try await TestDatabase.withEmptyDatabase { database in
      try await database.pool.execute("create table t (a int); insert into t select generate_series(1, 10);")
      #expect(try await database.pool.query("update t set a = a + 1 where a <= 4").affectedRows == 4)
      #expect(try await database.pool.query("select from t").count == 10)
    }
  }

  @Test(
    "A NUL is refused where PostgreSQL would cut the text off", arguments: ["value", "array", "statement", "script"])
  func nul(place: String) async throws {
    try await TestDatabase.withEmptyDatabase { database in
      await #expect {
        switch place {
        case "value": try await database.pool.query("select $1::text", ["a\0b"])
        case "array": try await database.pool.query("select $1::text[]", [.texts(["a\0b"])])
        case "statement": try await database.pool.query(SQLStatement(text: "select 'a\0b'"))
        default: try await database.pool.execute("select 'a\0b'")
        }
      } throws: { error in
        (error as? PostgresError)?.kind == .usage
      }
    }
  }

  @Test(
    "What is quoted comes back, whatever is in it",
    arguments: [
      "plain", "it's", "\"d\"", "a\\b", "\\'", "ü\u{301}'", "", "'\u{301};\"\u{301}",
      "a\n.shell id\r\t\u{1}\u{1b}\u{7f}b",
    ])
  func quoting(text: String) async throws {
    try await TestDatabase.withEmptyDatabase { database in
      let name = text.isEmpty ? "empty" : text
      for conforming in ["on", "off"] {
        let row = try await database.pool.withConnection { connection in
          try await connection.execute("set standard_conforming_strings = \(conforming)")
          return try await connection.query(
            SQLStatement(text: "select \(quoteLiteral(text)) as \(quoteIdentifier(name))")
          ).first
        }
        #expect(try #require(row).string(name) == text)
      }
    }
  }
}
