import JobModel
import PipelineDefinition
import Postgres
import Testing

@testable import Loading

@Suite("Loading exactly once")
struct ExactlyOnceTests {
  private let append = TargetFixture.table(.append)
  private let rows = "select id from mart.orders order by id"

  @Test("the same load again changes nothing")
  func again() async throws {
    try await TargetFixture.with { fixture in
      let snapshot = try await fixture.snapshot(1, "select 1 as id", "select 2 as id")
      let first = try await fixture.load(append, [snapshot], ticket: 5)
      let second = try await fixture.load(append, [snapshot], ticket: 6)
      #expect(first.map(\.isNew) == [true])
      #expect(second.map(\.isNew) == [false])
      #expect(second.map(\.inserted) == [2])
      #expect(try await fixture.rows(rows) == ["(1)", "(2)"])
      #expect(try await fixture.rows("select ticket, rows from sluice_ledger.ledger") == ["(5,2)"])
      #expect(try await fixture.rows("select ticket from sluice_ledger.head") == ["(6)"])
      #expect(try await fixture.staged().isEmpty)
    }
  }

  @Test(
    "an attempt that ends at any step is followed by one that finishes, and every row is there once",
    arguments: [KillPoint.loadChunkStaged, .loadBeforeFinal, .loadInsideFinal, .loadCommitted])
  func anyStep(point: KillPoint) async throws {
    try await TargetFixture.with { fixture in
      let snapshots = [
        try await fixture.snapshot(1, "select 1 as id", "select 2 as id", "select 3 as id"),
        try await fixture.snapshot(2, "select 4 as id"),
      ]
      await #expect(throws: Fault.self) {
        try await fixture.load(append, snapshots, ticket: 1, hooks: Steps().hooks(at: point) { throw Fault() })
      }
      let steps = Steps()
      try await fixture.load(append, snapshots, ticket: 2, hooks: steps.hooks())
      #expect(try await fixture.rows(rows) == ["(1)", "(2)", "(3)", "(4)"])
      #expect(try await fixture.rows("select count(*) from sluice_ledger.ledger") == ["(2)"])
      #expect(try await fixture.staged().isEmpty)
      // What was staged is not staged again.
      switch point {
      case .loadBeforeFinal, .loadInsideFinal, .loadCommitted: #expect(steps[.loadChunkStaged] == 1)
      default: #expect(steps[.loadChunkStaged] < 4)
      }
    }
  }

  @Test("a lower ticket is refused and changes nothing")
  func lowerTicket() async throws {
    try await TargetFixture.with { fixture in
      let first = try await fixture.snapshot(1, "select 1 as id")
      let second = try await fixture.snapshot(2, "select 2 as id")
      try await fixture.load(append, [first], ticket: 9)
      let failure = await fixture.failure(append, [first, second], ticket: 8)
      #expect(failure?.code == "fenced")
      #expect(failure?.message.contains("ticket 9") == true)
      #expect(try await fixture.rows(rows) == ["(1)"])
      #expect(try await fixture.rows("select ticket from sluice_ledger.head") == ["(9)"])
    }
  }

  @Test(
    "a zombie that hangs inside its final transaction is ended by its successor, whatever job that is",
    arguments: [1, 2])
  func zombie(job: Int64) async throws {
    try await TargetFixture.with { fixture in
      let snapshot = try await fixture.snapshot(1, "select 1 as id")
      let failure = await fixture.failure(
        append, [snapshot], ticket: 1,
        hooks: Steps().hooks(at: .loadInsideFinal) {
          // The zombie holds the head's lock while its successor does the whole load.
          let loaded = try await fixture.load(append, [snapshot], ticket: 2, job: job)
          #expect(loaded.map(\.isNew) == [true])
        })
      #expect(failure != nil)
      #expect(failure?.isTransient == true)
      #expect(try await fixture.rows(rows) == ["(1)"])
      #expect(try await fixture.rows("select ticket from sluice_ledger.ledger") == ["(2)"])
    }
  }

  @Test("a zombie that was overtaken while it staged can neither stage nor finish")
  func overtaken() async throws {
    try await TargetFixture.with { fixture in
      let snapshot = try await fixture.snapshot(1, "select 1 as id", "select 2 as id", "select 3 as id")
      let failure = await fixture.failure(
        append, [snapshot], ticket: 1,
        hooks: Steps().hooks(at: .loadBeforeFinal) { try await fixture.load(append, [snapshot], ticket: 2) })
      #expect(failure?.isTransient == true)
      #expect(try await fixture.rows(rows) == ["(1)", "(2)", "(3)"])
      #expect(try await fixture.rows("select ticket from sluice_ledger.ledger") == ["(2)"])
      #expect(try await fixture.staged().isEmpty)
    }
  }

  @Test("another load of the same role with another table is left alone")
  func bystander() async throws {
    try await TargetFixture.with { fixture in
      let snapshot = try await fixture.snapshot(1, "select 1 as id")
      let other = TargetFixture.table(.append, name: "invoices")
      try await fixture.load(
        append, [snapshot], ticket: 1, job: 1,
        hooks: Steps().hooks(at: .loadInsideFinal) {
          try await fixture.load(other, [snapshot], ticket: 2, job: 2)
        })
      #expect(try await fixture.rows(rows) == ["(1)"])
      #expect(try await fixture.rows("select id from mart.invoices") == ["(1)"])
    }
  }

  @Test("backends killed between the chunks and the final transaction cost nothing that is staged")
  func killedBackends() async throws {
    try await TargetFixture.with { fixture in
      let snapshot = try await fixture.snapshot(1, "select 1 as id", "select 2 as id")
      let failure = await fixture.failure(
        append, [snapshot], ticket: 1,
        hooks: Steps().hooks(at: .loadBeforeFinal) {
          let ended = try await fixture.rows(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity "
              + "where application_name = 'sluice/1/1' and datname = current_database()")
          #expect(ended == ["(t)"])
        })
      #expect(failure?.isTransient == true)
      #expect(failure?.message.contains("warehouse") == true)
      let steps = Steps()
      try await fixture.load(append, [snapshot], ticket: 2, hooks: steps.hooks())
      #expect(steps[.loadChunkStaged] == 0)
      #expect(try await fixture.rows(rows) == ["(1)", "(2)"])
    }
  }

  @Test(
    "the final transaction refuses when what is staged is not what the catalog says, and the next attempt stages anew",
    arguments: [
      "delete from STAGE where id = 2", "insert into STAGE values (7)",
      "update sluice_ledger.staged set rows = 2 where chunk = 0", "delete from sluice_ledger.staged where chunk = 1",
    ])
  func tampered(statement: String) async throws {
    try await TargetFixture.with { fixture in
      let snapshot = try await fixture.snapshot(1, "select 1 as id", "select 2 as id")
      let stage = "sluice_ledger." + StagingTable.name(table: "mart.orders", snapshot: snapshot.uuid)
      let failure = await fixture.failure(
        append, [snapshot], ticket: 1,
        hooks: Steps().hooks(at: .loadBeforeFinal) {
          try await fixture.execute(statement.replacing("STAGE", with: stage))
        })
      #expect(failure?.code == "staged_rows_differ")
      #expect(try await fixture.rows("select count(*) from sluice_ledger.ledger") == ["(0)"])
      try await fixture.load(append, [snapshot], ticket: 2)
      #expect(try await fixture.rows(rows) == ["(1)", "(2)"])
    }
  }

  @Test("a data file with other rows than the catalog says stages nothing")
  func otherRows() async throws {
    try await TargetFixture.with { fixture in
      var snapshot = try await fixture.snapshot(1, "select 1 as id")
      snapshot.files[0].rows = 2
      #expect(await fixture.failure(append, [snapshot])?.code == "data_file_differs")
      #expect(try await fixture.rows("select count(*) from sluice_ledger.staged") == ["(0)"])
    }
  }

  @Test("what a newer full snapshot supersedes is in the ledger as such, and its staging is gone")
  func superseded() async throws {
    try await TargetFixture.with { fixture in
      let merge = TargetFixture.table(.merge)
      let old = try await fixture.snapshot(1, full: true, "select 1 as id")
      let part = try await fixture.snapshot(2, "select 2 as id")
      let new = try await fixture.snapshot(3, full: true, "select 3 as id")
      await #expect(throws: Fault.self) {
        try await fixture.load(merge, [old], hooks: Steps().hooks(at: .loadBeforeFinal) { throw Fault() })
      }
      #expect(try await !fixture.staged().isEmpty)
      let loaded = try await fixture.load(merge, [old, part, new], ticket: 2)
      #expect(loaded.map(\.status) == [.superseded, .superseded, .loaded])
      #expect(loaded.map(\.isNew) == [true, true, true])
      #expect(try await fixture.rows("select * from mart.orders") == ["(3)"])
      #expect(try await fixture.staged().isEmpty)
    }
  }

  @Test("a staging table of another layout is begun anew")
  func otherLayout() async throws {
    try await TargetFixture.with { fixture in
      var snapshot = try await fixture.snapshot(1, "select 1::integer as id")
      await #expect(throws: Fault.self) {
        try await fixture.load(append, [snapshot], hooks: Steps().hooks(at: .loadBeforeFinal) { throw Fault() })
      }
      snapshot.columns = [SnapshotToLoad.Column("id", "bigint")]
      try await fixture.execute("drop table mart.orders")
      try await fixture.load(append, [snapshot], ticket: 2)
      #expect(try await fixture.rows("select id, pg_typeof(id) from mart.orders") == ["(1,bigint)"])
    }
  }

  @Test("snapshot numbers that were issued again after a restore neither repeat nor skip")
  func restoredNumbers() async throws {
    try await TargetFixture.with { fixture in
      let lost = try await fixture.snapshot(7, "select 1 as id")
      try await fixture.load(append, [lost], ticket: 1)
      // The restored control database knows nothing of snapshot 7 and gives its number to another one.
      var reissued = try await fixture.snapshot(7, "select 2 as id")
      reissued.uuid = TargetFixture.uuid(70)
      try await fixture.load(append, [reissued], ticket: 2)
      try await fixture.load(append, [reissued], ticket: 3)
      #expect(try await fixture.rows(rows) == ["(1)", "(2)"])
    }
  }

  @Test("the ledger's schema may be created by many at once")
  func concurrentCreation() async throws {
    try await TargetFixture.with { fixture in
      let snapshot = try await fixture.snapshot(1, "select 1 as id")
      try await withThrowingTaskGroup(of: Void.self) { group in
        for table in 1...6 {
          group.addTask {
            try await fixture.load(
              TargetFixture.table(.append, name: "t\(table)"), [snapshot], ticket: Int64(table), job: Int64(table))
          }
        }
        try await group.waitForAll()
      }
      #expect(try await fixture.rows("select count(*) from sluice_ledger.ledger") == ["(6)"])
    }
  }
}
