import JobModel
import Testing

@testable import Releases

private func rows(_ rowsIn: Int64, _ rowsOut: Int64, _ quarantined: Int64 = 0) -> Rehearsal.Rows {
  Rehearsal.Rows(rowsIn: rowsIn, rowsOut: rowsOut, quarantined: quarantined)
}

@Suite("What is judged of a rehearsal")
struct RehearsalTests {
  private func dataset(
    _ name: String = "orders", before: Rehearsal.Rows? = nil, after: Rehearsal.Rows? = nil, leftOut: String? = nil,
    error: StageFailure? = nil
  ) -> Rehearsal.Dataset {
    var dataset = Rehearsal.Dataset(pipeline: "shop", dataset: name)
    (dataset.before, dataset.after, dataset.run) = (before, after, before == nil ? nil : 7)
    dataset.leftOut = leftOut
    dataset.error = error.map { Rehearsal.Trouble($0) }
    return dataset
  }

  private func verdict(_ datasets: [Rehearsal.Dataset], _ tables: [Rehearsal.Table] = []) -> CanaryJudge.Verdict {
    CanaryJudge().judge(Rehearsal(datasets: datasets, tables: tables))
  }

  private func table(_ error: StageFailure?) -> Rehearsal.Table {
    Rehearsal.Table(
      pipeline: "shop", dataset: "orders", target: "warehouse", table: "mart.orders",
      error: error.map { Rehearsal.Trouble($0) })
  }

  @Test("the same rows are good; what no rehearsal speaks for is named")
  func good() {
    let same = dataset(before: rows(100, 90, 1), after: rows(100, 90, 1))
    #expect(verdict([same, dataset("fresh", leftOut: "it has no version yet")]) == .good)
    // An aggregate: few rows of many.
    #expect(verdict([dataset(before: rows(1_000_000, 10_000), after: rows(1_000_000, 9_000))]) == .good)
    let rehearsal = Rehearsal(
      datasets: [same, dataset("fresh", leftOut: "it has no version yet")], tables: [table(nil)])
    #expect(
      rehearsal.summary(of: ["shop", "raw_only"])
        == "rehearsed orders; without live evidence of ingest, rows in the targets, dataset fresh, pipeline raw_only")
  }

  @Test(
    "rows that are lost, multiplied, rejected or not read any more are worse",
    arguments: [
      (rows(100, 90, 1), rows(100, 40), "came to 40 rows, 90 then"),
      (rows(100, 90, 1), rows(100, 900), "came to 900 rows, 90 then"),
      (rows(100, 90, 1), rows(100, 60, 30), "rejected 30.0 % of its rows, 1.0 % then"),
      (rows(100, 90, 1), rows(45, 45), "has 45 rows to read, 100 then"),
      (rows(1_000_000, 10_000), rows(1_000_000, 1), "came to 1 rows, 10000 then"),
      (rows(100, 90), rows(100, 0), "came to 0 rows, 90 then"),
    ])
  func worse(_ before: Rehearsal.Rows, _ after: Rehearsal.Rows, _ what: String) {
    #expect(
      verdict([dataset(before: before, after: after)]) == .worse("dataset orders from the raw of run 7 \(what)"))
  }

  @Test("what data, definition or table did is worse; what this machine or this moment did says nothing")
  func failures() {
    let same = dataset(before: rows(100, 90), after: rows(100, 90))
    let broken = StageFailure(code: "stop_over", message: "too many rows are bad")
    #expect(verdict([dataset(error: broken)]) == .worse("dataset orders failed: too many rows are bad"))
    for code in ["memory_limit", "time_limit", "duckdb_missing", "disk_full", "salt_missing", "target_unreachable"] {
      let elsewhere = StageFailure(code: code, message: "not here")
      #expect(verdict([dataset(error: elsewhere)]) == .inconclusive("not here"))
      #expect(verdict([same], [table(elsewhere)]) == .inconclusive("not here"))
    }
    let unread = StageFailure(code: "sql_error", message: "IO Error: Cannot open file")
    #expect(verdict([dataset(error: unread)]) == .inconclusive("IO Error: Cannot open file"))
    let column = StageFailure(code: "type_conflict", message: "column total is text")
    let away = StageFailure(code: "target_unreachable", message: "the target is away", isTransient: true)
    #expect(
      verdict([same], [table(away), table(column)])
        == .worse("table mart.orders of warehouse does not take dataset orders: column total is text"))
  }

  @Test("a table that did not take the last version either speaks against nobody")
  func broken() {
    let same = dataset(before: rows(100, 90), after: rows(100, 90))
    var table = table(StageFailure(code: "target_column_missing", message: "no column total"))
    table.wasBroken = true
    #expect(verdict([same], [table]) == .good)
    table.wasBroken = false
    guard case .worse = verdict([same], [table]) else {
      Issue.record("it took the last version")
      return
    }
  }

  @Test("where nothing was made again nothing is known")
  func nothing() {
    #expect(
      verdict([dataset(leftOut: "it has no version yet")]) == .inconclusive("dataset orders: it has no version yet"))
    #expect(verdict([]) == .inconclusive("no dataset is changed"))
    var other = dataset("other", before: rows(5, 5))
    other.incomparable = "its last version was made from more streams"
    #expect(
      verdict([dataset(before: rows(9, 9), after: rows(9, 9)), other])
        == .inconclusive("dataset other: its last version was made from more streams"))
  }

  @Test("what an engine prints is what the other reads, by names as every other verb has them")
  func json() throws {
    let failure = StageFailure(code: "type_conflict", message: "column \"total\" is text", hint: "alter it")
    let rehearsal = Rehearsal(
      datasets: [dataset(before: rows(3, 2, 1), after: rows(3, 1)), dataset("fresh", leftOut: "none")],
      tables: [table(failure)])
    #expect(rehearsal.json.contains(#""before":{"quarantined":1,"rows_in":3,"rows_out":2}"#))
    #expect(rehearsal.json.contains(#""left_out":"none""#))
    #expect(try Rehearsal(json: rehearsal.json) == rehearsal)
    #expect(throws: (any Error).self) { try Rehearsal(json: "{}") }
  }
}
