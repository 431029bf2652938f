extension HTTPRetry.Status {
  /// Reads `429`, `5xx` or `timeout`.
  init(definition text: String) throws(ValueProblem) {
    switch text {
    case "5xx": self = .serverError
    case "timeout": self = .timeout
    default:
      guard let code = Int(text), (400...599).contains(code) else {
        throw ValueProblem(
          "\"\(text)\" is not a status to try again after", write: "a status of 400 to 599, 5xx or timeout")
      }
      self = .code(code)
    }
  }
}
