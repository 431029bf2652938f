import JobModel

/// A `--set` that the policy does not have.
package struct PolicySettingError: Failure, Equatable {
  package var message: String
  package var code: String { "usage" }
  package var hint: String? { nil }
  package var isTransient: Bool { false }
}
