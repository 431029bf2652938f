import JobModel
import PipelineDefinition
import Postgres
import Testing

@testable import Loading

@Suite("What a target's failures say")
struct TargetFailureTests {
  private let merge = TargetFixture.table(.merge)

  @Test("a target that is down is named, may be tried again, and its password is not shown")
  func down() async throws {
    try await TargetFixture.with(url: "postgresql://loader:s3cret@127.0.0.1:1/none") { fixture in
      let snapshot = try await fixture.snapshot(1, "select 1 as id")
      let failure = try #require(await fixture.failure(merge, [snapshot]))
      #expect(failure.code == "target_unreachable")
      #expect(failure.isTransient)
      #expect(failure.message.contains("target warehouse"))
      #expect(!failure.description.contains("s3cret"))
      let diagnosis = await fixture.target.diagnose([merge])
      #expect(!diagnosis.ok)
      #expect(!"\(diagnosis)".contains("s3cret"))
    }
  }

  @Test("a url that cannot be read is not repeated in the message")
  func url() async throws {
    try await TargetFixture.with(url: "postgresql://loader:s3cret%zz@host/x") { fixture in
      let snapshot = try await fixture.snapshot(1, "select 1 as id")
      let failure = try #require(await fixture.failure(merge, [snapshot]))
      #expect(failure.code == "target_url")
      #expect(!failure.description.contains("s3cret"))
    }
  }

  @Test("a role without rights fails for good, doctor prints the least grants, and with them the load works")
  func permissions() async throws {
    try await TargetFixture.with { owner in
      let role = "loader_" + owner.directory.suffix(6)
      try await owner.execute(
        "create role \"\(role)\" login; create schema mart; create table mart.orders (id integer primary key, name text)"
      )
      let fixture = TargetFixture(
        url: owner.url.replacing(#/postgresql://[^@]*@/#, with: "postgresql://\(role)@"), directory: owner.directory,
        duckDB: owner.duckDB)
      let snapshot = try await owner.snapshot(1, "select 1 as id, 'a' as name")
      let failure = try #require(await fixture.failure(merge, [snapshot]))
      #expect(failure.code == "target_permission")
      #expect(!failure.isTransient)
      let before = await fixture.target.diagnose([merge])
      #expect(!before.ok)
      try await owner.execute(before.grants)
      let after = await fixture.target.diagnose([merge])
      #expect(after.ok, "\(after.checks.filter { !$0.ok })")
      try await fixture.load(merge, [snapshot], ticket: 2)
      #expect(try await owner.rows("select * from mart.orders") == ["(1,a)"])
      try await owner.execute("drop owned by \"\(role)\" cascade; drop role \"\(role)\"")
    }
  }

  @Test("a table that another session keeps locked is a reason to try again")
  func locked() async throws {
    try await TargetFixture.with { fixture in
      let snapshot = try await fixture.snapshot(1, "select 1 as id")
      try await fixture.load(merge, [snapshot])
      let next = try await fixture.snapshot(2, "select 2 as id")
      let impatient = PostgresTarget(
        name: "warehouse", url: fixture.url, duckDB: fixture.duckDB, directory: fixture.directory,
        lockTimeout: .seconds(1))
      try await fixture.withSession { session in
        try await session.transaction { transaction in
          try await transaction.execute("lock table mart.orders in exclusive mode")
          await #expect {
            try await impatient.load(
              TableLoad(table: merge, snapshots: [snapshot, next]), by: TargetFixture.loader(ticket: 2),
              hooks: LoadHooks())
          } throws: { ($0 as? StageFailure)?.code == "target_locked" && ($0 as? StageFailure)?.isTransient == true }
        }
      }
    }
  }

  @Test("a view is no table")
  func view() async throws {
    try await TargetFixture.with { fixture in
      try await fixture.execute("create schema mart; create view mart.orders as select 1 as id")
      let snapshot = try await fixture.snapshot(1, "select 1 as id")
      #expect(await fixture.failure(merge, [snapshot])?.code == "target_not_a_table")
    }
  }

  @Test(
    "each state of the server has a code, a way out, and whether to try again",
    arguments: [
      ("53100", "target_disk_full", true), ("42501", "target_permission", false), ("25006", "target_read_only", true),
      ("53300", "target_too_many_connections", true), ("40P01", "target_conflict", true),
      ("23503", "target_constraint", false),
    ])
  func states(state: String, code: String, transient: Bool) {
    let error = PostgresError(
      .statement, operation: "apply_merge", message: "as it says", sqlState: state, detail: "secret")
    let failure = TargetFailure.translate(error, target: "warehouse", table: "mart.orders") as? StageFailure
    #expect(failure?.code == code)
    #expect(failure?.isTransient == transient)
    #expect(failure?.message.contains("target warehouse, table mart.orders") == true)
    #expect(failure?.hint != nil)
    #expect(failure?.description.contains("secret") == false)
  }
}
