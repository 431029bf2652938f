import Postgres

extension JobStore {
  /// Reserves the next requests of a key for this process, after those of whoever asked before.
  ///
  /// - Parameters:
  ///   - count: They come `interval` after each other.
  /// - Returns: How long it is until the first of them, by the database's clock.
  /// - Source: `rate_reserve.sql`.
  package func reserveRequests(
    _ count: Int, of key: String, every interval: Duration, now: String? = nil
  ) async throws -> Duration {
    let row = try await database.query(
      Statement.rateReserve, [.text(key), .int(Int64(count)), .double(interval.inSeconds), .optional(now)]
    ).only
    return .seconds(try row.double("seconds"))
  }
}
