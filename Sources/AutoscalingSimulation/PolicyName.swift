/// The policies that a trace can be run against: the one that is shipped, and its peers by their public formulas.
package enum PolicyName: String, Sendable, CaseIterable {
  case sluice, hpa, keda, scaledjob, latency, ds2

  package static let peers: [PolicyName] = [.hpa, .keda, .scaledjob, .latency, .ds2]
}
