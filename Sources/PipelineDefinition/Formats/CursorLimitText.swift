/// How far a cursor may move: `now`, or `now+1d`.
enum CursorLimitText {
  /// The time after now.
  static func ahead(_ text: String) throws(ValueProblem) -> Duration {
    guard text.hasPrefix("now") else { throw problem(text) }
    let rest = text.dropFirst(3)
    guard !rest.isEmpty else { return .zero }
    guard rest.first == "+" else { throw problem(text) }
    return try MeasureText.duration(String(rest.dropFirst()))
  }

  private static func problem(_ text: String) -> ValueProblem {
    ValueProblem("\"\(text)\" is not a time from now on", write: "now, or now and a duration such as now+1d")
  }
}
