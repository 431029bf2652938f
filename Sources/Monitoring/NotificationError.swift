import JobModel

/// A message that did not arrive.
package struct NotificationError: Failure, Equatable {
  package var code: String
  package var message: String
  package var hint: String?
  package var isTransient: Bool

  package init(code: String, message: String, hint: String? = nil, isTransient: Bool = true) {
    self.code = code
    self.message = message
    self.hint = hint
    self.isTransient = isTransient
  }
}
