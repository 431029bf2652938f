import Catalog
import FoundationEssentials
import JobStore
import Postgres
import TestSupport
import Testing

@Suite("Statements")
struct StatementTests {
  @Test("every statement prepares against the migrated schema")
  func prepares() async throws {
    try await TestDatabase.withDatabase { database in
      let connection = try await PostgresConnection.connect(database.settings)
      for statement in jobStoreStatements + catalogStatements {
        try await connection.execute("prepare checked as \(statement.text)")
        try await connection.execute("deallocate checked")
      }
      await connection.close()
    }
  }

  @Test("every file of SQL is a statement of the list that is checked here")
  func isComplete() throws {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let files = try FileManager.default.contentsOfDirectory(atPath: root.appending(path: "Sources/JobStore/sql").path)
    let names = Set(files.filter { $0.hasSuffix(".sql") }.map { String($0.dropLast(4)) })
    #expect(names == Set(jobStoreStatements.map(\.name)))
  }
}

/// What runs all the time is planned once in a session, perhaps while its tables are empty. However small the planner believes
/// them to be, every index must be entered by a key, and no large table be read whole.
@Suite("The plans of what is prepared")
struct PlanTests {
  /// By statement, the parameters of one call.
  static let calls: [String: String] = [
    "beat_expire": "null",
    "beat_suspects": "",
    "bell_notify": "'1'",
    "claim_lock": "",
    "job_claim": "1, 0, '{1}', '{0}', null, null, null",
    "job_enqueue": #"'p', 'k', 'l', '{"{}"}', 3, null, null, null, 0"#,
    "job_finish": "'{1,2}', '{1,1}', '{null,null}', null",
    "job_promote_due": "100, null",
    "lane_find": "'p', 's', 0",
    "lane_survey": "0, null",
    "lease_of_worker": "1",
    "lease_reap": "100, null",
    "maintenance_lead": "",
    "memory_host": "1, 7, null",
    "memory_needs": "1, '{1}', '{1}', null",
    "memory_turn": "1, 1",
    "permit_lock": "'{a}'",
    "permit_pass": "'{a,b}', null",
    "permit_short": "",
    "permit_take": "1, 1, 1, '{a}', null, '{a}'",
    "rate_reserve": "'a', 1, 1, null",
    "worker_beat": "1, 15, false, true",
  ]
  /// The same of statements that are planned at each call.
  private static let unprepared = [
    "job_list": "7, null, null, 10000",
    "job_lives": "'{7,8}', 'curate', 'd'",
    "ready_lock": "1, 0, null",
    "scaling_arrivals": "1, 20000, 1000",
    "scaling_lanes": "'{1,2}', 0, 256",
  ]
  /// Tables in which a statement looks for what nobody has told it of: no more rows than there are slots.
  private static let looksThrough = ["lease_reap": "lease"]
  /// Runs are few beside their jobs, and every analyze of them makes a new plan.
  private static let large = [
    "job", "ready", "lease", "later", "blocked", "dead", "outcome", "mark", "edge", "live_key",
  ]

  @Test("go by keys, also those that were made while every table was empty")
  func plans() async throws {
    let prepared = jobStoreStatements.filter { $0.isPrepared }
    #expect(Set(prepared.map(\.name)) == Set(Self.calls.keys))
    try await QueueFixture.with { queue in
      try await queue.session.execute("analyze")
      let session = try await queue.store.queueSession(queue.settings)
      for statement in prepared {
        let plan = try await Self.plan(of: statement, on: session)
        for reading in Self.wholeReadings(in: plan) where reading.table != Self.looksThrough[statement.name] {
          Issue.record("\(statement.name): \(reading.line)\n\(plan.joined(separator: "\n"))")
        }
      }
      // The rule sees such a plan.
      let whole = try await Self.plan(
        of: SQLStatement(name: "claim_lock", text: "select from sluice.job where label = 'x'"), on: session)
      #expect(Self.wholeReadings(in: whole).map(\.table) == ["job"])
      await session.close()
    }
  }

  /// Compared with all of them, thousands of suspects would cost each claim their product with the jobs that it passes.
  @Test(
    "a ready job asks for its own mark by its key, and for none where there are no suspects",
    arguments: ["job_claim", "lane_survey", "ready_lock"])
  func suspects(name: String) async throws {
    try await QueueFixture.with { queue in
      try await queue.session.execute("analyze")
      let session = try await queue.store.queueSession(queue.settings)
      let statement = try #require(jobStoreStatements.first { $0.name == name })
      let plan = try await Self.plan(of: statement, on: session)
      await session.close()
      let text = plan.joined(separator: "\n")
      #expect(plan.contains { $0.contains("Index Cond: (job_id = r") }, "\(text)")
      #expect(plan.contains { $0.contains("InitPlan") }, "\(text)")
      #expect(!text.contains("hashed SubPlan") && !text.contains(" ALL ("), "\(text)")
    }
  }

  @Test("lanes that expire are locked only when all jobs have been read")
  func laneLocks() async throws {
    try await QueueFixture.with { queue in
      let statement = try #require(jobStoreStatements.first { $0.name == "lane_expire" })
      try await queue.session.execute("prepare expiry as \(statement.text)")
      let plan = try await queue.session.query(SQLStatement(text: "explain (costs off) execute expiry(1, null)"))
        .compactMap {
          $0.optionalString(at: 0)
        }
      let lock = try #require(plan.firstIndex { $0.contains("LockRows") })
      let filter = plan[lock...].prefix { !$0.contains("CTE seen") }.contains { $0.contains("One-Time Filter") }
      #expect(filter, "\(plan.joined(separator: "\n"))")
    }
  }

  /// What a person or a job asks about one run costs what that run has, whatever lies next to it.
  @Test(
    "of one run read its jobs by its key, in a table of many", arguments: ["job_lives", "job_list"])
  func jobsOfRun(name: String) async throws {
    try await QueueFixture.with { queue in
      try await queue.session.execute(
        """
        insert into sluice.job (run_id, lane_id, kind, label, payload, max_attempts, created_at)
          select n / 10, 1, 'curate', 'd', '{}', 3, now() from generate_series(1, 20000) as n;
        analyze
        """)
      let statement = try #require(jobStoreStatements.first { $0.name == name })
      let plan = try await Self.plan(of: statement, on: queue.session)
      let text = plan.joined(separator: "\n")
      #expect(Self.wholeReadings(in: plan).allSatisfy { $0.table != "job" }, "\(text)")
      #expect(text.contains("job_run") && !text.contains("hashed SubPlan"), "\(text)")
    }
  }

  /// A decision is made every second.
  @Test(
    "what scaling measures reads neither all jobs nor all that are ready",
    arguments: ["scaling_lanes", "scaling_arrivals", "scaling_running"])
  func scaling(name: String) async throws {
    try await QueueFixture.with { queue in
      try await queue.session.execute(
        """
        select sluice.enqueue('k');
        insert into sluice.job (lane_id, kind, label, payload, max_attempts, created_at)
          select (select min(lane_id) from sluice.lane), 'k', 'k', '{}', 3, now() from generate_series(1, 20000);
        insert into sluice.ready (lane_id, job_id, attempt, epoch, since)
          select lane_id, job_id, 0, 0, now() from sluice.job on conflict do nothing;
        insert into sluice.mark (job_id, step, epoch, format, state, at)
          select job_id, 's', 1, 'f/1', '{}', now() from sluice.job;
        analyze
        """)
      let statement = try #require(jobStoreStatements.first { $0.name == name })
      let plan = try await Self.plan(of: statement, on: queue.session)
      // Leases are as many as slots.
      let whole = Self.wholeReadings(in: plan).filter { $0.table != "lease" }
      #expect(whole.isEmpty, "\(plan.joined(separator: "\n"))")
    }
  }

  private static func plan(of statement: SQLStatement, on session: PostgresConnection) async throws -> [String] {
    let values = (calls[statement.name] ?? unprepared[statement.name]) ?? ""
    try await session.execute("prepare planned as \(statement.text)")
    let call = values.isEmpty ? "planned" : "planned(\(values))"
    let rows = try await session.query(SQLStatement(text: "explain (costs off) execute \(call)"))
    try await session.execute("deallocate planned")
    return rows.compactMap { $0.optionalString(at: 0) }
  }

  /// Lines of a plan that read a large table, or the whole of one of its indexes.
  private static func wholeReadings(in plan: [String]) -> [(line: String, table: String)] {
    plan.indices.compactMap { index in
      let line = plan[index]
      // Partitions of the history are outcome_….
      let table = large.first { name in
        line.contains(" on \(name) ") || line.hasSuffix(" on \(name)") || line.contains(" on \(name)_")
      }
      let isEntered = plan.indices.contains(index + 1) && plan[index + 1].contains("Index Cond")
      let isWhole = line.contains("Seq Scan") || line.contains("Index") && line.contains(" Scan using ") && !isEntered
      return isWhole ? table.map { (line, $0) } : nil
    }
  }
}
