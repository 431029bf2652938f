import DuckDB
import PipelineDefinition

extension CurateStep {
  /// The streams with their cursors as they order the versions of this dataset's rows.
  ///
  /// Where the contract has the cursor's column, a record's text and the dataset's value are ordered alike: a time without an
  /// offset is in the column's `source_timezone`, and a cursor that is text is ordered as the column's type. A name that is the
  /// cursor of two streams tells nothing about either. A SELECT may make a number or a time of a text that is none: what such a
  /// cursor's text means is not known, so it is ordered as text.
  func withOrderingCursors(_ streams: [CurationStream], hasSQL: Bool) -> [CurationStream] {
    let names = streams.compactMap { $0.definition.cursor.map { SQLName($0.field) } }
    return streams.map { stream in
      guard let cursor = stream.definition.cursor, names.count(where: { $0 == SQLName(cursor.field) }) == 1,
        let column = columns.first(where: { SQLName($0.name) == SQLName(cursor.field) }), column.mask == nil
      else { return stream }
      var stream = stream
      stream.definition.cursor = Self.cursor(cursor, in: column, of: stream.definition, hasSQL: hasSQL)
      return stream
    }
  }

  private static func cursor(
    _ cursor: Cursor, in column: ContractColumn, of stream: Stream, hasSQL: Bool
  ) -> Cursor {
    var cursor = cursor
    let isOrdered =
      switch CursorKind(column.type) {
      case .text: false
      case .decimal: column.type.scale != nil
      case .integer, .instant, .uuid: true
      }
    if cursor.type == .text, isOrdered, !hasSQL { cursor.type = column.type }
    // A field that the stream itself reads as an instant is one before the contract sees it.
    let given = stream.columns.first { SQLName($0.name) == SQLName(cursor.field) }?.type
    if cursor.type.isTemporal, column.type.name == "timestamptz", given?.name != "timestamptz" {
      cursor.sourceTimezone = column.sourceTimezone
    }
    return cursor
  }
}
