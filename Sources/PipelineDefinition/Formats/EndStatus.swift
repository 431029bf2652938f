/// A status that a stream may take for the end of its pages.
enum EndStatus {
  /// - Returns: Why it may not; nil where it may.
  static func problem(_ status: Int) -> ValueProblem? {
    switch status {
    case 401, 403, 407:
      ValueProblem("\(status) says that the source refuses access", suggestion: "remove it from end")
    case 408, 425, 429:
      ValueProblem("\(status) says that the source answers later", suggestion: "write it in `retry: {statuses: …}`")
    case 204, 400...499: nil
    default:
      ValueProblem("\(status) cannot mean that there are no more pages", write: "204 or a status of 400 to 499")
    }
  }
}
