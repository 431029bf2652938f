import FoundationEssentials
import JobModel

/// One SELECT as DuckDB's own parser sees it.
///
/// The text that runs is written by DuckDB from this tree, never the author's text, so that nothing but one SELECT
/// can reach the child.
package struct SelectStatement: Sendable {
  private let tree: DuckDBValue

  /// Reads the tree that `json_serialize_sql` gave.
  ///
  /// - Throws: ``SelectProblem`` with the place of a syntax error, or where it is not exactly one SELECT.
  package init(serialized json: String, source: String) throws(SelectProblem) {
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

  /// Takes a text apart with DuckDB's own parser.
  ///
  /// - Throws: ``SelectProblem`` where it is not exactly one SELECT, ``DuckDBError`` where DuckDB cannot be asked.
  package static func parse(_ text: String, _ session: DuckDBSession) async throws -> SelectStatement {
    guard !text.utf8.contains(0) else {
      let before = text.utf8.prefix { $0 != 0 }.count
      throw SelectProblem("the SQL holds a NUL character; chr(0) writes one", at: before, in: text)
    }
    let tree = try await session.rows(serializing(text)).first?["tree"] ?? .null
    return try SelectStatement(serialized: tree.json, source: text)
  }

  /// SQL whose one value is the tree of `text`.
  package static func serializing(_ text: String) -> String {
    "select json_serialize_sql(\(quoteLiteral(text))) as tree"
  }

  /// Refuses a statement that may not run.
  package typealias Check = @Sendable (SelectStatement) async throws -> Void

  /// This statement as DuckDB writes it: the text that runs.
  ///
  /// DuckDB writes some names without quotes, `NAME.*` and `$NAME` among them, so that the text can say something else than the tree.
  /// Therefore it is taken apart once more, and must be one SELECT that passes the same check.
  ///
  /// - Throws: ``SelectProblem``, also where only the written text fails.
  package func text(_ session: DuckDBSession, check: Check) async throws -> String {
    try await Self.text(of: tree, session, check: check)
  }

  private static func text(of tree: DuckDBValue, _ session: DuckDBSession, check: Check) async throws -> String {
    let text = onOneLine(try await session.value(deserializing(tree)).text ?? "")
    do { try await check(try await parse(text, session)) } catch let problem as SelectProblem {
      throw SelectProblem(
        "a name in it cannot be written as SQL (\(problem.message)); use names of letters, digits and _", at: 0, in: "")
    }
    return text
  }

  /// Names that DuckDB would write without quotes and that need some, and parameters, which have no value here.
  package var unwritable: [(message: String, location: Int)] {
    var found: [(String, Int)] = []
    visit { object in
      let location = object["query_location"]?.int ?? 0
      if object["class"]?.text == "PARAMETER" { found.append(("a parameter has no value here", location)) }
      if object["class"]?.text == "STAR", let name = object["relation_name"]?.text, !Self.isPlain(name) {
        found.append(("a table before .* needs a name of letters, digits and _; give it an alias", location))
      }
    }
    return found
  }

  private static func isPlain(_ name: String) -> Bool {
    name.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
        true
      default: false
      }
    }
  }

  /// DuckDB writes a statement on one line, but for the line ends in its literals; these become escapes.
  static func onOneLine(_ sql: String) -> String {
    var result: [UInt8] = []
    var bytes = Array(sql.utf8)[...]
    while let start = bytes.firstIndex(where: { $0 == UInt8(ascii: "'") || $0 == UInt8(ascii: "\"") }) {
      let quote = bytes[start]
      result += bytes[..<start]
      var content: [UInt8] = []
      var index = start + 1
      while index < bytes.endIndex {
        let isQuote = bytes[index] == quote
        guard !isQuote || (index + 1 < bytes.endIndex && bytes[index + 1] == quote) else { break }
        content.append(bytes[index])
        index += isQuote ? 2 : 1
      }
      let text = String(decoding: content, as: UTF8.self)
      result += (quote == UInt8(ascii: "'") ? quoteLiteral(text) : quoteIdentifier(text)).utf8
      bytes = bytes[min(index + 1, bytes.endIndex)...]
    }
    return String(decoding: result + bytes, as: UTF8.self)
  }

  private static func deserializing(_ tree: DuckDBValue) -> String {
    let data = (try? JSONEncoder().encode(writable(tree))) ?? Data()
    return "select json_deserialize_sql(\(quoteLiteral(String(decoding: data, as: UTF8.self)))) as text"
  }

  /// The tree with every number of type DOUBLE as a cast of its text: DuckDB writes the number alone, and reads `1.5` back as a
  /// decimal.
  private static func writable(_ value: DuckDBValue) -> DuckDBValue {
    switch value {
    case .list(let list): return .list(list.map(writable))
    case .object(var object):
      guard object["class"]?.text == "CONSTANT", var constant = object["value"]?.object, let number = constant["value"],
        constant["type"]?.object?["id"]?.text == "DOUBLE", let text = number.text
      else { return .object(object.mapValues(writable)) }
      let alias = object.updateValue(.text(""), forKey: "alias") ?? .text("")
      constant["type"] = .object(["id": .text("VARCHAR"), "type_info": .null])
      constant["value"] = .text(text)
      object["value"] = .object(constant)
      return .object([
        "class": .text("CAST"), "type": .text("OPERATOR_CAST"), "alias": alias, "child": .object(object),
        "query_location": object["query_location"] ?? .int(0),
        "cast_type": .object(["id": .text("DOUBLE"), "type_info": .null]), "try_cast": .bool(false),
      ])
    default: return value
    }
  }

  var node: [String: DuckDBValue] {
    tree.object?["statements"]?.list?.first?.object?["node"]?.object ?? [:]
  }

  /// Every node of the tree.
  package func visit(_ body: ([String: DuckDBValue]) -> Void) { Self.visit(tree, scope: []) { node, _ in body(node) } }

  /// Every node, with the common table expressions that are visible to it.
  ///
  /// An expression is visible to those after it in the same WITH, and to the statement that the WITH belongs to; to itself
  /// only where it is recursive. A table of the same name elsewhere is the real one.
  private static func visit(
    _ value: DuckDBValue, scope: Set<SQLName>, _ body: ([String: DuckDBValue], Set<SQLName>) -> Void
  ) {
    switch value {
    case .object(let object):
      body(object, scope)
      var inner = scope
      if object["type"]?.text == "RECURSIVE_CTE_NODE", let name = object["cte_name"]?.text {
        inner.insert(SQLName(name))
      }
      for entry in object["cte_map"]?.object?["map"]?.list ?? [] {
        visit(entry.object?["value"] ?? .null, scope: inner, body)
        if let name = entry.object?["key"]?.text { inner.insert(SQLName(name)) }
      }
      for key in object.keys.sorted() where key != "cte_map" { visit(object[key] ?? .null, scope: inner, body) }
    case .list(let list): for element in list { visit(element, scope: scope, body) }
    default: break
    }
  }

  /// Every table that the statement reads, its own common table expressions aside.
  package var tables: [TableName] {
    var found: [TableName] = []
    Self.visit(tree, scope: []) { object, scope in
      guard object["type"]?.text == "BASE_TABLE", let table = object["table_name"]?.text else { return }
      let schema = object["schema_name"]?.text ?? ""
      let catalog = object["catalog_name"]?.text ?? ""
      if schema.isEmpty, catalog.isEmpty, scope.contains(SQLName(table)) { return }
      found.append(
        TableName(
          schema: schema, catalog: catalog, table: table, alias: object["alias"]?.text ?? "",
          location: object["query_location"]?.int ?? 0))
    }
    return found
  }

  /// Parts that read neither tables nor nested statements, or that name a version of a table: `SHOW`, `DESCRIBE`, `AT`.
  /// An allow-list, so that a form that a later DuckDB adds is refused too.
  package var refusedSources: [(kind: String, location: Int)] {
    var found: [(String, Int)] = []
    visit { object in
      // Of all nodes only what can stand in FROM has both and no class.
      guard object["class"] == nil, object["alias"] != nil, object["sample"] != nil, let type = object["type"]?.text
      else { return }
      let isVersioned = object["at_clause"] ?? .null != .null
      if !Self.sources.contains(type) || isVersioned { found.append((type, object["query_location"]?.int ?? 0)) }
    }
    return found
  }

  private static let sources: Set<String> = [
    "BASE_TABLE", "SUBQUERY", "JOIN", "TABLE_FUNCTION", "EMPTY", "EXPRESSION_LIST", "PIVOT",
  ]

  /// Calls in FROM of functions that are not on the list, by name.
  package func tableFunctions(notAmong allowed: Set<String>) -> [(name: String, location: Int)] {
    var found: [(String, Int)] = []
    visit { object in
      guard object["type"]?.text == "TABLE_FUNCTION" else { return }
      let name = object["function"]?.object?["function_name"]?.text?.lowercased() ?? ""
      if !allowed.contains(name) { found.append((name, object["query_location"]?.int ?? 0)) }
    }
    return found
  }

  /// Functions in FROM that make rows of their arguments and read nothing else.
  package static let pureTableFunctions: Set<String> = [
    "unnest", "range", "generate_series", "json_each", "json_tree", "regexp_split_to_table",
  ]

  /// The one table of `streams` that the statement reads row by row, where each result row comes from one of its rows:
  /// no grouping, no DISTINCT, no set operation; joined, if at all, with others than `streams`. nil where it is not so.
  package func rowByRowSource(among streams: Set<SQLName>) -> TableName? {
    guard node["type"]?.text == "SELECT_NODE", node["aggregate_handling"]?.text == "STANDARD_HANDLING",
      (node["group_expressions"]?.list ?? []).isEmpty, (node["group_sets"]?.list ?? []).isEmpty,
      node["having"] ?? .null == .null, node["sample"] ?? .null == .null,
      !(node["modifiers"]?.list ?? []).contains(where: { $0.object?["type"]?.text == "DISTINCT_MODIFIER" })
    else { return nil }
    func isStream(_ table: TableName) -> Bool {
      table.catalog.isEmpty && table.schema.isEmpty && streams.contains(SQLName(table.table))
    }
    let everywhere = tables.filter(isStream)
    let leaves = Self.leaves(node["from_table"] ?? .null).filter(isStream)
    // A leaf that is a common table expression is at another place.
    guard everywhere.count == 1, leaves.count == 1, leaves[0].location == everywhere[0].location else { return nil }
    return leaves[0]
  }

  private static func leaves(_ from: DuckDBValue) -> [TableName] {
    guard let object = from.object else { return [] }
    switch object["type"]?.text {
    case "BASE_TABLE":
      return [
        TableName(
          schema: object["schema_name"]?.text ?? "", catalog: object["catalog_name"]?.text ?? "",
          table: object["table_name"]?.text ?? "", alias: object["alias"]?.text ?? "",
          location: object["query_location"]?.int ?? 0)
      ]
    case "JOIN": return leaves(object["left"] ?? .null) + leaves(object["right"] ?? .null)
    default: return []
    }
  }

  /// This statement with more columns of one of its tables at the end of its list.
  package func adding(
    columns: [String], of table: TableName, _ session: DuckDBSession, check: Check
  ) async throws -> String {
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
    return try await Self.text(of: .object(root), session, check: check)
  }
}

/// A table as a statement names it.
package struct TableName: Sendable, Equatable {
  package var schema: String
  package var catalog: String
  package var table: String
  package var alias: String
  /// Byte offset in the text.
  package var location: Int
}

/// What is wrong with a SELECT, and where in its text; lines and columns count from 1.
package struct SelectProblem: Error, Equatable, Sendable, CustomStringConvertible {
  package var message: String
  package var line: Int
  package var column: Int

  package init(_ message: String, at offset: Int, in source: String) {
    let before = Array(source.utf8.prefix(max(0, offset)))
    self.message = message
    line = before.count { $0 == UInt8(ascii: "\n") } + 1
    let start = before.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
    column = String(decoding: before[start...], as: UTF8.self).count + 1
  }

  package var description: String { "\(line):\(column): \(message)" }
}
