import JobStore
import Synchronization

/// The clocks of a time zone: at which instant they show a local time. The rule is that of a contract's `source_timezone`.
///
/// The database has the zones, from 1800 to 2100; before and after that the first and the last offset hold.
package struct LocalClock: Sendable, Equatable {
  /// Oldest first, at least one.
  private let offsets: [JobStore.ZoneOffset]

  /// nil without an offset.
  package init?(_ offsets: [JobStore.ZoneOffset]) {
    guard !offsets.isEmpty else { return nil }
    self.offsets = offsets
  }

  /// Longer than any clock was set forward or back.
  private static let twoDays: Int64 = 172_800

  /// The instant of a local time: the later one of two, nil where the clocks skipped it.
  ///
  /// - Parameter local: As if the clocks showed UTC.
  package func instant(of local: Instant) -> Instant? {
    let perSecond: Int128 = 1_000_000_000
    let floor = local.nanoseconds / perSecond - (local.nanoseconds % perSecond < 0 ? 1 : 0)
    guard let seconds = Int64(exactly: floor) else { return nil }
    var index = firstIndex(after: seconds + Self.twoDays) - 1
    while index >= 0 {
      let (at, east) = (offsets[index].at, offsets[index].east)
      let end = index + 1 < offsets.count ? offsets[index + 1].at : .max
      if end < seconds - Self.twoDays { return nil }
      let instant = seconds - east
      if index == 0 || instant >= at, instant < end {
        return Instant(nanoseconds: local.nanoseconds - Int128(east) * perSecond)
      }
      index -= 1
    }
    return nil
  }

  /// The index of the first offset that holds from later than this on; at least 1, because the first one holds before as well.
  private func firstIndex(after seconds: Int64) -> Int {
    var (low, high) = (1, offsets.count)
    while low < high {
      let middle = (low + high) / 2
      if offsets[middle].at > seconds { high = middle } else { low = middle + 1 }
    }
    return low
  }
}

/// The clocks of the zones that streams of this process have asked for.
package final class LocalClocks: Sendable {
  private let known = Mutex<[String: LocalClock]>([:])

  /// The clock of a zone; nil where no zone is given, or where the database does not know it.
  func clock(of zone: String?, _ store: JobStore) async throws -> LocalClock? {
    guard let zone else { return nil }
    if let clock = known.withLock({ $0[zone] }) { return clock }
    guard let clock = try await store.offsets(ofZone: zone).flatMap(LocalClock.init) else { return nil }
    known.withLock { $0[zone] = clock }
    return clock
  }
}
