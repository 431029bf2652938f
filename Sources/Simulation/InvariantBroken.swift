/// Something happened that never may.
package struct InvariantBroken: Error, CustomStringConvertible {
  package var invariant: String
  package var message: String

  package init(_ invariant: String, _ message: String) {
    self.invariant = invariant
    self.message = message
  }

  package var description: String { "\(invariant): \(message)" }
}
