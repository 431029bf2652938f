import FoundationEssentials
import Glibc
import JobModel
import JobStore
import Migrations
import Postgres
import Synchronization
import TestSupport
import Testing

/// A queue, a sink, and worker processes to injure.
final class FaultBench: Sendable {
  let settings: PostgresSettings
  /// Where workers find the database; a test may put something in between.
  let url: String
  let pool: PostgresPool
  let store: JobStore
  let project: TestProject
  private let workers = Mutex<[WorkerProcess]>([])

  private init(url: String, project: TestProject) throws {
    self.url = url
    self.project = project
    settings = try PostgresSettings(url, applicationName: "fault-test")
    pool = PostgresPool(settings, maximum: 4)
    store = JobStore(database: pool)
  }

  /// In a database of the server that all tests share.
  static func with(_ body: @Sendable (FaultBench) async throws -> Void) async throws {
    try await TestDatabase.withDatabase { try await with(url: $0.url, body) }
  }

  /// In a database of a server of the test's own.
  static func withServer(_ body: @Sendable (OwnServer, FaultBench) async throws -> Void) async throws {
    try await OwnServer.with { server in
      let connection = try await PostgresConnection.connect(PostgresSettings(server.url))
      _ = try await Migrator().migrate(connection)
      await connection.close()
      try await with(url: server.url) { try await body(server, $0) }
    }
  }

  private static func with(url: String, _ body: @Sendable (FaultBench) async throws -> Void) async throws {
    try await TestProject.withProject { project in
      let bench = try FaultBench(url: url, project: project)
      do {
        try await bench.pool.execute(Self.tables)
        try await body(bench)
      } catch {
        let said = bench.said
        try await bench.end()
        throw Injured(cause: error, said: said)
      }
      try await bench.end()
    }
  }

  /// No unique key: what is written twice is there twice.
  static let tables = """
    create table sink (job_id bigint not null, chunk integer not null, epoch bigint not null, pid integer not null,
      at timestamptz not null default clock_timestamp());
    create table begun (job_id bigint not null, epoch bigint not null, attempt integer not null, pid integer not null,
      at timestamptz not null default clock_timestamp())
    """

  /// A failure, with what the workers said before it.
  struct Injured: Error, CustomStringConvertible {
    var cause: any Error
    var said: String
    var description: String { "\(cause)\n\(said)" }
  }

  private func end() async throws {
    for worker in workers.withLock({ $0 }) where worker.ending == nil {
      worker.send(SIGKILL)
      try await worker.ended()
    }
    await pool.close()
  }

  /// The last that the workers said.
  var said: String {
    workers.withLock { $0 }.map {
      "--- \($0.name): \($0.ending.map { "ended with \($0)" } ?? "runs")\n\($0.log.suffix(3000))"
    }
    .joined(separator: "\n")
  }

  // MARK: Workers

  /// Starts a worker, without waiting for it.
  func start(_ name: String, url: String? = nil, lease: Double = 3, _ more: [String: String] = [:]) throws
    -> WorkerProcess
  {
    let variables = ["FAULT_DATABASE": url ?? self.url, "FAULT_NAME": name, "SLUICE_LEASE": "\(lease)"]
    let worker = try WorkerProcess(name, variables.merging(more) { _, new in new }, in: project)
    workers.withLock { $0.append(worker) }
    return worker
  }

  /// Starts workers and waits until they live, and until whoever maintains may revoke: its session is older than a lease.
  func start(_ names: [String], lease: Double = 3, _ more: [String: String] = [:]) async throws -> [WorkerProcess] {
    let started = try names.map { try start($0, lease: lease, more) }
    try await eventually("workers \(names) live: \(said)") {
      let pids = try await store.workers().map(\.pid)
      return started.allSatisfy { pids.contains(Int($0.pid)) }
    }
    // Each looks at the database from its start on, a quarter of a second apart.
    try await eventually("their maintenance has watched for longer than a lease") {
      try await rows(
        "select count(*) from sluice.worker where started_at > now() - make_interval(secs => \(lease + 1))") == ["(0)"]
    }
    return started
  }

  // MARK: Jobs

  func enqueue(_ count: Int, chunks: Int, pause: Int = 0, attempts: Int = 8, more: String = "") async throws -> [JobID]
  {
    let payload = "{\"chunks\":\(chunks),\"pause\":\(pause)\(more.isEmpty ? "" : ",")\(more)}"
    return try await store.enqueue(
      (0..<count).map { _ in NewJob(kind: "chunks", payload: payload, maximumAttempts: attempts) }
    ).map(\.id)
  }

  /// Waits until every job has ended; meanwhile the database may be away.
  func allEnd(within limit: Duration = .seconds(40)) async throws {
    try await eventually(within: limit, "every job ends; \(said)") {
      do {
        return try await rows("select count(*) from sluice.job_state where state not in ('DONE', 'DEAD', 'CANCELLED')")
          == ["(0)"]
      } catch let error as PostgresError where error.isTransient { return false }
    }
  }

  /// Rows as texts, such as `(1,done)`.
  func rows(_ sql: String) async throws -> [String] {
    try await pool.query(SQLStatement(text: "select t::text as row from (\(sql)) t")).map { try $0.string("row") }
  }

  /// How many of the sink's rows there are, of all jobs or of some processes.
  func written(by worker: WorkerProcess? = nil) async throws -> Int {
    let condition = worker.map { "where pid = \($0.pid)" } ?? ""
    return Int(try await pool.query(SQLStatement(text: "select count(*) as n from sink \(condition)")).only.int("n"))
  }

  /// How many attempts of jobs this process has in hand.
  func held(by worker: WorkerProcess) async throws -> Int {
    try await store.workers().first { $0.pid == Int(worker.pid) }?.busy ?? 0
  }

  /// Waits until each of them has written some chunks.
  func areAtWork(_ workers: [WorkerProcess]) async throws {
    try await eventually("they are at work; \(said)") {
      for worker in workers where try await written(by: worker) <= 8 { return false }
      return true
    }
  }

  /// Waits until a worker is at work with all of its four slots.
  func isFull(_ worker: WorkerProcess) async throws {
    try await eventually("it is at work; \(said)") {
      guard try await written(by: worker) > 8 else { return false }
      return try await held(by: worker) == 4
    }
  }

  /// How often attempts ended in each way but `done`.
  func endings() async throws -> [String: Int] {
    let rows = try await pool.query(
      "select status, count(*) as n from sluice.outcome where status <> 'done' group by status")
    return Dictionary(uniqueKeysWithValues: try rows.map { (try $0.string("status"), Int(try $0.int("n"))) })
  }

  /// Nothing is lost, nothing is twice, and what each job was charged is what its history says.
  func expectExactlyOnce(
    _ jobs: [JobID], chunks: Int, sink: PostgresPool? = nil, sourceLocation: SourceLocation = #_sourceLocation
  ) async throws {
    let sunk = try await (sink ?? pool).query(
      "select job_id, count(*) as n, count(distinct chunk) as different from sink group by job_id")
    var counts: [Int64: (Int, Int)] = [:]
    for row in sunk { counts[try row.int("job_id")] = (Int(try row.int("n")), Int(try row.int("different"))) }
    let wrong = jobs.filter { counts[$0.rawValue]?.0 != chunks || counts[$0.rawValue]?.1 != chunks }
    #expect(wrong.isEmpty, "jobs whose chunks are not there once: \(wrong)\n\(said)", sourceLocation: sourceLocation)
    #expect(counts.count == jobs.count, sourceLocation: sourceLocation)
    let states = try await rows("select state, count(*) from sluice.job_state group by state")
    #expect(states == ["(DONE,\(jobs.count))"], "\(said)", sourceLocation: sourceLocation)
    let mischarged = try await rows(
      """
      select job_id, max(attempt) filter (where status = 'done') as attempt,
        count(*) filter (where status in ('crashed', 'retried') and detail->>'charged' is distinct from 'false') as charged, count(*) filter (where status = 'done') as done
      from sluice.outcome group by job_id
      having count(*) filter (where status = 'done') <> 1
        or max(attempt) filter (where status = 'done')
          <> 1 + count(*) filter (where status in ('crashed', 'retried') and detail->>'charged' is distinct from 'false')
      """)
    #expect(mischarged.isEmpty, "\(said)", sourceLocation: sourceLocation)
  }

  /// Attempts were given back or put off, and none was charged.
  func expectNothingCharged(sourceLocation: SourceLocation = #_sourceLocation) async throws {
    let endings = try await endings()
    #expect(
      Set(endings.keys).isSubset(of: ["snoozed", "yielded"]), "\(endings)\n\(said)", sourceLocation: sourceLocation)
  }

  /// Seconds from a moment of the database's clock until a job that a process had begun is begun by another.
  func secondsToTakeOver(from worker: WorkerProcess, since moment: String) async throws -> [Double] {
    try await pool.query(
      """
      select distinct on (later.job_id) extract(epoch from later.at - $1::timestamptz)::double precision as seconds
      from begun b join begun later on later.job_id = b.job_id and later.epoch > b.epoch and later.at > $1::timestamptz
      where b.pid = $2 and later.pid <> $2 order by later.job_id, later.at
      """, [.text(moment), .int(Int64(worker.pid))]
    ).map { try $0.double("seconds") }
  }

  /// The database's clock.
  func moment() async throws -> String {
    try await pool.query("select clock_timestamp()::text as moment").only.string("moment")
  }
}
