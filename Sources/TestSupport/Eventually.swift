/// Waits until a condition holds: for real processes, which signal nothing.
///
/// - Parameter what: Completes the sentence "it never came true that …".
/// - Throws: ``TestSupportError`` when the time is over; what the condition throws.
package func eventually(
  within limit: Duration = .seconds(20), _ what: String, _ condition: () async throws -> Bool
) async throws {
  let deadline = ContinuousClock.now + limit
  while true {
    if try await condition() { return }
    guard ContinuousClock.now < deadline else {
      throw TestSupportError("within \(limit) it never came true that \(what)")
    }
    try await Task.sleep(for: .milliseconds(10))
  }
}
