import JobModel

/// A worker could not be started or stopped.
package struct LauncherError: Failure, Equatable {
  package var code: String
  package var message: String
  package var hint: String?
  package var isTransient: Bool { true }

  package init(code: String, message: String, hint: String? = nil) {
    self.code = code
    self.message = message
    self.hint = hint
  }
}
