import JobModel

/// What was asked of a release must not be done now; nothing was changed.
package struct ReleaseRefusal: Failure, Equatable {
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
