import FoundationEssentials
import Glibc
import Launchers
import Postgres
import Subprocess
import SystemPackage
import TestSupport
import Testing

/// The service of `Examples/Mailroom`, which embeds the queue: a real process on a real database.
@Suite("Example service")
struct ExampleTests {
  /// The service on a test's database, in a folder of its own for its logs.
  struct Mailroom: Sendable {
    let project: TestProject
    let database: TestDatabase.Handle

    var environment: [String: String] {
      // A short lease, so that the reaper is soon allowed to take back what a killed process held.
      ProcessInfo.processInfo.environment.merging([
        "MAILROOM_DATABASE_URL": database.url, "MAILROOM_PAUSE_MS": "5", "SLUICE_LEASE": "1.2",
      ]) { _, new in new }
    }

    static func with(_ body: @Sendable (Mailroom) async throws -> Void) async throws {
      try await TestProject.withProject { project in
        // Without any table: the service brings its own and the queue's.
        try await TestDatabase.withEmptyDatabase { database in
          let mailroom = Mailroom(project: project, database: database)
          #expect(try await mailroom("migrate") == "")
          try await body(mailroom)
        }
      }
    }

    func callAsFunction(_ arguments: String..., input: String = "") async throws -> String {
      let result = try await run(
        .path(FilePath(Installed.path(of: "mailroom"))), arguments: Arguments(arguments),
        environment: .custom(
          Dictionary(uniqueKeysWithValues: environment.map { (Environment.Key(stringLiteral: $0.key), $0.value) })),
        input: .string(input), output: .string(limit: 4096), error: .string(limit: 1 << 16))
      guard result.terminationStatus.isSuccess else { throw TestSupportError(result.standardError) }
      return result.standardOutput
    }

    func serve() throws -> Int32 {
      try DetachedProcess(
        executable: Installed.path(of: "mailroom"), arguments: ["serve"], environment: environment,
        directory: project.directory, logPath: project.path("mailroom.log")
      ).start()
    }

    func number(_ query: String) async throws -> Int {
      try await Int(database.pool.query(SQLStatement(text: "select (\(query))::bigint as n"))[0].int("n"))
    }

    func letters() async throws -> Int { try await number("select count(*) from mailroom.letter") }

    /// Each recipient of each mailing has exactly one letter, with their own name in it, in order.
    func everyoneHasOneLetter() async throws -> Bool {
      try await number(
        """
        select count(*) from mailroom.recipient r full join (
          select mailing_id, name, row_number() over (partition by mailing_id order by letter_id) as place, body
          from mailroom.letter) l using (mailing_id, name)
        where r.name is null or l.name is null or r.place <> l.place or l.body not like '%Dear ' || name || ',%'
        """) == 0
    }
  }

  private static func names(_ count: Int) -> String { (1...count).map { "N\($0)\n" }.joined() }

  @Test(
    "mailings of the service and of plain SQL are written once each, though it is killed in the middle and started again"
  )
  func killed() async throws {
    try await Mailroom.with { mailroom in
      let count = 3000
      let job = try await mailroom("send", "Moving", "Dear {name}, we move.", input: Self.names(count))
      // As another program would, in one transaction; the README has this statement for one recipient.
      try await mailroom.database.pool.execute(
        """
        with mailing as (
          insert into mailroom.mailing (subject, template) values ('Sale', 'Dear {name}, come.') returning mailing_id
        ), recipient as (
          insert into mailroom.recipient (mailing_id, place, name)
          select mailing_id, n, 'S' || n from mailing, generate_series(1, \(count)) as n
        )
        select sluice.enqueue(
          'mailroom.mailing', jsonb_build_object('mailing', mailing_id), pipeline => 'mailroom',
          unique_key => 'mailing/' || mailing_id, wake => true)
        from mailing
        """)
      // And one whose transaction does not commit.
      try await mailroom.database.pool.execute(
        """
        begin;
        insert into mailroom.mailing (subject, template) values ('Never', '');
        select sluice.enqueue('mailroom.mailing', '{"mailing": 3}');
        rollback
        """)

      let first = try mailroom.serve()
      try await eventually("some letters are written") { try await mailroom.letters() > 400 }
      kill(first, SIGKILL)
      try await Installed.ended(first)
      let written = try await mailroom.letters()
      #expect(written < 2 * count, "it was killed too late to prove anything")

      let second = try mailroom.serve()
      try await eventually(within: .seconds(60), "both mailings are written") {
        try await mailroom.number("select count(*) from mailroom.mailing where written_at is not null") == 2
      }
      kill(second, SIGTERM)
      try await Installed.ended(second)
      #expect(try await mailroom.letters() == 2 * count)
      #expect(try await mailroom.everyoneHasOneLetter())
      #expect(try await mailroom.number("select count(*) from sluice.job") == 2)
      #expect(try await mailroom.number("select count(*) from sluice.job_state where state = 'DONE'") == 2)
      #expect(try await mailroom.number("select count(*) from sluice.live_key") == 0)
      let attempts = try await mailroom.database.pool.query(
        SQLStatement(text: "select status from sluice.outcome where job_id = $1 order by epoch"),
        [.text(job.filter(\.isNumber))])
      #expect(try attempts.map { try $0.string("status") } == ["crashed", "done"])
    }
  }

  @Test("SIGTERM drains it: it stops behind a chunk, exits with 0, and the mailing goes on uncharged")
  func drained() async throws {
    try await Mailroom.with { mailroom in
      let count = 2000
      _ = try await mailroom("send", "Moving", "Dear {name}, we move.", input: Self.names(count))
      let first = try mailroom.serve()
      try await eventually("some letters are written") { try await mailroom.letters() > 100 }
      kill(first, SIGTERM)
      var status: Int32 = 0
      try await eventually("it ends") { waitpid(first, &status, WNOHANG) == first }
      let said = try mailroom.project.text("mailroom.log")
      #expect(status == 0, "\(said)")
      let written = try await mailroom.letters()
      #expect(written < count && written % 20 == 0)
      #expect(
        try await mailroom.number("select attempt from sluice.job_state where state = 'READY'") == 0, "not charged")
      #expect(
        try await mailroom.number("select count(*) from sluice.worker w join sluice.beat b using (worker_id)") == 0)

      let second = try mailroom.serve()
      try await eventually("the mailing is written") {
        try await mailroom.number("select count(*) from mailroom.mailing where written_at is not null") == 1
      }
      try await Installed.stop(second)
      #expect(try await mailroom.letters() == count)
      #expect(try await mailroom.everyoneHasOneLetter())
    }
  }

  @Test("jobs that cannot be done are dead at once and say why; those after them are done")
  func mistakes() async throws {
    try await Mailroom.with { mailroom in
      try await mailroom.database.pool.execute(
        """
        select sluice.enqueue('mailroom.mailing', '{"mailing": 77}', label => 'unknown');
        select sluice.enqueue('mailroom.mailing', '{"maling": 1}', label => 'misspelt')
        """)
      _ = try await mailroom("send", "Moving", "Dear {name}, we move.", input: "Ada\n")
      let service = try mailroom.serve()
      try await eventually("all have ended") {
        try await mailroom.number("select count(*) from sluice.job_state where state in ('DONE', 'DEAD')") == 3
      }
      try await Installed.stop(service)
      let ends = try await mailroom.database.pool.query(
        """
        select label, status, detail->>'code' as code from sluice.outcome join sluice.job using (job_id) order by job_id
        """)
      #expect(
        try ends.map { try [$0.string("label"), $0.string("status"), $0.optionalString("code")] } == [
          ["unknown", "dead", "mailing_unknown"], ["misspelt", "dead", "payload_unreadable"], ["Moving", "done", nil],
        ])
    }
  }
}
