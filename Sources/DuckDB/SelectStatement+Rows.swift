/// Whether the rows of a result come one by one from the rows of one table.
extension SelectStatement {
  /// How the rows of a SELECT depend on those of the streams that bring only what is new.
  package enum Dependence: Sendable, Equatable {
    /// It reads none of them.
    case none
    /// Each row comes from one of their rows, whatever other rows there are.
    case rows
    /// Its rows depend on which rows are there together: a group, a window, a join of two of them. `what` names it.
    case together(_ what: String)
  }

  /// - Parameters:
  ///   - batches: The tables without a schema that hold what is new.
  ///   - aggregates: Names of aggregate functions, in lower case.
  package func dependence(on batches: Set<SQLName>, aggregates: Set<String>) -> Dependence {
    RowOrigin(batches: batches, aggregates: aggregates).of(.object(node), scope: [:])
  }

  /// Functions that make several rows of one: `unnest` by its two names, and the built-in macros of it.
  package static let multiplying: Set<String> = ["unnest", "unlist", "regexp_split_to_table", "generate_subscripts"]

  /// Whether it is columns of one table behind a filter and nothing more, so that a row of the table gives one row at most.
  ///
  /// An aggregate without GROUP BY looks the same here; only binding tells it from other functions.
  package var isProjection: Bool {
    let from = node["from_table"]?.object ?? [:]
    let absent = ["having", "qualify", "sample"].allSatisfy { node[$0] ?? .null == .null }
    guard node["type"]?.text == "SELECT_NODE", node["aggregate_handling"]?.text == "STANDARD_HANDLING", absent,
      (node["group_expressions"]?.list ?? []).isEmpty, (node["group_sets"]?.list ?? []).isEmpty,
      (node["modifiers"]?.list ?? []).isEmpty, (node["cte_map"]?.object?["map"]?.list ?? []).isEmpty,
      from["type"]?.text == "BASE_TABLE", from["sample"] ?? .null == .null, tables.count == 1,
      (from["column_name_alias"]?.list ?? []).isEmpty
    else { return false }
    var isPlain = true
    visit { object in
      if ["WINDOW", "SUBQUERY"].contains(object["class"]?.text) { isPlain = false }
      if let name = object["function_name"]?.text?.lowercased(), Self.multiplying.contains(name) { isPlain = false }
    }
    return isPlain
  }
}

/// Walks a statement's tree with the common table expressions in sight.
private struct RowOrigin {
  typealias Dependence = SelectStatement.Dependence
  typealias Scope = [SQLName: Dependence]

  let batches: Set<SQLName>
  let aggregates: Set<String>

  func of(_ query: DuckDBValue, scope: Scope) -> Dependence {
    guard let node = query.object else { return .none }
    var scope = scope
    for entry in node["cte_map"]?.object?["map"]?.list ?? [] {
      guard let name = entry.object?["key"]?.text else { continue }
      let body = entry.object?["value"]?.object?["query"]?.object?["node"] ?? .null
      scope[SQLName(name)] = of(body, scope: scope)
    }
    guard reads(.object(node), scope) else { return .none }
    switch node["type"]?.text {
    case "SELECT_NODE": return select(node, scope)
    case "SET_OPERATION_NODE":
      let sides = [node["left"], node["right"]].compactMap { $0 }.map { of($0, scope: scope) }
      if let problem = sides.first(where: { $0 != .rows && $0 != .none }) { return problem }
      let isUnion = node["setop_type"]?.text?.hasPrefix("UNION") == true && node["setop_all"]?.bool == true
      guard isUnion, modifier(node) == nil else { return .together(modifier(node) ?? "a set operation") }
      return sides.contains(.none) ? .together("a union with rows of another origin") : .rows
    default: return .together("a recursive expression")
    }
  }

  private func select(_ node: [String: DuckDBValue], _ scope: Scope) -> Dependence {
    let isGrouped =
      !(node["group_expressions"]?.list ?? []).isEmpty || !(node["group_sets"]?.list ?? []).isEmpty
      || node["aggregate_handling"]?.text != "STANDARD_HANDLING" || node["having"] ?? .null != .null
    if isGrouped { return .together("GROUP BY") }
    if let modifier = modifier(node) { return .together(modifier) }
    var expressions = node
    for key in ["cte_map", "from_table"] { expressions[key] = nil }
    if let problem = problem(in: .object(expressions), scope) { return .together(problem) }
    return from(node["from_table"] ?? .null, scope)
  }

  private func modifier(_ node: [String: DuckDBValue]) -> String? {
    for modifier in node["modifiers"]?.list ?? [] {
      switch modifier.object?["type"]?.text {
      case "DISTINCT_MODIFIER": return "DISTINCT"
      case "LIMIT_MODIFIER", "LIMIT_PERCENT_MODIFIER": return "LIMIT"
      default: continue
      }
    }
    return nil
  }

  /// What in an expression looks at more than its own row. A nested SELECT does where it reads what is new.
  private func problem(in value: DuckDBValue, _ scope: Scope) -> String? {
    switch value {
    case .list(let list): return list.lazy.compactMap { problem(in: $0, scope) }.first
    case .object(let object):
      if object["class"]?.text == "WINDOW" { return "a window" }
      if object["class"]?.text == "FUNCTION", let name = object["function_name"]?.text?.lowercased(),
        aggregates.contains(name)
      {
        return "the aggregate \(name == "count_star" ? "count" : name)()"
      }
      if object["class"]?.text == "SUBQUERY" {
        if let child = object["child"], let found = problem(in: child, scope) { return found }
        return reads(object["subquery"] ?? .null, scope) ? "a nested SELECT over an incremental stream" : nil
      }
      return object.keys.sorted().lazy.compactMap { problem(in: object[$0] ?? .null, scope) }.first
    default: return nil
    }
  }

  private func from(_ value: DuckDBValue, _ scope: Scope) -> Dependence {
    guard let object = value.object, reads(value, scope) else { return .none }
    switch object["type"]?.text {
    case "BASE_TABLE":
      let name = SQLName(object["table_name"]?.text ?? "")
      return scope[name] ?? .rows
    case "SUBQUERY": return of(object["subquery"]?.object?["node"] ?? .null, scope: scope)
    case "JOIN":
      let (left, right) = (from(object["left"] ?? .null, scope), from(object["right"] ?? .null, scope))
      if let problem = [left, right].first(where: { $0 != .rows && $0 != .none }) { return problem }
      guard object["ref_type"]?.text != "POSITIONAL" else { return .together("a positional join") }
      guard left == .none || right == .none else { return .together("a join of incremental streams") }
      let condition = (object["condition"] ?? .null)
      if let problem = problem(in: condition, scope) { return .together(problem) }
      // The side that an outer, semi or anti join keeps must be the one whose rows are new.
      let kept = [
        "INNER": true, "LEFT": left == .rows, "SEMI": left == .rows, "ANTI": left == .rows, "RIGHT": right == .rows,
      ]
      return kept[object["join_type"]?.text ?? ""] == true ? .rows : .together("an outer join")
    case "TABLE_FUNCTION": return .together("a table function over a nested SELECT")
    case "PIVOT": return .together("a pivot")
    default: return .together("a list of values from a nested SELECT")
    }
  }

  /// Whether a part reads what is new, itself or through a common table expression.
  private func reads(_ value: DuckDBValue, _ scope: Scope) -> Bool {
    switch value {
    case .list(let list): return list.contains { reads($0, scope) }
    case .object(let object):
      if object["type"]?.text == "BASE_TABLE", let table = object["table_name"]?.text,
        (object["schema_name"]?.text ?? "").isEmpty, (object["catalog_name"]?.text ?? "").isEmpty
      {
        if let known = scope[SQLName(table)] { return known != .none }
        return batches.contains(SQLName(table))
      }
      return object.values.contains { reads($0, scope) }
    default: return false
    }
  }
}
