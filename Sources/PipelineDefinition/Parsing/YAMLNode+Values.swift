/// Readings of values that ``ShapeValidator`` has already held against their shape: what it has refused reads as nil
/// here, without a second diagnostic.
extension YAMLNode {
  func text(_ key: String) -> String? {
    guard let scalar = self[key]?.scalar, !scalar.text.isEmpty else { return nil }
    return scalar.text
  }

  /// Like ``text(_:)``, with the empty text too.
  func anyText(_ key: String) -> String? { self[key]?.text }

  func boolean(_ key: String) -> Bool? { self[key]?.scalar?.boolean }
  func integer(_ key: String) -> Int? { self[key]?.scalar?.integer }
  func duration(_ key: String) -> Duration? { text(key).flatMap { try? MeasureText.duration($0) } }
  func byteCount(_ key: String) -> Int? { text(key).flatMap { try? MeasureText.byteCount($0) } }
  func workerBudget(_ key: String) -> Double? { text(key).flatMap { try? MeasureText.workerBudget($0) } }
  func share(_ key: String) -> Double? { text(key).flatMap { try? MeasureText.share($0) } }

  func choice<Value: RawRepresentable<String>>(_ key: String, as type: Value.Type = Value.self) -> Value? {
    text(key).flatMap { Value(rawValue: $0) }
  }

  func columnType(_ key: String) -> ColumnType? { text(key).flatMap { try? ColumnTypeText.columnType($0) } }

  func template(_ key: String, in scope: TemplateText.Scope) -> ValueTemplate? { self[key]?.template(in: scope) }

  func template(in scope: TemplateText.Scope) -> ValueTemplate? {
    text.flatMap { try? TemplateText.template($0, in: scope, at: place) }
  }

  func location(_ key: String) -> ValueTemplate? {
    self[key].flatMap { node in node.text.flatMap { try? LocationText.template($0, at: node.place) } }
  }

  /// The texts of a list, or of a single value in place of a list of one.
  func texts(_ key: String) -> [String] {
    guard let node = self[key] else { return [] }
    return node.text.map { [$0] } ?? node.elements.compactMap(\.text)
  }

  /// The nodes of a list, or the single value in place of a list of one.
  func oneOrMore(_ key: String) -> [YAMLNode] {
    guard let node = self[key] else { return [] }
    return node.scalar == nil ? node.elements : [node]
  }
}
