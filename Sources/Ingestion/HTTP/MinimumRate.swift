/// Whether a source sends its body fast enough: a pure rule over what came, and how long it was waited for.
///
/// Only the time in which the source is waited for counts, so that a slow disk of ours is not held against it. A source that
/// sends a byte now and then would otherwise hold a slot for as long as it likes.
struct MinimumRate: Sendable {
  /// The time over which a rate is measured: a pause in the middle of a large answer is no reason to give it up.
  static let window = Duration.seconds(60)

  /// A source that sent too little.
  struct TooSlow: Error, Equatable {
    var bytes: Int64
    var waited: Duration
  }

  let bytesPerSecond: Int

  private var bytes: Int64 = 0
  private var waited = Duration.zero

  init(bytesPerSecond: Int) { self.bytesPerSecond = bytesPerSecond }

  /// - Parameter waiting: How long this piece was waited for.
  mutating func received(_ count: Int, waiting: Duration) throws(TooSlow) {
    bytes += Int64(count)
    waited += waiting
    guard waited >= Self.window else { return }
    let wanted = Double(bytesPerSecond) * (waited / .seconds(1))
    guard Double(bytes) >= wanted else { throw TooSlow(bytes: bytes, waited: waited) }
    (bytes, waited) = (0, .zero)
  }
}
