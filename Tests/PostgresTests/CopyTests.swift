import JobModel
import Postgres
import TestSupport
import Testing

@Suite("COPY")
struct CopyTests {
  static let rows = 100_000
  struct OnPurpose: Error {}

  /// Lines `N<tab>text` in chunks of a size that has nothing to do with lines.
  struct Lines: AsyncSequence, Sendable {
    var count: Int
    var failsAfter: Int?

    struct Iterator: AsyncIteratorProtocol {
      var next = 0
      let lines: Lines

      mutating func next() async throws -> [UInt8]? {
        if let limit = lines.failsAfter, next >= limit { throw OnPurpose() }
        guard next < lines.count else { return nil }
        let end = Swift.min(next + 997, lines.count)
        defer { next = end }
        return Array((next..<end).map { "\($0)\tline \($0) é\n" }.joined().utf8)
      }
    }

    func makeAsyncIterator() -> Iterator { Iterator(lines: self) }
  }

  @Test("100,000 rows in and out again")
  func bothWays() async throws {
    try await TestDatabase.withEmptyDatabase { database in
      try await database.pool.execute("create table t (a int, b text)")
      #expect(try await database.pool.copyIn("copy t from stdin", from: Lines(count: Self.rows)) == Self.rows)
      let received = Recorded((bytes: [UInt8](), chunks: 0))
      let count = try await database.pool.copyOut("copy (select * from t order by a) to stdout") { chunk in
        received.update {
          $0.bytes += chunk
          $0.chunks += 1
        }
      }
      #expect(count == Self.rows)
      let expected = Array((0..<Self.rows).map { "\($0)\tline \($0) é\n" }.joined().utf8)
      #expect(received.value.bytes == expected)
      #expect(received.value.chunks > 10, "in chunks, not at once")
    }
  }

  @Test("A source that fails leaves nothing behind, and its own error is thrown")
  func failingSource() async throws {
    try await TestDatabase.withEmptyDatabase { database in
      try await database.pool.withConnection { connection in
        try await connection.execute("create temp table t (a int, b text)")
        let lines = Lines(count: Self.rows, failsAfter: 50_000)
        await #expect(throws: OnPurpose.self) { try await connection.copyIn("copy t from stdin", from: lines) }
        #expect(try await connection.query("select from t").isEmpty)
      }
    }
  }

  @Test("A row that the table refuses is told by the server's code, without the row")
  func refused() async throws {
    try await TestDatabase.withEmptyDatabase { database in
      try await database.pool.withConnection { connection in
        try await connection.execute("create temp table t (a smallint, b text)")
        let error = try await failure {
          try await connection.copyIn("copy t from stdin", from: Lines(count: Self.rows))
        }
        #expect(error.sqlState == "22003")
        #expect(!error.description.contains("32768"))
        #expect(try await connection.query("select from t").isEmpty)
      }
    }
  }

  @Test("A cancelled task's half a COPY is not committed")
  func cancelledSource() async throws {
    try await TestDatabase.withEmptyDatabase { database in
      let connection = try await PostgresConnection.connect(database.settings)
      try await connection.execute("create table t (a int, b text)")
      // Ends without an error when its task is cancelled, as streams do.
      let (stream, continuation) = AsyncThrowingStream<[UInt8], any Error>.makeStream()
      let task = Task { try await connection.copyIn("copy t from stdin", from: stream) }
      continuation.yield(Array("1\tx\n".utf8))
      try await database.waitUntilActive(connection.backendPID, on: "ClientRead")
      task.cancel()
      await #expect(throws: CancellationError.self) { try await task.value }
      #expect(try await connection.query("select from t").isEmpty)
      await connection.close()
    }
  }

  @Test("A consumer that fails ends the COPY on the server, and the session goes on")
  func failingConsumer() async throws {
    try await TestDatabase.withEmptyDatabase { database in
      try await database.pool.withConnection { connection in
        let seen = Recorded(0)
        await #expect(throws: OnPurpose.self) {
          try await connection.copyOut("copy (select generate_series(1, 100000000)) to stdout") { _ in
            if seen.update({
              $0 += 1
              return $0
            }) == 3 {
              throw OnPurpose()
            }
          }
        }
        #expect(seen.value == 3)
        let isUsable = try await connection.answers()
        #expect(isUsable)
      }
    }
  }

  @Test("A task that is cancelled between two chunks ends the COPY too")
  func cancelledConsumer() async throws {
    try await TestDatabase.withEmptyDatabase { database in
      let connection = try await PostgresConnection.connect(database.settings)
      let task = Task {
        try await connection.copyOut("copy (select generate_series(1, 100000000)) to stdout") { _ in
          withUnsafeCurrentTask { $0?.cancel() }
        }
      }
      await #expect(throws: CancellationError.self) { try await task.value }
      #expect(try await connection.answers())
      await connection.close()
    }
  }

  @Test(
    "A statement that is no such COPY is told, and the session goes on",
    arguments: ["select 1", "copy (select 1) to stdout", "copy nowhere from stdin", "copy"])
  func noCopy(sql: String) async throws {
    try await TestDatabase.withEmptyDatabase { database in
      try await database.pool.withConnection { connection in
        _ = try await failure { try await connection.copyIn(sql, from: Lines(count: 10)) }
        try await connection.execute("create temp table t (a int, b text)")
        _ = try await failure { try await connection.copyOut("copy t from stdin") { _ in } }
        _ = try await failure { try await connection.query("copy t from stdin") }
        _ = try await failure { try await connection.query("copy t to stdout") }
        #expect(try await connection.copyIn("copy t from stdin", from: Lines(count: 10)) == 10)
      }
    }
  }

  @Test("In a transaction nothing else comes between its chunks, and a rollback takes it back")
  func inTransaction() async throws {
    try await TestDatabase.withEmptyDatabase { database in
      try await database.pool.execute("create table t (a int, b text)")
      await #expect(throws: OnPurpose.self) {
        try await database.pool.transaction { transaction in
          #expect(try await transaction.copyIn("copy t from stdin", from: Lines(count: 1000)) == 1000)
          let error = try await failure {
            try await transaction.copyOut("copy t to stdout") { _ in try await transaction.query("select 1") }
          }
          #expect(error.kind == .usage)
          throw OnPurpose()
        }
      }
      #expect(try await database.pool.query("select from t").isEmpty)
    }
  }

  @Test("A server that does not read holds its source back")
  func backPressure() async throws {
    try await TestDatabase.withEmptyDatabase { database in
      let connection = try await PostgresConnection.connect(database.settings)
      try await connection.execute(
        """
        create table t (a int, b text);
        create function slow() returns trigger language plpgsql as $$ begin perform pg_sleep(60); return new; end $$;
        create trigger slow before insert on t for each row execute function slow();
        """)
      let asked = Recorded(0)
      let chunk = Array(String(repeating: "1\tx\n", count: 16_384).utf8)
      let source = AsyncThrowingStream<[UInt8], any Error>(unfolding: {
        asked.update { $0 += 1 }
        return chunk
      })
      let task = Task { try await connection.copyIn("copy t from stdin", from: source) }
      try await database.waitUntilActive(connection.backendPID)
      // The socket takes some hundred KiB; an unbounded queue would have asked for thousands of chunks by now.
      _ = try await database.pool.query("select pg_sleep(0.5)")
      #expect(asked.value < 100)
      task.cancel()
      await #expect(throws: CancellationError.self) { try await task.value }
      await connection.close()
    }
  }
}
