import JobModel

/// A measurement that cannot be believed, or could not be taken.
package struct BenchError: Failure {
  package var code: String
  package var message: String
  package var hint: String?
  package var isTransient: Bool { false }

  package init(_ code: String, _ message: String, hint: String? = nil) {
    self.code = code
    self.message = message
    self.hint = hint
  }
}
