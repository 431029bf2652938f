import JobModel

/// A worker could not be started, stopped or listed.
package struct LauncherError: Failure, Equatable {
  /// What is known of a start that failed.
  package enum Doubt: Sendable, Equatable {
    /// No worker was started. It may be the release's fault.
    case none
    /// No worker was started, because of the launcher or of what it asks.
    case refused
    /// A worker may have been started: the next list says it.
    case unknown
  }

  package var code: String
  package var message: String
  package var hint: String?
  package var doubt: Doubt
  package var isTransient: Bool { true }

  package init(code: String, message: String, hint: String? = nil, doubt: Doubt = .none) {
    self.code = code
    self.message = message
    self.hint = hint
    self.doubt = doubt
  }
}
