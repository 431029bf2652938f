import JobModel
import JobStore
import Postgres
import TestSupport
import Testing

/// `sluice.enqueue(…)`, as programs in any language call it.
@Suite("Enqueue in SQL")
struct EnqueueFunctionTests {
  private func job(
    _ arguments: String, on session: some PostgresSession, _ values: [PostgresValue] = []
  ) async throws -> JobID {
    let row = try await session.query(SQLStatement(text: "select sluice.enqueue(\(arguments)) as job"), values).only
    return JobID(try row.int("job"))
  }

  @Test("what the caller says is what a worker claims")
  func arguments() async throws {
    try await QueueFixture.with { queue in
      let job = try await job(
        """
        'mail', '{"to": 7}', pipeline => 'shop', class => 3, max_attempts => 5, time_limit => '1 minute', label => 'seven'
        """, on: queue.session)
      let claim = try #require(try await queue.claimOne(try await queue.worker()))
      #expect(claim.jobID == job)
      #expect(claim.kind == "mail" && claim.stage == "mail" && claim.label == "seven")
      #expect(claim.pipeline == "shop" && claim.payload == "{\"to\": 7}")
      #expect(claim.maximumAttempts == 5 && claim.timeLimit == .seconds(60))
      #expect(claim.runID == nil)
    }
  }

  @Test("a job is there when its transaction commits, and never was when it rolls back")
  func transactional() async throws {
    try await QueueFixture.with { queue in
      try await queue.session.execute("create table doing (n integer)")
      try await queue.session.execute("begin")
      let gone = try await job("'mail', unique_key => 'a', wake => true", on: queue.session)
      try await queue.session.execute("insert into doing values (1)")
      // Nobody else sees it.
      #expect(try await queue.store.jobs(job: gone).isEmpty)
      #expect(try await queue.store.survey().isEmpty)
      try await queue.session.execute("rollback")
      #expect(try await queue.store.jobs().isEmpty)

      try await queue.session.execute("begin")
      let kept = try await job("'mail', unique_key => 'a'", on: queue.session)
      try await queue.session.execute("insert into doing values (1); commit")
      #expect(try await queue.state(kept) == .ready)
      #expect(try await queue.session.query("select from doing").count == 1)
    }
  }

  @Test("a job for later waits for its time, one for the past is ready")
  func runAt() async throws {
    try await QueueFixture.with { queue in
      let later = try await job("'mail', run_at => now() + interval '1 hour'", on: queue.session)
      let now = try await job("'mail', run_at => now() - interval '1 hour'", on: queue.session)
      #expect(try await queue.state(later) == .later)
      #expect(try await queue.state(now) == .ready)
      let due = try await queue.store.promoteDue(on: queue.session, now: "2999-01-01T00:00:00Z")
      #expect(due.values.reduce(0, +) == 1)
      #expect(try await queue.state(later) == .ready)
    }
  }

  /// What ends a job's life, and with it the hold on its key.
  enum End: String, CaseIterable, Sendable { case done, dead, cancelled, cancelledWhileRunning }

  @Test(
    "a unique key is held from the enqueuing to the end of the job's life, whatever that is", arguments: End.allCases)
  func uniqueKey(_ end: End) async throws {
    try await QueueFixture.with { queue in
      let enqueue = "'mail', unique_key => 'welcome/7'"
      let first = try await job(enqueue, on: queue.session)
      #expect(try await job(enqueue, on: queue.session) == first)
      if end == .cancelled {
        #expect(try await queue.store.cancel(job: first).ended == [first])
      } else {
        let worker = try await queue.worker()
        let claim = try #require(try await queue.claimOne(worker))
        #expect(try await job(enqueue, on: queue.session) == first)
        // Put off, and retried: its life goes on.
        #expect(try await queue.store.endAttempt(claim.holder, as: .retried(after: .zero, failure: "{}")))
        #expect(try await job(enqueue, on: queue.session) == first)
        _ = try await queue.store.promoteDue(on: queue.session, now: "2999-01-01T00:00:00Z")
        let again = try #require(try await queue.claimOne(worker))
        switch end {
        case .done: #expect(try await queue.store.finish([FinishedJob(again.holder)], in: queue.session).isEmpty)
        case .dead: #expect(try await queue.store.endAttempt(again.holder, as: .dead(failure: "{}")))
        default:
          #expect(try await queue.store.cancel(job: first).stopping == [first])
          #expect(try await job(enqueue, on: queue.session) == first)
          #expect(try await queue.store.endAttempt(again.holder, as: .cancelled))
        }
      }
      let second = try await job(enqueue, on: queue.session)
      #expect(second != first)
      #expect(try await job(enqueue, on: queue.session) == second)
      #expect(try await queue.store.retry(job: first) == false)
    }
  }

  @Test("two sessions with one key: the second waits for the first, gets its job where it commits, its own where not")
  func concurrentKeys() async throws {
    try await TestDatabase.withDatabase { database in
      for outcome in ["commit", "rollback"] {
        try await QueueFixture.with(database) { queue in
          try await queue.session.execute("begin")
          let first = try await job("'mail', unique_key => $1", on: queue.session, [.text(outcome)])
          async let other = job("'mail', unique_key => $1", on: database.pool, [.text(outcome)])
          try await eventually("the other session waits") {
            try await database.pool.query(
              "select from pg_stat_activity where wait_event_type = 'Lock' and query like '%sluice.enqueue%'"
            ).count == 1
          }
          try await queue.session.execute(outcome == "commit" ? "commit" : "rollback")
          #expect(try await (other == first) == (outcome == "commit"))
          #expect(try await queue.store.jobs().count { $0.label == "mail" && $0.state == .ready } >= 1)
        }
      }
      #expect(try await JobStore(database: database.pool).jobs().count == 2)
    }
  }

  @Test("many sessions at once make one job of one key, and one lane of one kind")
  func race() async throws {
    try await QueueFixture.with { queue in
      let jobs = try await withThrowingTaskGroup(of: JobID.self) { group in
        for _ in 0..<40 { group.addTask { try await job("'mail', unique_key => 'one'", on: queue.store.database) } }
        return try await group.reduce(into: Set<JobID>()) { $0.insert($1) }
      }
      #expect(jobs.count == 1)
      #expect(try await queue.store.jobs().count == 1)
      #expect(try await queue.store.survey().count == 1)
    }
  }

  @Test("a worker is told at the commit where the caller wants it, and not before")
  func wake() async throws {
    try await TestDatabase.withDatabase { database in
      try await QueueFixture.with(database) { queue in
        let heard = try await PostgresNotifications.listen(on: [LaneBell.channel], database.settings)
        _ = try await job("'mail'", on: queue.session)
        _ = try await job("'mail', run_at => now() + interval '1 hour', wake => true", on: queue.session)
        _ = try await job("'print', wake => true", on: queue.session)
        let lane = try #require(try await queue.store.survey().first { $0.stage == "print" })
        var notifications = heard.makeAsyncIterator()
        let first = try #require(try await notifications.next())
        #expect(LaneBell.lanes(in: first.payload) == [lane.id])
        await heard.close()
      }
    }
  }

  /// What a caller does wrong, and what the answer says.
  static let mistakes: [(arguments: String, says: String)] = [
    ("null", "a job needs a kind"),
    ("''", "a job needs a kind"),
    ("repeat('k', 201)", "at most 200 characters"),
    ("'mail', pipeline => ''", "a job needs a pipeline"),
    ("'mail', pipeline => null", "a job needs a pipeline"),
    ("'mail', null", "a payload is not null"),
    ("'mail', '{\"a\": '", "invalid input syntax for type json"),
    ("'mail', '{\"a\": \"\\u0000\"}'", "unsupported Unicode escape sequence"),
    ("'mail', unique_key => ''", "a unique key is not empty"),
    ("'mail', unique_key => repeat('ä', 1001)", "at most 2000 bytes"),
    ("'mail', class => 40000", "class is a number"),
    ("'mail', class => null", "class is a number"),
    ("'mail', max_attempts => -1", "max_attempts is at least 1"),
    ("'mail', max_attempts => null", "max_attempts is at least 1"),
    ("'mail', max_attempts => 10001", "max_attempts is at most 10000"),
    ("'mail', time_limit => '178000000 years'", "time_limit is at most 10 years"),
    ("'mail', time_limit => '1000000 years -359999999 days'", "time_limit is at most 10 years"),
    ("'mail', time_limit => '-4000 days 96001 hours'", "time_limit is at most 10 years"),
    ("'mail', label => repeat('ä', 201)", "a label has at most 200 characters"),
    ("'mail', run_at => 'infinity'", "run_at is at most 100 years from now"),
    ("'mail', run_at => '-infinity'", "run_at is at most 100 years from now"),
    ("'mail', run_at => '294276-01-01'", "run_at is at most 100 years from now"),
    ("'mail', to_jsonb(repeat('x', 1048576))", "a payload has at most 1 MiB"),
    ("'mail', time_limit => '-1 s'", "time_limit is longer than nothing"),
    ("'mail', prority => 1", "does not exist"),
  ]

  @Test("a mistake is told, without the values, and leaves nothing", arguments: mistakes)
  func mistake(_ mistake: (arguments: String, says: String)) async throws {
    try await QueueFixture.with { queue in
      let error = await #expect(throws: PostgresError.self) { try await job(mistake.arguments, on: queue.session) }
      #expect(error?.message.contains(mistake.says) == true, "\(error?.debugDescription ?? "")")
      #expect(error?.isTransient == false)
      let jobs = try await queue.store.jobs()
      #expect(jobs.isEmpty)
    }
  }

  @Test("a kind that no worker knows waits for one that does")
  func unknownKind() async throws {
    try await QueueFixture.with { queue in
      let job = try await job("'nobody.knows'", on: queue.session)
      let worker = try await queue.worker()
      #expect(try await queue.store.claim(worker: worker, stages: ["mail"], limit: 1).isEmpty)
      #expect(try await queue.state(job) == .ready)
      #expect(try await queue.store.claim(worker: worker, stages: ["nobody.knows"], limit: 1).count == 1)
    }
  }

  @Test("a role with usage on the schema and execute on the function enqueues, and can do nothing else with the tables")
  func roles() async throws {
    try await QueueFixture.with { queue in
      let role = quoteIdentifier("app_\(queue.session.backendPID)")
      let session = queue.session
      try await session.execute("create role \(role); grant usage on schema sluice to \(role); set role \(role)")
      let refused = await #expect(throws: PostgresError.self) { try await job("'mail'", on: session) }
      #expect(refused?.sqlState == "42501")

      try await session.execute("reset role; grant execute on function sluice.enqueue to \(role); set role \(role)")
      // Objects of the caller's own that stand in the way by name are not reached with the owner's rights.
      try await session.execute(
        """
        create function pg_temp.now() returns timestamptz language sql as 'select null::timestamptz';
        create temporary table job (job_id bigint);
        set search_path = pg_temp, sluice, public
        """)
      _ = try await job("'mail', unique_key => 'a', wake => true", on: session)
      for statement in [
        "select from sluice.job", "insert into sluice.ready values (1, 1, 0, 0, now())", "delete from sluice.live_key",
        "update sluice.lane set paused = true", "select nextval('sluice.job_job_id_seq')",
      ] {
        let error = await #expect(throws: PostgresError.self) { try await session.execute(statement) }
        #expect(error?.sqlState == "42501", "\(statement)")
      }
      // What docs/queue.md grants for looking.
      try await session.execute("reset role; grant select on sluice.job_state to \(role); set role \(role)")
      #expect(try await session.query("select from sluice.job_state where state = 'READY'").count == 1)
      try await session.execute("reset search_path; reset role; drop owned by \(role); drop role \(role)")
      #expect(try await queue.store.jobs().count == 1)
    }
  }
}
