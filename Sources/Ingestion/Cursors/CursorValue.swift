import PipelineDefinition

/// A cursor's value in its type, so that `9` comes before `10` and an instant is the same in every notation.
package enum CursorValue: Sendable, Hashable {
  case integer(Int64)
  case decimal(DecimalText)
  /// Of a time without a zone too: it counts as UTC, as in every session.
  case instant(Instant)
  case text(String)

  /// Reads a value as the type says; nil where it is none of that type.
  package init?(_ text: String, type: ColumnType) {
    switch type.name {
    case "bigint", "integer", "smallint":
      guard let number = Int64(text) else { return nil }
      self = .integer(number)
    case let name where name == "double" || name == "real" || name.hasPrefix("decimal"):
      guard let number = DecimalText(text) else { return nil }
      self = .decimal(number)
    case "date", "timestamp", "timestamptz":
      guard let instant = Instant(text) else { return nil }
      self = .instant(instant)
    default:
      guard !text.isEmpty else { return nil }
      self = .text(text)
    }
  }
}

extension CursorValue: Comparable {
  package static func < (left: CursorValue, right: CursorValue) -> Bool {
    switch (left, right) {
    case (.integer(let left), .integer(let right)): left < right
    case (.decimal(let left), .decimal(let right)): left < right
    case (.instant(let left), .instant(let right)): left < right
    case (.text(let left), .text(let right)): left.utf8.lexicographicallyPrecedes(right.utf8)
    default: preconditionFailure("the values of one cursor are of one type")
    }
  }
}
