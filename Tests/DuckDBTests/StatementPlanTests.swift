import DuckDB
import FoundationEssentials
import JobModel
import Testing

@Suite("The plan of a statement that ran")
struct StatementPlanTests {
  @Test("has the rows that each operator gave, exactly, within the wall and with several threads")
  func rows() async throws {
    try await withScratch { duckdb, place in
      var place = place
      place.planFile = place.directory + "/plan.txt"
      try await duckdb.withSession(in: place, limits: DuckDBLimits(threads: 2)) { [place] session in
        try await session.run(
          "copy (select i, i % 10 as v from range(300000) r(i)) to \(quoteLiteral(place.directory + "/rows")) (format csv)"
        )
        let plan = try await session.plan(
          of: """
            copy (select i * 2 as j, v from read_csv(\(quoteLiteral(place.directory + "/rows"))) where v < 3)
            to \(quoteLiteral(place.directory + "/out")) (format parquet, partition_by (v))
            """)
        #expect(plan?.name == "COPY_TO_FILE" && plan?.inputs.first?.rows == 90_000)
        #expect(plan?.rows(of: "READ_CSV") == 300_000)
        #expect(plan?.names.contains("FILTER") == true)
        let none = try await session.plan(of: "select 1 as n where false")
        #expect(none?.rows(of: "READ_CSV") == 0)
        await #expect(throws: DuckDBError.self) { try await session.plan(of: "select nothing from nowhere") }
      }
    }
  }

  @Test("is none without a file for it")
  func absent() async throws {
    try await withScratch { duckdb, place in
      try await duckdb.withSession(in: place, limits: DuckDBLimits()) { session in
        let plan = try await session.plan(of: "select 1 as n")
        #expect(plan == nil)
      }
    }
  }

  @Test(
    "is none where the engine wrote something else",
    arguments: [
      "", "{}", "[]", #"{"children": []}"#, #"{"children": [{"operator_name": "FILTER", "children": []}]}"#,
      #"{"children": [{"operator_name": "A", "operator_cardinality": 1, "children": []}, 7]}"#, "Query: 7 rows",
    ])
  func unreadable(_ text: String) async throws {
    try await withScratch { _, place in
      let path = place.directory + "/plan.txt"
      #expect(StatementPlan.read(path) == nil)
      try Data(text.utf8).write(to: URL(filePath: path))
      #expect(StatementPlan.read(path) == nil)
    }
  }
}
