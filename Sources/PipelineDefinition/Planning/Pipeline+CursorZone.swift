extension Pipeline {
  /// The zone of times without an offset in a stream's cursor, as the contracts of its datasets give it to the cursor's column
  /// (`source_timezone`): by it curation orders versions, and the cursor moves.
  ///
  /// nil, which is UTC, where none says it, or where two contracts differ.
  package func cursorZone(of reference: StreamReference) -> String? {
    guard let stream = stream(reference), let cursor = stream.cursor, cursor.type.isTemporal,
      // A field that the stream itself reads as an instant is one before any contract sees it.
      stream.columns.first(where: { $0.name.lowercased() == cursor.field.lowercased() })?.type?.name != "timestamptz"
    else { return nil }
    let zones = datasets(reading: [reference]).compactMap { zone(of: cursor, in: $0) }
    return Set(zones).count == 1 && zones[0] != "UTC" ? zones[0] : nil
  }

  /// What a dataset's contract says of a cursor; nil where it says nothing, also where two of its streams have this cursor.
  private func zone(of cursor: Cursor, in step: CurateStep) -> String? {
    func isCursor(_ name: String) -> Bool { name.lowercased() == cursor.field.lowercased() }
    guard step.from.compactMap({ stream($0)?.cursor?.field }).count(where: isCursor) == 1,
      let column = step.columns.first(where: { isCursor($0.name) }), column.type.name == "timestamptz",
      column.mask == nil
    else { return nil }
    return column.sourceTimezone ?? "UTC"
  }
}
