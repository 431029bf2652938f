import JobModel

/// A trace that is not in the format, told by its file and line.
package struct ScalingTraceError: Failure, Equatable {
  package var message: String
  package var hint: String?
  /// `file:line`.
  package var at: String?

  /// The usage is wrong: exit code 2.
  package var code: String { "usage" }
  package var isTransient: Bool { false }
}
