import Postgres

extension JobStore {
  /// From an instant, in seconds since 1970, on: how far east of UTC the clocks of a zone are, in seconds.
  package struct ZoneOffset: Sendable, Equatable {
    package var at: Int64
    package var east: Int64

    package init(at: Int64, east: Int64) {
      self.at = at
      self.east = east
    }
  }

  /// The offsets of a time zone from 1800 to 2100, oldest first; nil where the database knows no zone of this name.
  ///
  /// Some 20 ms for the database, so a process keeps the answer.
  ///
  /// - Source: `zone_offsets.sql`.
  package func offsets(ofZone zone: String) async throws -> [ZoneOffset]? {
    do {
      return try await database.query(Statement.zoneOffsets, [.text(zone)]).map {
        ZoneOffset(at: try $0.int("at"), east: try $0.int("east"))
      }
    } catch let error as PostgresError where error.sqlState == "22023" { return nil }
  }
}
