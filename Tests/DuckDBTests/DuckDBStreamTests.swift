import DuckDB
import FoundationEssentials
import Testing

@Suite("A stream out of DuckDB")
struct DuckDBStreamTests {
  @Test("gives all bytes in order")
  func bytes() async throws {
    try await withScratch { duckdb, place in
      let text = try await duckdb.withStream(
        of: "copy (select range from range(300000)) to '/dev/stdout' (format csv, header false)", in: place,
        limits: DuckDBLimits()
      ) { bytes in
        var all: [UInt8] = []
        for try await chunk in bytes { all += chunk }
        return String(decoding: all, as: UTF8.self)
      }
      #expect(text == (0..<300_000).map { "\($0)\n" }.joined())
    }
  }

  @Test("throws at its end where a later statement failed, so that half a result is never taken for a whole one")
  func failure() async throws {
    try await withScratch { duckdb, place in
      let script = """
        copy (select range from range(1000)) to '/dev/stdout' (format csv);
        copy (select case when range = 900000 then error('broken') else 'x' end from range(1000000)) to '/dev/stdout' (format csv)
        """
      await #expect(throws: DuckDBError.self) {
        try await duckdb.withStream(of: script, in: place, limits: DuckDBLimits()) { bytes in
          for try await _ in bytes {}
        }
      }
    }
  }

  @Test("may be left early")
  func early() async throws {
    try await withScratch { duckdb, place in
      let script = "copy (select range from range(100000000000)) to '/dev/stdout' (format csv)"
      let first = try await duckdb.withStream(of: script, in: place, limits: DuckDBLimits()) { bytes in
        var iterator = bytes.makeAsyncIterator()
        return try await iterator.next()?.count ?? 0
      }
      #expect(first > 0)
      #expect(children(in: place.directory).isEmpty)
    }
  }
}
