import DuckDB
import JobModel
import PipelineDefinition

/// The contract held against the SELECT's result: one table with typed columns, and the reasons of each bad row.
struct ContractPlan: Sendable {
  let columns: [ContractColumn]
  /// What the SELECT gives, without Sluice's own columns.
  let selected: [DuckDBTable.Column]
  let salts: [String: String]
  /// Whether each row says where it stands in raw.
  let carriesPositions: Bool
  let cursorIsCarried: Bool
  /// Columns without which a row is bad: parts of a key.
  var notNull: [String] = []
  /// Whether a target stores the rows, so that what it cannot hold is bad.
  var isLoaded = false
  /// Whether the contract's own values are read as the data is.
  var hasExactLimits = true

  static let table = "work.checked"
  /// Its bad rows.
  static let bad = "work.bad"

  /// The dataset's columns: the contract's, or the SELECT's where there is no contract.
  var outputNames: [String] { columns.isEmpty ? selected.map(\.name) : columns.map(\.name) }

  /// Columns of the SELECT that the contract does not know, and so the dataset does not keep.
  var droppedNames: [String] {
    guard !columns.isEmpty else { return [] }
    let known = Set(columns.map { SQLName($0.name) })
    return selected.map(\.name).filter { !known.contains(SQLName($0)) }
  }

  private var rules: [ContractRule] {
    columns.map { column in
      let type = selected.first { SQLName($0.name) == SQLName(column.name) }?.type
      return ContractRule(
        column: column, sourceType: type, salt: salts[column.name], hasExactLimits: hasExactLimits)
    }
  }

  /// Every row of the SELECT with its verdict: kept as a table, or calculated by those who read the view.
  ///
  /// The bad rows' own values are kept as JSON, masked where the column is; good rows are typed and masked.
  ///
  /// `_row` tells rows apart, later ones by larger numbers. Counting them would take one thread, so a row that is all that its
  /// record gives is numbered by its place; an object has less than 2^40 records.
  ///
  /// - Parameter isProjection: Whether each record gives one row at most.
  func statement(select: String, isProjection: Bool, asView: Bool) -> String {
    let rules = rules
    let typed = rules.enumerated().map { "\($0.element.typedValue) as _sluice_\($0.offset)" }
    let reasons =
      rules.enumerated().flatMap { $0.element.reasons(typed: "_sluice_\($0.offset)") } + keyReasons + storageReasons
    let values =
      rules.isEmpty
      ? selected.map { quoteIdentifier($0.name) }
      : rules.enumerated().map {
        "\($0.element.masked("_sluice_\($0.offset)")) as \(quoteIdentifier($0.element.column.name))"
      }
    let system =
      (carriesPositions ? [SystemColumn.object, SystemColumn.position] : [])
      + (cursorIsCarried ? [SystemColumn.cursor] : [])
    let number = isProjection ? "_object::HUGEINT * 1099511627776 + _position" : "row_number() over ()"
    let reasonColumns = reasons.enumerated().map { ", \($0.element) as _sluice_r\($0.offset)" }.joined()
    return """
      create \(asView ? "view" : "table") \(Self.table) as
      select \((values + system).joined(separator: ", ")), \(number) as _row, _reasons,
        \(reasons.isEmpty ? "null::VARCHAR" : "case when _reasons is not null then \(original) end") as _original
      from (
        select *, \(Self.verdict(reasons.count, staysAbove: asView)) as _reasons
        from (select *\(reasonColumns) from (select *\(typed.map { ", " + $0 }.joined()) from (\(select))))
      )
      """
  }

  /// The bad rows of a table of all rows.
  static let findBad = "create view \(bad) as from \(table) where _reasons is not null"

  /// The bad rows of a view of all rows, which is read once more where there are any.
  static func takeBad(any: Bool) -> String {
    "create table \(bad) as from \(table) where \(any ? "_reasons is not null" : "false")"
  }

  /// Values that a target cannot store; a masked one is a hash.
  private var storageReasons: [String] {
    guard isLoaded else { return [] }
    let values =
      columns.isEmpty
      ? selected.map { (name: $0.name, rule: StorageRule(value: quoteIdentifier($0.name), type: $0.type)) }
      : rules.enumerated().filter { $0.element.sourceType != nil && $0.element.column.mask == nil }.map {
        (
          name: $0.element.column.name,
          rule: StorageRule(value: "_sluice_\($0.offset)", type: $0.element.column.type.duckDBName)
        )
      }
    return values.flatMap { name, rule in
      rule.breaches.map { "case when \($0.condition) then \(quoteLiteral("\(name):\($0.reason)")) end" }
    }
  }

  /// A part of a key that is null, of columns that are not required anyway. A value that breaks its type has that reason.
  private var keyReasons: [String] {
    var taken: Set<SQLName> = []
    return notNull.compactMap { name in
      guard taken.insert(SQLName(name)).inserted,
        let given = selected.first(where: { SQLName($0.name) == SQLName(name) }),
        columns.first(where: { SQLName($0.name) == SQLName(name) })?.required != true
      else { return nil }
      return "case when \(quoteIdentifier(given.name)) is null then \(quoteLiteral("\(name):key")) end"
    }
  }

  /// All reasons of a row as a list, which is only made for a bad one; null for a good one.
  ///
  /// - Parameter staysAbove: A view's filter by the verdict would be moved below the contract by the engine, and all of the contract's
  ///   expressions evaluated for it and once more for the values. It moves none that depends on a random number, which is never
  ///   null and so changes nothing.
  private static func verdict(_ reasons: Int, staysAbove: Bool) -> String {
    guard reasons > 0 else { return "null::VARCHAR[]" }
    let names = (0..<reasons).map { "_sluice_r\($0)" }.joined(separator: ", ")
    let barrier = staysAbove ? "random() is null or " : ""
    return "case when \(barrier)coalesce(\(names)) is not null "
      + "then list_filter([\(names)], lambda r: r is not null) end"
  }

  /// The row as the SELECT gave it, every value as text so that JSON rounds none.
  private var original: String {
    let pairs = selected.map { column in
      let contract = columns.first { SQLName($0.name) == SQLName(column.name) }
      let text = "\(quoteIdentifier(column.name))::VARCHAR"
      let rule = contract.map { ContractRule(column: $0, sourceType: column.type, salt: salts[$0.name]) }
      return "\(quoteLiteral(column.name)), \(rule?.masked(text) ?? text)"
    }
    return "json_object(\(pairs.joined(separator: ", ")))::VARCHAR"
  }
}
