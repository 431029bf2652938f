/// One thing to say about a definition, at its place: an error, a feature that comes later, or a warning.
///
/// Prints as `pipelines/orders.yaml:14:5: unknown key "shedule"; did you mean "schedule"?`. Never quotes a value
/// that may be a secret.
package struct Diagnostic: Sendable, Hashable, CustomStringConvertible {
  package enum Severity: String, Sendable {
    /// The definition is wrong; nothing can be made of it.
    case error
    /// The definition is right, this version cannot do it: `check` exits 2 and `run` refuses.
    case notSupportedYet = "not_supported_yet"
    /// The definition works, and probably not as meant.
    case warning
  }

  package var severity: Severity
  /// Stable, in snake_case, such as `unknown_key`.
  package var code: String
  package var place: Place
  package var message: String
  /// The way out, such as `did you mean "schedule"?`.
  package var suggestion: String?

  package init(
    _ severity: Severity = .error, code: String, place: Place, message: String, suggestion: String? = nil
  ) {
    self.severity = severity
    self.code = code
    self.place = place
    self.message = message
    self.suggestion = suggestion
  }

  package var description: String {
    "\(place): \(message)" + (suggestion.map { "; \($0)" } ?? "")
  }

  /// Whether a run of this definition is refused.
  package var refusesRun: Bool { severity != .warning }
}

extension Sequence<Diagnostic> {
  /// In the order of the files and of the lines in them, each only once.
  package func sortedByPlace() -> [Diagnostic] {
    var seen: Set<Diagnostic> = []
    return filter { seen.insert($0).inserted }.sorted { left, right in
      (left.place.file, left.place.line, left.place.column, left.message)
        < (right.place.file, right.place.line, right.place.column, right.message)
    }
  }
}
