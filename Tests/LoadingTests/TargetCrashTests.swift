import JobModel
import PipelineDefinition
import Postgres
import TestSupport
import Testing

@testable import Loading

@Suite("A target that crashes")
struct TargetCrashTests {
  private let append = TargetFixture.table(.append)

  @Test("a crash empties what is staged and what says so alike: the next attempt stages again, and rows are there once")
  func crash() async throws {
    try await OwnServer.with { server in
      try await TargetFixture.with(url: server.url) { fixture in
        let snapshot = try await fixture.snapshot(1, "select 1 as id", "select 2 as id")
        let failure = await fixture.failure(
          append, [snapshot], ticket: 1,
          hooks: Steps().hooks(at: .loadBeforeFinal) {
            #expect(try await fixture.rows("select count(*) from sluice_ledger.staged") == ["(2)"])
            try await server.crash()
          })
        #expect(failure?.isTransient == true)
        #expect(try await fixture.rows("select count(*) from sluice_ledger.staged") == ["(0)"])
        let stage = StagingTable.name(table: "mart.orders", snapshot: snapshot.uuid)
        #expect(try await fixture.rows("select count(*) from sluice_ledger.\(stage)") == ["(0)"])

        let steps = Steps()
        try await fixture.load(append, [snapshot], ticket: 2, hooks: steps.hooks())
        #expect(steps[.loadChunkStaged] == 2)
        try await server.crash()
        #expect(try await fixture.rows("select id from mart.orders order by id") == ["(1)", "(2)"])
        #expect(try await fixture.load(append, [snapshot], ticket: 3).map(\.isNew) == [false])
      }
    }
  }

  @Test("when the reply to COMMIT is lost the ledger is asked, and what it has counts as loaded")
  func lostReply() async throws {
    try await OwnServer.with { server in
      try await TargetFixture.with(url: server.url) { fixture in
        let snapshot = try await fixture.snapshot(1, "select 1 as id")
        let loaded = try await withThrowingTaskGroup(of: [LoadedSnapshot].self) { group in
          group.addTask {
            try await fixture.load(
              append, [snapshot], hooks: Steps().hooks(at: .loadInsideFinal) { try await holdCommits(fixture) })
          }
          group.addTask {
            try await endSessionThatWaits(fixture)
            return []
          }
          return try await group.reduce([], +)
        }
        #expect(loaded.map(\.status) == [.loaded])
        #expect(loaded.map(\.isNew) == [true])
        #expect(try await fixture.rows("select id from mart.orders") == ["(1)"])
        #expect(try await fixture.rows("select status from sluice_ledger.ledger") == ["(loaded)"])
      }
    }
  }

  private let waiting = "from pg_stat_activity where wait_event = 'SyncRep'"

  /// From here on a COMMIT takes effect on the server, and its reply waits for a standby that does not exist.
  private func holdCommits(_ fixture: TargetFixture) async throws {
    try await fixture.execute("create table probe (n integer)")
    try await fixture.execute("alter system set synchronous_standby_names = 'nobody'")
    try await fixture.execute("select pg_reload_conf()")
    // The setting arrives when it arrives: commits of our own go on until one waits.
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        try await fixture.withSession { session in
          while !Task.isCancelled { try await session.execute("insert into probe values (1)") }
        }
      }
      try await eventually(within: .seconds(60), "a commit waits") {
        try await fixture.rows("select pg_cancel_backend(pid) \(waiting) and query like 'insert into probe%'") == [
          "(t)"
        ]
      }
      group.cancelAll()
    }
  }

  /// Ends the load's session once its COMMIT waits, and lets commits go again.
  private func endSessionThatWaits(_ fixture: TargetFixture) async throws {
    try await eventually(within: .seconds(120), "the load's commit waits") {
      try await fixture.rows("select pg_terminate_backend(pid) \(waiting) and application_name like 'sluice/%'") == [
        "(t)"
      ]
    }
    try await fixture.execute("alter system reset synchronous_standby_names")
    try await fixture.execute("select pg_reload_conf()")
  }
}
