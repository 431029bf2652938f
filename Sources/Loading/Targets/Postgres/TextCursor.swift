import PipelineDefinition

/// What orders the versions of a row in PostgreSQL where the cursor's column is text: the values are compared as the stream's
/// cursor type says, as ingestion does when it moves the cursor.
///
/// The value is null where the text is none of the type, so that no text of a table makes a load fail.
struct TextCursor: Sendable, Equatable {
  /// A type of the contract.
  let type: ColumnType

  /// - Parameter text: An expression.
  /// - Returns: A `numeric` for numbers and times, else a text that is compared byte by byte.
  func value(_ text: String) -> String {
    let text = "(\(text))::text"
    if type.isInteger { return Self.integer(text) }
    if type.isTemporal { return Self.seconds(text) }
    return type.isNumber ? Self.number(text) : Self.short(text)
  }

  /// A cursor has at most 1 KiB, here as where ingestion moves it.
  private static func short(_ text: String) -> String {
    "(case when octet_length(\(text)) between 1 and 1024 then \(text) end) collate \"C\""
  }

  /// The digits are counted before the cast: a cursor is an integer of 8 bytes.
  private static func integer(_ text: String) -> String {
    """
    (case when \(text) ~ '^[-+]?0*[0-9]{1,19}$' then
      case when \(text)::numeric between -9223372036854775808 and 9223372036854775807 then \(text)::numeric end end)
    """
  }

  /// An exponent of five digits would be out of the range of `numeric`.
  private static func number(_ text: String) -> String {
    "(case when \(text) ~ '^[-+]?([0-9]+\\.?[0-9]*|\\.[0-9]+)([eE][-+]?0*[0-9]{1,4})?$' then \(text)::numeric end)"
  }

  /// Seconds since 1970, to the nanosecond. Without an offset it is UTC, whatever the session's zone.
  private static func seconds(_ text: String) -> String {
    let clock = "([01][0-9]|2[0-3]):[0-5][0-9](:([0-5][0-9]|60)([.,][0-9]+)?)?"
    let offset = "([Zz]|[-+]([01][0-9]|2[0-3])(:?[0-5][0-9])?)?"
    let year = "([1-9][0-9]{3}|0[1-9][0-9]{2}|00[1-9][0-9]|000[1-9])"
    let form = "^\(year)-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])([Tt ]\(clock)\(offset))?$"
    let month = "(left(\(text), 7) || '-01')::date"
    let day = "substr(\(text), 9, 2)::int"
    func number(_ pattern: String) -> String { "coalesce(substring(\(text) from '\(pattern)')::numeric, 0)" }
    let fraction = "coalesce(trunc(('0.' || substring(\(text) from '[.,]([0-9]+)'))::numeric, 9), 0)"
    let east = "(\(number(":.*[-+]([0-9]{2})")) * 3600 + \(number(":.*[-+][0-9]{2}:?([0-9]{2})$")) * 60)"
    return """
      (case when \(text) ~ '\(form)' then
        case when \(day) <= extract(day from \(month) + interval '1 month' - interval '1 day') then
          (\(month) - date '1970-01-01' + \(day) - 1)::numeric * 86400
          + \(number("^.{10}.([0-9]{2})")) * 3600 + \(number("^.{13}:([0-9]{2})")) * 60
          + \(number("^.{16}:([0-9]{2})")) + \(fraction)
          - (case when \(text) ~ ':.*-' then -1 else 1 end) * \(east) end end)
      """
  }
}

extension SnapshotToLoad {
  /// nil also for snapshots of earlier engines, whose cursor's type is unknown.
  var textCursor: TextCursor? {
    guard let column = columns.first(where: { $0.name == cursorField }), let cursor = column.cursor,
      ["text", "VARCHAR"].contains(column.type)
    else { return nil }
    return TextCursor(type: ColumnType(cursor))
  }
}
