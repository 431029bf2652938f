import JobModel
import Testing

@testable import Loading

@Suite("How types travel")
struct DatasetTypeTests {
  @Test(
    "each type has a form that DuckDB writes, a staging column and a column in a new table",
    arguments: [
      ("text", "VARCHAR", "varchar", "text"), ("BIGINT", "BIGINT", "bigint", "bigint"),
      ("UTINYINT", "SMALLINT", "smallint", "smallint"), ("ubigint", "DECIMAL(20,0)", "numeric(20,0)", "numeric(20,0)"),
      ("HUGEINT", "DECIMAL(38,0)", "numeric(38,0)", "numeric(38,0)"),
      ("double", "DOUBLE", "double precision", "double precision"),
      ("decimal(18,4)", "DECIMAL(18,4)", "numeric(18,4)", "numeric(18,4)"),
      ("DECIMAL(9,9)", "DECIMAL(18,9)", "numeric(18,9)", "numeric(9,9)"),
      ("DECIMAL(18,17)", "DECIMAL(38,17)", "numeric(38,17)", "numeric(18,17)"),
      ("DECIMAL(38,37)", "VARCHAR", "varchar", "numeric(38,37)"), ("bytea", "BLOB", "bytea", "bytea"),
      ("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ", "timestamptz", "timestamptz"), ("json", "JSON", "json", "jsonb"),
      ("VARCHAR[]", "VARCHAR[]", "varchar[]", "text[]"), ("ENUM('a', 'b')", "VARCHAR", "varchar", "text"),
    ])
  func forms(type: String, duck: String, staging: String, target: String) throws {
    let parsed = try DatasetType(parsing: type, column: "c")
    #expect(parsed.duckType == duck)
    #expect(parsed.stagingType == staging)
    #expect(parsed.targetType.description == target)
  }

  @Test(
    "nested values travel as JSON",
    arguments: ["STRUCT(a INTEGER)", "MAP(VARCHAR, INTEGER)", "INTEGER[][]", "INTEGER[3]"])
  func nested(type: String) throws {
    let parsed = try DatasetType(parsing: type, column: "c")
    #expect(parsed.duckType == nil)
    #expect(parsed.targetType.description == "jsonb")
  }

  @Test("a type that would lose something is refused", arguments: ["TIMESTAMP_NS", "BIT", "GEOMETRY", "decimal(40,2)"])
  func refused(type: String) {
    #expect { try DatasetType(parsing: type, column: "c") } throws: {
      ($0 as? StageFailure)?.code == "type_unsupported"
    }
  }

  @Test(
    "a dataset's type fits a column only where nothing is changed silently",
    arguments: [
      ("bigint", "bigint", true), ("bigint", "integer", false), ("smallint", "bigint", true),
      ("bigint", "numeric", true), ("bigint", "numeric(18,0)", false), ("bigint", "numeric(19,0)", true),
      ("integer", "numeric(12,2)", true), ("integer", "numeric(11,2)", false),
      ("numeric(18,4)", "numeric(18,2)", false),
      ("numeric(18,4)", "numeric(20,4)", true), ("numeric(18,4)", "numeric(18,5)", false),
      ("numeric(18,4)", "double precision", false), ("real", "double precision", true),
      ("double precision", "real", false), ("text", "character varying(20)", true), ("text", "character(2)", true),
      ("text", "integer", false), ("integer", "text", false), ("timestamp", "timestamp without time zone", true),
      ("timestamp", "timestamp(3) without time zone", false), ("timestamptz", "timestamp with time zone", true),
      ("timestamptz", "timestamp without time zone", false), ("timestamp", "timestamp with time zone", false),
      ("date", "timestamp without time zone", false), ("jsonb", "json", true), ("jsonb", "text", true),
      ("uuid", "text", true), ("text", "uuid", false), ("text[]", "text[]", true), ("text[]", "text", false),
      ("integer[]", "bigint[]", true), ("boolean", "boolean", true), ("boolean", "integer", false),
    ])
  func fits(dataset: String, column: String, fits: Bool) {
    #expect(PostgresType(dataset).fits(PostgresType(column), isEnum: false) == fits)
  }
}
