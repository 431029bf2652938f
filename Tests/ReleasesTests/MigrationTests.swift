import JobModel
import JobStore
import Migrations
import Postgres
import TestSupport
import Testing

@testable import Releases

@Suite("Migrations beside releases")
struct MigrationTests {
  private func migration(breaking: Bool) -> Migration {
    let text = (breaking ? "--! breaking" : "--! compatible") + "\ncreate table sluice.later_engine (n integer);\n"
    return Migration(number: 9000, name: "later_engine", bytes: Array(text.utf8))
  }

  @Test("a compatible one runs beside older workers; a breaking one waits for them and for releases with work")
  func breaking() async throws {
    try await ReleaseBench.with { bench in
      let one = try await bench.current("one")
      try await bench.run()
      let breaking = Migrator(migrations: Migration.all + [migration(breaking: true)])
      do {
        _ = try await breaking.migrate(bench.session)
        Issue.record("a release that does not know it has work")
      } catch let refusal as MigrationRefused {
        #expect(refusal.holders == ["release one"])
        #expect(refusal.message.contains("9000"))
      }
      let worker = try await bench.worker(of: one)
      let ingest = try #require(try await bench.claim(worker, of: one).first)
      try await bench.complete(ingest)
      let curate = try #require(try await bench.claim(worker, of: one).first)
      try await bench.complete(curate)
      do {
        _ = try await breaking.migrate(bench.session)
        Issue.record("a worker that does not know it lives")
      } catch let refusal as MigrationRefused { #expect(refusal.holders == ["worker \(worker) on h"]) }

      let compatible = Migrator(migrations: Migration.all + [migration(breaking: false)])
      #expect(try await compatible.migrate(bench.session).map(\.number) == [9000])
      try await bench.session.execute(
        "drop table sluice.later_engine; delete from sluice.migration where number = 9000")
      try await bench.store.workerLeaves(worker)
      #expect(try await breaking.migrate(bench.session).map(\.number) == [9000])
    }
  }
}
