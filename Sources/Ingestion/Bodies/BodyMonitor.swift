import JobModel
import PipelineDefinition
import Records
import Synchronization

/// Watches a body on its way into the raw zone: counts it, reads what pagination and cursor need, notices what is no data.
///
/// A fault never stops the body: its bytes are kept for a person to look at.
final class BodyMonitor: Sendable {
  private enum Reading {
    case json(JSONRecordScanner)
    case lines(JSONLineScanner)
    case csv(CSVScanner)
    case none
  }

  private struct State {
    var reading: Reading
    var cursor: CursorProgress?
    var bytes: Int64 = 0
    var head: [UInt8] = []
    var fault: Fault?
  }

  private struct Fault {
    var text: String
    var hint: String?

    init(_ error: any Error) {
      let failure = error as? any Failure
      text = failure?.message ?? "the records cannot be read"
      hint = failure?.hint
    }
  }

  private let format: RecordFormat
  private let state: Mutex<State>

  /// - Parameters:
  ///   - values: Paths of single values of a JSON document.
  ///   - cursor: Whose maximum is to be followed.
  ///   - columns: The names that the author fixed for CSV.
  ///   - countsLines: Whether the records of csv and ndjson are counted too; curation counts them in any case.
  ///   - isCompressed: Then nothing is read but the size.
  init(
    format: RecordFormat, values: [JSONPath] = [], cursor: CursorProgress? = nil, columns: [String] = [],
    countsLines: Bool = false, isCompressed: Bool = false
  ) throws {
    self.format = isCompressed ? .bytes : format
    let field = cursor?.cursor.field
    let reading: Reading =
      switch format {
      case _ where isCompressed: .none
      case .json(let path): .json(JSONRecordScanner(records: try JSONPath(path), values: values, field: field))
      case .ndjson where countsLines || cursor != nil: .lines(JSONLineScanner(field: field))
      case .csv(let csv) where countsLines || cursor != nil: .csv(CSVScanner(csv, field: field, columns: columns))
      case .ndjson, .csv, .bytes: .none
      }
    state = Mutex(State(reading: reading, cursor: cursor))
  }

  /// Bytes so far.
  var bytes: Int64 { state.withLock { $0.bytes } }

  func take(_ chunk: [UInt8]) {
    state.withLock { state in
      state.bytes += Int64(chunk.count)
      if state.head.count < DocumentSniff.wantedBytes { state.head += chunk.prefix(DocumentSniff.wantedBytes) }
      guard state.fault == nil else { return }
      switch state.reading {
      case .json(let scanner):
        do { try scanner.feed(chunk) } catch { state.fault = Fault(error) }
        for value in scanner.takeFieldValues() { state.cursor?.see(value.kind == .null ? nil : value.text) }
      case .lines(let scanner):
        scanner.feed(chunk)
        for value in scanner.takeFieldValues() { state.cursor?.see(value.kind == .null ? nil : value.text) }
      case .csv(let scanner):
        scanner.feed(chunk)
        for value in scanner.takeFieldValues() { state.cursor?.see(value) }
      case .none: break
      }
    }
  }

  /// What the body was, now that it is whole.
  func finish() -> BodyReport {
    state.withLock { state in
      var report = BodyReport(bytes: state.bytes)
      switch state.reading {
      case .json(let scanner):
        if state.fault == nil {
          do { try scanner.finish() } catch { state.fault = Fault(error) }
        }
        if case .json(let path) = format, state.fault == nil, !scanner.foundRecordsPlace {
          state.fault = Fault(JSONDocument.missing(path, keys: scanner.keys))
        }
        report.records = scanner.records
        report.values = scanner.values
      case .lines(let scanner):
        scanner.finish()
        for value in scanner.takeFieldValues() { state.cursor?.see(value.kind == .null ? nil : value.text) }
        report.records = scanner.records
      case .csv(let scanner):
        scanner.finish()
        for value in scanner.takeFieldValues() { state.cursor?.see(value) }
        report.records = scanner.records
      case .none: break
      }
      report.cursor = state.cursor
      let markup = markup(state)
      report.fault = markup ?? state.fault?.text
      report.hint = markup == nil ? state.fault?.hint : nil
      return report
    }
  }

  private func markup(_ state: borrowing State) -> String? {
    if case .bytes = format { return nil }
    let found =
      if case .json = format { DocumentSniff.markupInsteadOfJSON(in: state.head) } else {
        DocumentSniff.markup(in: state.head)
      }
    return found.map { "\($0) where \(format.name == "ndjson" ? "NDJSON" : format.name.uppercased()) was promised" }
  }
}

/// What a body turned out to be.
struct BodyReport: Sendable {
  var bytes: Int64
  /// nil where the format is not read here.
  var records: Int64?
  /// At the paths that were asked for.
  var values: [JSONScalar?] = []
  var cursor: CursorProgress?
  /// Why the body is no data; its bytes are kept all the same.
  var fault: String?
  /// What may be wrong with the definition then.
  var hint: String?
}
