import JobModel

/// Why there is no definition to work with: the project or the bundle cannot be read, a pipeline is unknown or has
/// errors, a secret cannot be read.
///
/// Never transient: the same files give the same answer.
package struct DefinitionError: Failure, Equatable {
  package var code: String
  package var message: String
  package var hint: String?
  package var at: String?
  /// What is wrong with the definition, where that is the reason; the error itself tells the first of them.
  package var diagnostics: [Diagnostic]
  package var isTransient: Bool { false }

  package init(
    code: String, message: String, hint: String? = nil, at: String? = nil, diagnostics: [Diagnostic] = []
  ) {
    self.code = code
    self.message = message
    self.hint = hint
    self.at = at
    self.diagnostics = diagnostics
  }

  /// - Parameter diagnostics: Those of the definition; nil is returned where none of them refuses a run.
  package init?(refusing diagnostics: [Diagnostic]) {
    let refusing = diagnostics.filter(\.refusesRun)
    guard let first = refusing.first(where: { $0.severity == .error }) ?? refusing.first else { return nil }
    self.init(
      code: first.code, message: first.message, hint: first.suggestion, at: first.place.description,
      diagnostics: diagnostics)
  }
}
