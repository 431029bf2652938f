/// Where a release stands.
package enum ReleaseState: String, Sendable, CaseIterable, Codable {
  /// The definitions of a directory, used before anything was deployed; served by every engine.
  case implicit = "IMPLICIT"
  /// Stored and examined; takes no runs.
  case staged = "STAGED"
  /// Takes a part of the new runs, and is compared with the current one.
  case canary = "CANARY"
  /// Takes the new runs. There is one at most.
  case current = "CURRENT"
  /// Takes no new runs; what began with it goes on to its end.
  case draining = "DRAINING"
  /// Nothing is left to do; its workers are stopping.
  case drained = "DRAINED"
  case retired = "RETIRED"
  /// Never became current, or was found to be worse.
  case rejected = "REJECTED"

  /// States from which a release can become the current one.
  package static let promotable: [ReleaseState] = [.staged, .canary, .draining, .drained, .retired]

  /// Whether its workers may have something to do.
  package var isServed: Bool { self != .implicit && self != .retired }
}
