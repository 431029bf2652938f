/// What may stand before a cursor's first run.
enum CursorStart {
  /// - Returns: Why the text is not a value of the type; nil where it is.
  static func problem(_ text: String, type: ColumnType) -> ValueProblem? {
    if type.isInteger {
      return Int(text) != nil ? nil : ValueProblem("the cursor's start is not a whole number", write: "such as 0")
    }
    switch type.name {
    case "date":
      return ClockText.isDate(text)
        ? nil : ValueProblem("the cursor's start is not a date", write: "such as \"2024-01-01\"")
    case "timestamp":
      let instant = ClockText.instant(text)
      if ClockText.isDate(text) || (instant.isValid && !instant.hasOffset) { return nil }
      return ValueProblem(
        "the cursor's start is not a time without an offset", write: "such as \"2024-01-01T00:00:00\"")
    case "timestamptz":
      let instant = ClockText.instant(text)
      if instant.isValid && instant.hasOffset { return nil }
      if ClockText.isDate(text) {
        return ValueProblem("the cursor's start has no time zone", write: "\"\(text)T00:00:00Z\"")
      }
      let form = instant.isValid ? "\"\(text)Z\" for UTC" : "such as \"2024-01-01T00:00:00Z\""
      return ValueProblem("the cursor's start is not an instant with its offset", write: form)
    default:
      return nil
    }
  }
}
