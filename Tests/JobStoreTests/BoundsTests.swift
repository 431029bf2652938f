import JobModel
import JobStore
import Migrations
import Postgres
import TestSupport
import Testing

@Suite("What the database itself refuses")
struct BoundsTests {
  /// Writes that go past `sluice.enqueue`, as an older engine's or a person's.
  static let writes = [
    "update sluice.job set time_limit = '178000000 years'", "update sluice.job set time_limit = '-1 second'",
    "update sluice.job set time_limit = '1000000 years -359999999 days'",
    "update sluice.job set max_attempts = 10001", "update sluice.job set label = repeat('ä', 201)",
    "update sluice.job set kind = repeat('k', 201)", "update sluice.job set live_key = repeat('ä', 1001)",
    "update sluice.job set payload = to_jsonb(repeat('x', 1048576))",
    "insert into sluice.lane (pipeline, stage) values ('p', repeat('s', 201))",
    "insert into sluice.lane (pipeline, stage) values (repeat('p', 201), 's')",
    "update sluice.release set label = repeat('l', 201)",
    "insert into sluice.later (job_id, run_at, lane_id, attempt, epoch) values (1, 'infinity', 1, 0, 0)",
  ]

  @Test("a value that a claim or a retry could not calculate with", arguments: writes)
  func refuses(write: String) async throws {
    try await QueueFixture.with { queue in
      try await queue.store.enqueue([NewJob(kind: "a")])
      let error = await #expect(throws: PostgresError.self) { try await queue.session.execute(write) }
      #expect(error?.sqlState == "23514", "\(error?.debugDescription ?? "")")
    }
  }

  @Test("values from before the bounds become the nearest that is allowed")
  func migrates() async throws {
    try await TestDatabase.withEmptyDatabase { database in
      let connection = try await PostgresConnection.connect(database.settings)
      _ = try await Migrator(migrations: Array(Migration.all.prefix { $0.number < 6 })).migrate(connection)
      try await connection.execute(
        """
        select sluice.enqueue('a', time_limit => '178000000 years', max_attempts => 2000000000, label => repeat('l', 300));
        select sluice.enqueue('b', run_at => 'infinity');
        select sluice.enqueue('a', time_limit => '1000000 years -359999999 days');
        insert into sluice.lane (pipeline, stage) values (repeat('p', 201), 's');
        insert into sluice.release (content_hash, state, label, engine)
        select 'h' || n, 'IMPLICIT', repeat('l', 300) || n, 'e' from generate_series(1, 2) n
        """)
      _ = try await Migrator().migrate(connection)
      let store = JobStore(database: database.pool)
      let worker = try await store.registerWorker(
        JobStore.WorkerBirth(release: 0, host: "h", pid: 1, engine: "test", slots: 1), lease: .seconds(3600),
        on: connection)
      let claims = try await store.claim(worker: worker, limit: 2)
      let claim = try #require(claims.first)
      #expect(claim.maximumAttempts == 10_000 && claim.label.count == 200)
      #expect(claims.count == 2, "the time limits can be added to a time")
      try await connection.execute("update sluice.lane set paused = true")
      let labels = try await connection.query("select label from sluice.release order by release_id")
      #expect(try labels.map { try $0.string("label").count == 182 } == [true, true])
      #expect(try await store.jobs(state: .later).first?.dueAt?.hasPrefix("2") == true)
      await connection.close()
    }
  }

  @Test("a label that is written while the migration waits becomes allowed too, and a later one is refused in words")
  func lateLabel() async throws {
    try await TestDatabase.withEmptyDatabase { database in
      let connection = try await PostgresConnection.connect(database.settings)
      _ = try await Migrator(migrations: Array(Migration.all.prefix { $0.number < 6 })).migrate(connection)
      let insert = "insert into sluice.release (content_hash, state, label, engine) values"
      let early = try await PostgresConnection.connect(database.settings)
      try await early.execute("begin; \(insert) ('a', 'IMPLICIT', repeat('l', 300), 'e')")
      async let migrated = Migrator().migrate(connection)
      let waits: SQLStatement = "select from pg_locks where not granted and relation = 'sluice.release'::regclass"
      try await eventually("the migration waits") { try await !database.pool.query(waits).isEmpty }
      try await early.execute("commit")
      _ = try await migrated
      // What a promotion does: it changes the row.
      try await early.execute("update sluice.release set state = 'IMPLICIT'")
      let label = try await early.query("select length(label) as length from sluice.release", []).only.int("length")
      #expect(label <= 200)
      for write in [
        "\(insert) ('b', 'IMPLICIT', repeat('l', 201), 'e')", "update sluice.release set label = repeat('l', 201)",
      ] {
        let error = await #expect(throws: PostgresError.self) { try await early.execute(write) }
        #expect(error?.message.contains("the label of a release has at most 200 characters") == true)
        #expect(error?.sqlState == "23514")
      }
      await early.close()
      await connection.close()
    }
  }

  @Test("a database that is not UTF-8 is refused, with the way out")
  func encoding() async throws {
    try await Self.withLatinDatabase { connection, _ in
      let error = await #expect(throws: EncodingRefused.self) { try await Migrator().migrate(connection) }
      #expect(error?.encoding == "LATIN1")
      #expect(error?.hint?.contains("encoding 'UTF8'") == true)
      let isEmpty = try await connection.query("select to_regclass('sluice.migration') is null as empty")
      #expect(try isEmpty.only.bool("empty"))
    }
  }

  @Test("the end of an attempt is written also where the database refuses its text")
  func unstorable() async throws {
    try await Self.withLatinDatabase { connection, settings in
      // As an earlier engine has made it.
      try await connection.execute("create schema sluice")
      for migration in Migration.all { try await connection.execute(migration.sql) }
      let pool = PostgresPool(settings, maximum: 2)
      let store = JobStore(database: pool)
      let worker = try await store.registerWorker(
        JobStore.WorkerBirth(release: 0, host: "h", pid: 1, engine: "test", slots: 1), lease: .seconds(3600),
        on: connection)
      try await store.enqueue([NewJob(kind: "a")])
      let claim = try #require(try await store.claim(worker: worker, limit: 1).first)
      let failure = StageFailure(code: "x", message: "it was cut here…")
      #expect(try await store.endAttempt(claim.holder, as: .dead(failure: failure.json)))
      #expect(try await store.jobs(job: claim.jobID).first?.state == .dead)
      #expect(try await store.attempts(of: [claim.jobID]).first?.detail?.contains("unstorable") == true)
      await pool.close()
    }
  }

  @Test("a failure's text is cut, and a delay without end has one")
  func longEnds() async throws {
    try await QueueFixture.with { queue in
      let jobs = try await queue.store.enqueue([NewJob(kind: "a"), NewJob(kind: "a")])
      let worker = try await queue.worker()
      let failure = StageFailure(code: "x", message: String(repeating: "é\0", count: 5_000_000))
      let first = try #require(try await queue.claimOne(worker))
      try await queue.store.endAttempt(first.holder, as: .dead(failure: failure.json))
      #expect(try await queue.store.attempts(of: [jobs[0].id]).first?.detail?.utf8.count ?? 0 < 9000)
      let second = try #require(try await queue.claimOne(worker))
      try await queue.store.endAttempt(second.holder, as: .snoozed(.seconds(Int64.max)))
      #expect(try await queue.state(second.jobID) == .later)
    }
  }

  private static func withLatinDatabase(
    _ body: @Sendable (PostgresConnection, PostgresSettings) async throws -> Void
  ) async throws {
    try await TestDatabase.withEmptyDatabase { database in
      let own = try await database.pool.query("select current_database() as name").only.string("name")
      let name = own + "_latin"
      try await database.pool.execute(
        "create database \(name) encoding 'LATIN1' lc_collate 'C' lc_ctype 'C' template template0")
      let settings = try PostgresSettings(database.url.replacing("/\(own)?", with: "/\(name)?"))
      let connection = try await PostgresConnection.connect(settings)
      let result: Result<Void, any Error>
      do { result = .success(try await body(connection, settings)) } catch { result = .failure(error) }
      await connection.close()
      try await database.pool.execute("drop database \(name) with (force)")
      try result.get()
    }
  }
}
