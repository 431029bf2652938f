import FoundationEssentials
import JobModel

/// What became of the last raw of datasets when a staged release curated it once more, and whether the targets would take it:
/// what an engine prints that is asked to rehearse, and what the audit trail keeps.
package struct Rehearsal: Sendable, Codable, Equatable {
  package struct Rows: Sendable, Codable, Equatable {
    package var rowsIn: Int64
    package var rowsOut: Int64
    package var quarantined: Int64

    package init(rowsIn: Int64, rowsOut: Int64, quarantined: Int64) {
      self.rowsIn = rowsIn
      self.rowsOut = rowsOut
      self.quarantined = quarantined
    }
  }

  /// What went wrong, in words that hold no values.
  package struct Trouble: Sendable, Codable, Equatable {
    /// What data, definition or table did. Everything else may be this machine's, or this moment's.
    private static let damning: Set<String> = [
      "check_failed", "check_sql", "column_extra", "column_missing", "csv_header", "full_snapshot_empty",
      "key_index_missing", "key_missing", "key_null",
      "key_repeated", "no_rows_out", "not_records", "nul_byte", "replace_needs_full", "rows_unaccounted",
      "min_rows", "over_missing", "schema_drift", "sql_error", "sql_missing", "sql_refused", "stop_over",
      "stream_missing", "target_column_missing",
      "target_column_required", "target_not_a_table", "too_many_partitions", "type_conflict", "type_unsupported",
      "value_rounded",
    ]

    package var code: String
    package var message: String
    package var hint: String?

    package init(_ failure: any Failure) {
      code = failure.code
      message = failure.message
      hint = failure.hint
    }

    /// Whether it speaks against the release.
    package var isDamning: Bool { Self.damning.contains(code) && !message.contains("IO Error") }
  }

  package struct Dataset: Sendable, Codable, Equatable {
    package var pipeline: String
    package var dataset: String
    /// Whose version was to be made again.
    package var run: Int64?
    package var before: Rows?
    package var after: Rows?
    package var seconds: Double?
    /// Why it was not made again, though nothing is wrong.
    package var leftOut: String?
    /// Why what came of it then says nothing of what should come of it now.
    package var incomparable: String?
    package var error: Trouble?

    package init(pipeline: String, dataset: String) {
      self.pipeline = pipeline
      self.dataset = dataset
    }
  }

  /// A table that a rehearsed dataset would go into.
  package struct Table: Sendable, Codable, Equatable {
    package var pipeline: String
    package var dataset: String
    package var target: String
    package var table: String
    package var error: Trouble?
    /// Whether it does not take the last version as it is either.
    package var wasBroken: Bool?

    package init(pipeline: String, dataset: String, target: String, table: String, error: Trouble?) {
      self.pipeline = pipeline
      self.dataset = dataset
      self.target = target
      self.table = table
      self.error = error
    }
  }

  package var datasets: [Dataset]
  package var tables: [Table]

  package init(datasets: [Dataset] = [], tables: [Table] = []) {
    self.datasets = datasets
    self.tables = tables
  }

  package static func + (left: Rehearsal, right: Rehearsal) -> Rehearsal {
    Rehearsal(datasets: left.datasets + right.datasets, tables: left.tables + right.tables)
  }

  /// - Throws: Where the text is no rehearsal's.
  package init(json: String) throws {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    self = try decoder.decode(Rehearsal.self, from: Data(json.utf8))
  }

  /// `{"datasets": [{"pipeline", "dataset", "run", "before": {"rows_in", "rows_out", "quarantined"}, "after", "seconds",
  /// "left_out", "incomparable", "error": {"code", "message", "hint"}}], "tables": [{"pipeline", "dataset", "target", "table",
  /// "error", "was_broken"}]}`, without what is nil.
  package var json: String {
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    guard let data = try? encoder.encode(self) else { preconditionFailure("texts and finite numbers can be encoded") }
    return String(decoding: data, as: UTF8.self)
  }

  /// Datasets that have been made again.
  package var made: [Dataset] { datasets.filter { $0.after != nil } }
  /// Datasets that were not, though nothing is wrong.
  package var leftOut: [Dataset] { datasets.filter { $0.leftOut != nil } }

  /// What it says of the release, and what it leaves open.
  ///
  /// - Parameter pipelines: All that the release changes.
  package func summary(of pipelines: [String]) -> String {
    let silent = pipelines.filter { name in !made.contains { $0.pipeline == name } }
    let open =
      ["ingest"] + (tables.isEmpty ? [] : ["rows in the targets"])
      + leftOut.filter { !silent.contains($0.pipeline) }.map { "dataset \($0.dataset)" }
      + silent.map { "pipeline \($0)" }
    return "rehearsed \(made.map(\.dataset).joined(separator: ", ")); without live evidence of "
      + open.joined(separator: ", ")
  }
}

extension CanaryJudge {
  /// Less is what a cursor's edge, or a duplicate, makes of it.
  private static let leastRehearsedRatio = 2.0

  /// Judges what was rehearsed. The raw is the same on both sides, so any number of rows is evidence; how long it took is none.
  package func judge(_ rehearsal: Rehearsal) -> Verdict {
    if let reason = worse(rehearsal) { return .worse(reason) }
    let tables = rehearsal.tables.filter { $0.wasBroken != true }
    let troubles = rehearsal.datasets.compactMap(\.error) + tables.compactMap(\.error)
    if let trouble = troubles.first { return .inconclusive(trouble.message) }
    if let open = rehearsal.datasets.first(where: { $0.incomparable != nil }) {
      return .inconclusive("dataset \(open.dataset): \(open.incomparable ?? "")")
    }
    guard !rehearsal.made.isEmpty else {
      let reasons = rehearsal.leftOut.map { "dataset \($0.dataset): \($0.leftOut ?? "")" }
      return .inconclusive(reasons.isEmpty ? "no dataset is changed" : reasons.joined(separator: "; "))
    }
    return .good
  }

  private func worse(_ rehearsal: Rehearsal) -> String? {
    for dataset in rehearsal.datasets {
      let name = "dataset \(dataset.dataset)" + (dataset.run.map { " from the raw of run \($0)" } ?? "")
      if let error = dataset.error, error.isDamning { return "\(name) failed: \(error.message)" }
      if let before = dataset.before, let after = dataset.after, let reason = worse(after, than: before) {
        return "\(name) \(reason)"
      }
    }
    for table in rehearsal.tables {
      if let error = table.error, error.isDamning, table.wasBroken != true {
        return "table \(table.table) of \(table.target) does not take dataset \(table.dataset): \(error.message)"
      }
    }
    return nil
  }

  private func worse(_ after: Rehearsal.Rows, than before: Rehearsal.Rows) -> String? {
    func differs(_ now: Int64, _ then: Int64) -> Bool {
      now != then && Double(max(now, then)) >= Self.leastRehearsedRatio * Double(min(now, then))
    }
    if after.rowsIn < before.rowsIn, differs(after.rowsIn, before.rowsIn) {
      return "has \(after.rowsIn) rows to read, \(before.rowsIn) then"
    }
    if differs(after.rowsOut, before.rowsOut) { return "came to \(after.rowsOut) rows, \(before.rowsOut) then" }
    let (ours, theirs) = (share(after.quarantined, after.rowsIn), share(before.quarantined, before.rowsIn))
    if ours - theirs >= Self.leastShare, ours >= Self.leastRehearsedRatio * theirs {
      return "rejected \(Self.percent(ours)) of its rows, \(Self.percent(theirs)) then"
    }
    return nil
  }

  private func share(_ part: Int64, _ whole: Int64) -> Double { whole > 0 ? Double(part) / Double(whole) : 0 }
}
