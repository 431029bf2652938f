import DuckDB
import FoundationEssentials

/// One SELECT as DuckDB's own parser sees it.
///
/// The text that runs is written by DuckDB from this tree, never the author's text, so that nothing but one SELECT
/// can reach the child.
struct SelectStatement: Sendable {
  private let tree: DuckDBValue

  /// Reads the tree that `json_serialize_sql` gave.
  ///
  /// - Throws: ``SelectProblem`` with the place of a syntax error, or where it is not exactly one SELECT.
  init(serialized json: String, source: String) throws(SelectProblem) {
    guard let parsed = try? JSONDecoder().decode(DuckDBValue.self, from: Data(json.utf8)), let root = parsed.object
    else {
      throw SelectProblem("the SQL could not be read", at: 0, in: source)
    }
    if root["error"]?.bool == true {
      let message = root["error_message"]?.text ?? "the SQL could not be read"
      throw SelectProblem(
        message.hasPrefix("Only SELECT") ? "only one SELECT is allowed here" : message,
        at: root["position"]?.int ?? 0, in: source)
    }
    let count = root["statements"]?.list?.count ?? 0
    guard count == 1 else {
      throw SelectProblem("there are \(count) statements; exactly one SELECT is allowed here", at: 0, in: source)
    }
    tree = parsed
  }

  /// SQL whose one value is the tree of `text`.
  static func serializing(_ text: String) -> String { "select json_serialize_sql(\(sqlLiteral(text))) as tree" }

  /// SQL whose one value is this statement's text.
  var deserializing: String { Self.deserializing(tree) }

  private static func deserializing(_ tree: DuckDBValue) -> String {
    let data = (try? JSONEncoder().encode(tree)) ?? Data()
    return "select json_deserialize_sql(\(sqlLiteral(String(decoding: data, as: UTF8.self)))) as text"
  }

  private var node: [String: DuckDBValue] {
    tree.object?["statements"]?.list?.first?.object?["node"]?.object ?? [:]
  }

  /// Every node of the tree, with the names of common table expressions that are visible anywhere.
  func visit(_ body: ([String: DuckDBValue]) -> Void) { Self.visit(tree, body) }

  private static func visit(_ value: DuckDBValue, _ body: ([String: DuckDBValue]) -> Void) {
    switch value {
    case .object(let object):
      body(object)
      for key in object.keys.sorted() { visit(object[key] ?? .null, body) }
    case .list(let list): for element in list { visit(element, body) }
    default: break
    }
  }

  /// Names of the statement's own common table expressions, in lower case.
  var commonTables: Set<String> {
    var names: Set<String> = []
    visit { object in
      for entry in object["cte_map"]?.object?["map"]?.list ?? [] {
        if let name = entry.object?["key"]?.text { names.insert(name.lowercased()) }
      }
    }
    return names
  }

  /// Every table that the statement reads, its own common table expressions aside.
  var tables: [TableName] {
    let own = commonTables
    var found: [TableName] = []
    visit { object in
      guard object["type"]?.text == "BASE_TABLE", let table = object["table_name"]?.text else { return }
      let schema = object["schema_name"]?.text ?? ""
      if schema.isEmpty, own.contains(table.lowercased()) { return }
      found.append(
        TableName(
          schema: schema, catalog: object["catalog_name"]?.text ?? "", table: table,
          alias: object["alias"]?.text ?? "", location: object["query_location"]?.int ?? 0))
    }
    return found
  }

  /// The one table of `streams` that the statement reads row by row, where each result row comes from one of its rows:
  /// no grouping, no DISTINCT, no set operation; joined, if at all, with others than `streams`. nil where it is not so.
  func rowByRowSource(among streams: Set<String>) -> TableName? {
    guard node["type"]?.text == "SELECT_NODE", node["aggregate_handling"]?.text == "STANDARD_HANDLING",
      (node["group_expressions"]?.list ?? []).isEmpty, (node["group_sets"]?.list ?? []).isEmpty,
      node["having"] ?? .null == .null, node["sample"] ?? .null == .null,
      !(node["modifiers"]?.list ?? []).contains(where: { $0.object?["type"]?.text == "DISTINCT_MODIFIER" })
    else { return nil }
    func isStream(_ table: TableName) -> Bool {
      table.catalog.isEmpty && table.schema.isEmpty && streams.contains(table.table.lowercased())
    }
    let everywhere = tables.filter(isStream)
    let leaves = Self.leaves(node["from_table"] ?? .null).filter(isStream)
    guard everywhere.count == 1, leaves.count == 1 else { return nil }
    return leaves[0]
  }

  private static func leaves(_ from: DuckDBValue) -> [TableName] {
    guard let object = from.object else { return [] }
    switch object["type"]?.text {
    case "BASE_TABLE":
      return [
        TableName(
          schema: object["schema_name"]?.text ?? "", catalog: object["catalog_name"]?.text ?? "",
          table: object["table_name"]?.text ?? "", alias: object["alias"]?.text ?? "", location: 0)
      ]
    case "JOIN": return leaves(object["left"] ?? .null) + leaves(object["right"] ?? .null)
    default: return []
    }
  }

  /// This statement with more columns of one of its tables at the end of its list.
  func adding(columns: [String], of table: TableName) -> String {
    let owner = table.alias.isEmpty ? table.table : table.alias
    let added = columns.map { name in
      DuckDBValue.object([
        "class": .text("COLUMN_REF"), "type": .text("COLUMN_REF"), "alias": .text(""),
        "column_names": .list([.text(owner), .text(name)]),
      ])
    }
    var changed = node
    changed["select_list"] = .list((node["select_list"]?.list ?? []) + added)
    var root = tree.object ?? [:]
    var statements = root["statements"]?.list ?? []
    var statement = statements.first?.object ?? [:]
    statement["node"] = .object(changed)
    statements[0] = .object(statement)
    root["statements"] = .list(statements)
    return Self.deserializing(.object(root))
  }
}

/// A table as a statement names it.
struct TableName: Sendable, Equatable {
  var schema: String
  var catalog: String
  var table: String
  var alias: String
  /// Byte offset in the text.
  var location: Int
}

/// What is wrong with a SELECT, and where in its text; lines and columns count from 1.
package struct SelectProblem: Error, Equatable, Sendable, CustomStringConvertible {
  package var message: String
  package var line: Int
  package var column: Int

  init(_ message: String, at offset: Int, in source: String) {
    let before = Array(source.utf8.prefix(max(0, offset)))
    self.message = message
    line = before.count { $0 == UInt8(ascii: "\n") } + 1
    let start = before.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
    column = String(decoding: before[start...], as: UTF8.self).count + 1
  }

  package var description: String { "\(line):\(column): \(message)" }
}
