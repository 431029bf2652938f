import DuckDB
import JobModel
import PipelineDefinition

/// Whether a dataset's SELECT must say which rows it means.
extension CurationLint {
  /// Whether each row of the result comes from one row of an incremental stream, whatever other rows there are.
  enum RowOrigin: Equatable {
    case oneByOne
    /// `what` in the SELECT makes the result depend on which rows are there together.
    case together(_ what: String)
  }

  static func origin(
    of statement: SelectStatement, streams: [(reference: StreamReference, read: ReadMode)], _ session: DuckDBSession
  ) async throws -> RowOrigin {
    let incremental = streams.filter { $0.read == .incremental }.map(\.reference)
    guard !incremental.isEmpty else { return .oneByOne }
    let names = StreamViews.names(of: streams.map(\.reference))
    let batches = Set(incremental.flatMap { names[$0] ?? [] }.map(SQLName.init))
    let aggregates = try await EngineFunctions.of(session).aggregates
    return switch statement.dependence(on: batches, aggregates: aggregates) {
    case .rows: .oneByOne
    case .together(let what): .together(what)
    case .none: .together("it reads no incremental stream, or only as `current`")
    }
  }

  static func overMissing(_ what: String) -> (message: String, hint: String) {
    (
      "the SELECT is not row by row (\(what)), and some streams bring only what is new: say which rows it means",
      "write over: all (computed from everything at each run; the dataset is replaced) or over: batch (from what is new)"
    )
  }
}
