/// What a SELECT says of its result's columns, without binding it.
extension SelectStatement {
  package struct ResultColumn: Sendable, Equatable {
    package var name: String
    /// Byte offset in the text.
    package var location: Int
  }

  /// The columns of the result, by name; nil where the text alone does not tell them: stars, expressions without a name.
  package var resultColumns: [ResultColumn]? {
    var select = node
    // The first SELECT of a set operation names the columns.
    while select["type"]?.text == "SET_OPERATION_NODE" {
      guard select["setop_type"]?.text != "UNION_BY_NAME", let left = select["left"]?.object else { return nil }
      select = left
    }
    guard select["type"]?.text == "SELECT_NODE", let list = select["select_list"]?.list else { return nil }
    var columns: [ResultColumn] = []
    for expression in list {
      guard let object = expression.object, let name = Self.name(of: object) else { return nil }
      columns.append(ResultColumn(name: name, location: object["query_location"]?.int ?? 0))
    }
    // A name that comes twice is changed by DuckDB.
    guard Set(columns.map { SQLName($0.name) }).count == columns.count else { return nil }
    return columns
  }

  /// The columns that the statement reads of a table: those with its name before them, and all others where it reads no other table.
  package func fieldsRead(from names: Set<SQLName>) -> [String] {
    let own = tables.filter { names.contains(SQLName($0.table)) }
    let owners = Set(own.map { SQLName($0.alias.isEmpty ? $0.table : $0.alias) })
    let isOnly = own.count == tables.count
    var found: [String] = []
    visit { node in
      guard node["class"]?.text == "COLUMN_REF", let parts = node["column_names"]?.list?.compactMap(\.text) else {
        return
      }
      if parts.count == 1, isOnly { found.append(parts[0]) }
      if parts.count > 1, owners.contains(SQLName(parts[0])) { found.append(parts[1]) }
    }
    return found
  }

  /// Whether the statement may read a column: by its name, with a star, or in a row as a whole. False only where it certainly does
  /// not.
  package func mayRead(_ column: String) -> Bool {
    let owners = Set(tables.flatMap { [SQLName($0.table), SQLName($0.alias)] })
    var may = false
    visit { node in
      if node["class"]?.text == "STAR" || node["class"]?.text == "POSITIONAL_REFERENCE" { may = true }
      // A pivot groups by all columns that it does not name.
      if node["type"]?.text == "PIVOT" || node["type"]?.text == "SHOW_REF" { may = true }
      // New names for a table's columns, and joins by columns that are not written.
      if node["column_name_alias"]?.list?.isEmpty == false || node["ref_type"]?.text == "NATURAL" { may = true }
      if node["using_columns"]?.list?.contains(where: { SQLName($0.text ?? "") == SQLName(column) }) == true {
        may = true
      }
      guard node["class"]?.text == "COLUMN_REF" else { return }
      let parts = node["column_names"]?.list?.compactMap(\.text) ?? []
      if parts.contains(where: { SQLName($0) == SQLName(column) }) { may = true }
      if let last = parts.last, owners.contains(SQLName(last)) { may = true }
    }
    return may
  }

  /// Whether the statement may use all fields of a table's row without naming them, apart from handing them on as columns. False only
  /// where it certainly does not.
  package func mayReadWholeRows(of names: Set<SQLName>) -> Bool {
    var owners = names
    var (stars, plainStars, may, compares) = (0, 0, false, false)
    visit { node in
      // Whatever can stand in FROM: a nested SELECT hands on a row of a table under its own name.
      if node["sample"] != nil, let alias = node["alias"]?.text, !alias.isEmpty { owners.insert(SQLName(alias)) }
      for entry in node["cte_map"]?.object?["map"]?.list ?? [] {
        if let name = entry.object?["key"]?.text { owners.insert(SQLName(name)) }
      }
      if node["class"]?.text == "STAR" { stars += 1 }
      for expression in node["select_list"]?.list ?? [] where expression.object?["class"]?.text == "STAR" {
        if expression.object?["columns"]?.bool == true { may = true }
        plainStars += 1
      }
      if node["class"]?.text == "POSITIONAL_REFERENCE" || node["ref_type"]?.text == "NATURAL" { may = true }
      if let type = node["type"]?.text, ["PIVOT", "SHOW_REF"].contains(type) { may = true }
      if node["column_name_alias"]?.list?.isEmpty == false { may = true }
      // These look at every column.
      if node["type"]?.text == "SET_OPERATION_NODE" || node["type"]?.text == "DISTINCT_MODIFIER" { compares = true }
      if let handling = node["aggregate_handling"]?.text, handling != "STANDARD_HANDLING" { compares = true }
    }
    if stars > plainStars || (compares && stars > 0) { may = true }
    visit { node in
      guard node["class"]?.text == "COLUMN_REF", let last = node["column_names"]?.list?.last?.text else { return }
      if owners.contains(SQLName(last)) { may = true }
    }
    return may
  }

  /// The field that a column of the result is, as it is or cast; nil where it is computed. A star gives fields by their own names.
  package func field(behind column: String) -> String? {
    var hasStar = false
    for expression in node["select_list"]?.list ?? [] {
      guard var object = expression.object else { continue }
      if object["class"]?.text == "STAR" { hasStar = true }
      guard let name = Self.name(of: object), SQLName(name) == SQLName(column) else { continue }
      while object["class"]?.text == "CAST", let child = object["child"]?.object { object = child }
      return object["class"]?.text == "COLUMN_REF" ? object["column_names"]?.list?.last?.text : nil
    }
    return hasStar ? column : nil
  }

  private static func name(of expression: [String: DuckDBValue]) -> String? {
    // A star, and `unnest` of a struct, are several columns.
    guard !mentionsStar(.object(expression)), expression["function_name"]?.text?.lowercased() != "unnest" else {
      return nil
    }
    if let alias = expression["alias"]?.text, !alias.isEmpty { return alias }
    guard expression["class"]?.text == "COLUMN_REF" else { return nil }
    return expression["column_names"]?.list?.last?.text
  }

  /// `COLUMNS(*)` inside of an expression makes it several.
  private static func mentionsStar(_ value: DuckDBValue) -> Bool {
    switch value {
    case .object(let object):
      object["class"]?.text == "STAR" || object.values.contains { mentionsStar($0) }
    case .list(let list): list.contains { mentionsStar($0) }
    default: false
    }
  }
}
