/// The policy's constants. The defaults are what is shipped; trials in the simulator chose them.
package struct ScalingSettings: Sendable, Equatable, Codable {
  /// κ: how much more capacity than the prediction asks for.
  package var headroom = 1.2
  /// ρ: how busy workers of kinds without deadlines may be.
  package var utilisation = 0.8
  /// T_catch: how soon a backlog without deadlines is to be gone.
  package var catchUpSeconds = 900.0
  /// Down only to the highest need of this many start-up times.
  package var holdStarts = 6.0
  /// Measurements that are older hold the count.
  package var staleSeconds = 60.0
  package init() {}
}
