import JobModel
import PipelineDefinition
import Postgres
import TestSupport
import Testing

@testable import Loading

@Suite("Loads of environments that env up made, and loads of others")
struct TargetGuardTests {
  private static func mark(_ name: String, _ fixture: TargetFixture) async throws {
    let marker = EnvironmentMarker(
      .environment, owner: "sluice", name: name, token: "t", by: "me", folder: "/p", made: 0)
    let database = try await fixture.rows("select current_database()::text")[0].dropFirst().dropLast()
    try await fixture.execute(
      "comment on database \(quoteIdentifier(String(database))) is \(quoteLiteral(try marker.comment()))")
  }

  private static func loader(_ environment: String, isCopy: Bool) -> Loader {
    Loader(
      installation: "here", environment: environment, pipeline: "shop", jobID: JobID(1), ticket: 1, isCopy: isCopy)
  }

  private func load(_ fixture: TargetFixture, by loader: Loader) async throws -> (any Failure)? {
    let snapshot = try await fixture.snapshot(1, "select 1 as id")
    let load = TableLoad(table: TargetFixture.table(.append), snapshots: [snapshot])
    do {
      _ = try await fixture.target.load(load, by: loader, hooks: LoadHooks())
      return nil
    } catch { return error as? any Failure }
  }

  @Test(
    "the database of an environment is loaded by that environment only, and it loads into no other",
    arguments: [
      ("pr-1", "pr-1", true, nil), ("pr-1", "pr-2", true, "target_of_copy"), ("pr-1", "prod", false, "target_of_copy"),
      ("pr-1", "pr-1", false, "target_of_copy"), (nil, "pr-1", true, "target_refuses_copy"), (nil, "prod", false, nil),
    ] as [(String?, String, Bool, String?)])
  func kept(marked: String?, environment: String, isCopy: Bool, code: String?) async throws {
    try await TargetFixture.with { fixture in
      if let marked { try await Self.mark(marked, fixture) }
      let loader = Self.loader(environment, isCopy: isCopy)
      let failure = try await load(fixture, by: loader)
      #expect(failure?.code == code, "\(String(describing: failure))")
      let isThere = try await !fixture.rows("select from pg_namespace where nspname = 'mart'").isEmpty
      #expect(isThere == (code == nil))
      guard code != nil else { return }
      let snapshot = try await fixture.snapshot(2, "select 1 as id")
      await #expect(throws: StageFailure.self) {
        try await fixture.target.preview(
          TableLoad(table: TargetFixture.table(.append), snapshots: [snapshot]), by: loader)
      }
    }
  }

  @Test("a marked database whose ledger names another environment is refused")
  func ledger() async throws {
    try await TargetFixture.with { fixture in
      #expect(try await load(fixture, by: Self.loader("prod", isCopy: false)) == nil)
      try await Self.mark("pr-1", fixture)
      let failure = try await load(fixture, by: Self.loader("pr-1", isCopy: true))
      #expect(failure?.code == "target_refuses_copy")
      #expect(failure?.message.contains("prod") == true)
      #expect(try await fixture.rows("select count(*) from mart.orders") == ["(1)"])
    }
  }
}
