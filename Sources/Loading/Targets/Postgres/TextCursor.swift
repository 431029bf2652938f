import PipelineDefinition

/// What orders the versions of a row in PostgreSQL where the cursor's column is text: the rule of `CursorKind`, by which
/// ingestion moves the cursor.
///
/// The value is null where the text is none of the type, so that no text of a table makes a load fail.
struct TextCursor: Sendable, Equatable {
  /// A type of the contract.
  let type: ColumnType

  /// - Parameter text: An expression.
  /// - Returns: A `numeric` for integers and times, else a text that is compared byte by byte.
  func value(_ text: String) -> String {
    let text = "(\(text))::text"
    let significant = "btrim(\(text), ' ')"
    let value =
      switch CursorKind(type) {
      case .integer: Self.integer(significant)
      case .decimal: Self.decimal(significant)
      case .instant: Self.seconds(significant)
      case .uuid: Self.uuid(significant)
      case .text: "\(text) collate \"C\""
      }
    return "(case when octet_length(\(text)) between 1 and \(CursorKind.maximumBytes) then \(value) end)"
  }

  /// The digits are counted before the cast: a cursor is an integer of 8 bytes.
  private static func integer(_ text: String) -> String {
    """
    (case when \(text) ~ '^[-+]?0*[0-9]{1,19}$' then
      case when \(text)::numeric between -9223372036854775808 and 9223372036854775807 then \(text)::numeric end end)
    """
  }

  /// A text that sorts as the number does, because exponents are larger than those of `numeric`: sign, exponent, digits; of a negative
  /// number each of them the other way.
  private static func decimal(_ text: String) -> String {
    let mantissa = "substring(\(text) from '[0-9.]+')"
    let all = "replace(\(mantissa), '.', '')"
    let withoutLeadingZeros = "ltrim(\(all), '0')"
    let digits = "rtrim(\(withoutLeadingZeros), '0')"
    let exponent = "coalesce(substring(\(text) from '[eE](.*)$')::numeric, 0)"
    let point = """
      (strpos(\(mantissa) || '.', '.') - 1 - length(\(all)) + length(\(withoutLeadingZeros)) + \(exponent))
      """
    let middle = 5_000_000
    return """
      (case when \(text) ~ '^[-+]?([0-9]+\\.?[0-9]*|\\.[0-9]+)([eE][-+]?[0-9]+)?$' then
        case when \(digits) = '' then '1'
          when \(exponent) not between -999999 and 999999 then null
          when left(\(text), 1) = '-' then '0' || lpad((\(middle) - \(point))::text, 8, '0')
            || translate(\(digits), '0123456789', '9876543210') || '~'
          else '2' || lpad((\(middle) + \(point))::text, 8, '0') || \(digits) end end) collate "C"
      """
  }

  private static func uuid(_ text: String) -> String {
    let grouped = "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
    return """
      (case when \(text) ~ '^(\(grouped)|[0-9a-fA-F]{32}|[{]\(grouped)[}])$'
        then translate(\(text), 'ABCDEF{}-', 'abcdef') end) collate "C"
      """
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
