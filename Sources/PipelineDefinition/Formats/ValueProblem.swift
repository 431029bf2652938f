/// Why a value is not what its key takes, and what to write instead.
struct ValueProblem: Error, Equatable {
  /// A sentence that quotes the value where it cannot be a secret.
  var message: String
  var suggestion: String?
  var code: String

  init(_ message: String, suggestion: String? = nil, code: String = "wrong_value") {
    self.message = message
    self.suggestion = suggestion
    self.code = code
  }

  init(_ message: String, write form: String) {
    self.init(message, suggestion: "write \(form)")
  }
}
