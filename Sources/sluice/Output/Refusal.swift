import JobModel

/// What was asked for is possible and must not be done now: exit code 3.
struct Refusal: Failure, Equatable {
  var code: String
  var message: String
  var hint: String?
  var isTransient: Bool { false }
}
