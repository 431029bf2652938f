import JobModel

/// Why the embedded server cannot be had.
package struct EmbeddedPostgresError: Failure, Equatable {
  package enum Kind: String, Sendable {
    case noBinaries = "postgres_missing"
    case wrongVersion = "postgres_version"
    case initFailed = "postgres_init_failed"
    case startFailed = "postgres_start_failed"
    case stopFailed = "postgres_stop_failed"
    /// Out of reach: it can neither be used nor stopped from here.
    case elsewhere = "postgres_elsewhere"
    /// PostgreSQL refuses root, and no way was found to be someone else.
    case privileges = "postgres_privileges"
    /// A folder or file that is not ours, or not as we need it.
    case folder = "postgres_folder"
  }

  package let kind: Kind
  package let message: String
  package let hint: String?

  init(_ kind: Kind, _ message: String, hint: String? = nil) {
    self.kind = kind
    self.message = message
    self.hint = hint
  }

  /// A call of the system that failed just now; reads `errno`.
  static func system(_ operation: String, _ path: String, hint: String? = nil) -> EmbeddedPostgresError {
    EmbeddedPostgresError(.folder, "\(operation) \(path): \(lastSystemError())", hint: hint)
  }

  package var code: String { kind.rawValue }
  package var isTransient: Bool { kind == .startFailed }
}
