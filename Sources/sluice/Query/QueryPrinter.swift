import DuckDB
import Synchronization

/// Prints the rows of a query as they come: as one JSON object, or as a table whose widths its first rows decide.
///
/// The JSON object is whole also where an error ends the rows: it has the key `error` then, like the answers of other verbs.
final class QueryPrinter: Sendable {
  private struct State {
    var hasBegun = false
    var columns: [DuckDBTable.Column] = []
    var waiting: [[String]] = []
    var layout: TextTable.Layout?
    var count = 0
  }

  private let isJSON: Bool
  private let state = Mutex(State())

  /// Rows that are held until the widths are decided.
  private static let firstRows = 1_000

  init(isJSON: Bool) { self.isJSON = isJSON }

  func begin(_ columns: [DuckDBTable.Column]) {
    state.withLock {
      $0.columns = columns
      $0.hasBegun = true
    }
    guard isJSON else { return }
    let list = columns.map { JSONValue.object([("name", .text($0.name)), ("type", .text($0.type))]) }
    Console.part(json: "{\"columns\":\(JSONValue.list(list).text),\"rows\":[")
  }

  func take(_ row: [String?]) {
    state.withLock { state in
      state.count += 1
      if isJSON {
        let fields = zip(state.columns, row).map { ($0.name, Self.json($1, $0)) }
        return Console.part(json: (state.count == 1 ? "" : ",") + JSONValue.object(fields).text)
      }
      let cells = row.map { $0 ?? "" }
      if let layout = state.layout { return Console.data(layout.line(cells)) }
      state.waiting.append(cells)
      if state.waiting.count == Self.firstRows { Self.printFirst(&state) }
    }
  }

  func end() {
    if isJSON { return Console.part(json: "]}\n") }
    state.withLock { if $0.layout == nil { Self.printFirst(&$0) } }
  }

  /// Whether anything was printed.
  var hasBegun: Bool { state.withLock { $0.hasBegun } }

  /// Ends what was printed before an error, and tells the error. Returns its exit code.
  func end(after failure: FailureReport) -> ExitStatus {
    if isJSON {
      Console.part(json: "],\"error\":\(failure.json.text)}\n")
    } else {
      end()
    }
    failure.tell(asJSON: false)
    return failure.status
  }

  private static func printFirst(_ state: inout State) {
    let table = TextTable(state.columns.map(\.name), state.waiting)
    Console.data(table.text)
    state.layout = table.layout
    state.waiting = []
  }

  /// Numbers and JSON as they are written, so that nothing is rounded; what JSON has no form for is text.
  private static func json(_ text: String?, _ column: DuckDBTable.Column) -> JSONValue {
    guard let text else { return .null }
    switch column.type {
    case "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "BOOLEAN", "JSON":
      return .raw(text)
    case "FLOAT", "DOUBLE": return Double(text)?.isFinite == true ? .raw(text) : .text(text)
    default: return column.isJSON ? .raw(text) : .text(text)
    }
  }
}
