import Glibc
import Postgres
import TestSupport
import Testing

@Suite("A full disk")
struct ScratchFullTests {
  private static let rows = 20_000

  @Test(
    "a scratch folder without room puts the work off until there is some, and every row is in the target once",
    .enabled(if: FullDisk.isAvailable))
  func full() async throws {
    try await TestProject.withProject { project in
      try await TestDatabase.withEmptyDatabase { target in
        try project.write("pipelines/p.yaml", Self.pipeline)
        try project.write("d/a.csv", "id,text\n" + (1...Self.rows).map { "\($0),text number \($0)\n" }.joined())
        let sluice = Installed(project, ["SLUICE_SECRET_WAREHOUSE": target.url])
        try await FullDisk.with(bytes: 64 << 10, at: project.path(".sluice/local/scratch")) { disk in
          let run = try sluice.start("run", "p", name: "run")
          do {
            try await eventually("an attempt fails for want of room; \(try project.text("run.log"))") {
              try await attempts(sluice).contains("retried")
            }
            try disk.grow(to: 512 << 20)
            try await Installed.ended(run)
          } catch {
            sluice.killAll()
            throw error
          }
        }
        let shown = try await sluice("runs", "show", "1", "--json")
        let said = try project.text("run.log")
        #expect(try shown.json("state").text == "succeeded", "\(said)")
        let counted = try #require(
          try await target.pool.query("select count(*) as n, count(distinct id) as ids from public.d").first)
        #expect(try counted.int("n") == Self.rows)
        #expect(try counted.int("ids") == Self.rows)
        #expect(!(try await attempts(sluice).contains("dead")))
      }
    }
  }

  private static let pipeline = """
    pipeline: p
    sources: {s: {files: {at: "file:d"}, streams: {a: {match: "*.csv", records: {format: csv}}}}}
    curate: {d: {from: s.a, columns: {id: {type: bigint, required: true}, text: {type: text}}}}
    load:
      warehouse:
        postgres: {url: "secret:warehouse"}
        tables: {public.d: {from: d, mode: append}}

    """

  private func attempts(_ sluice: Installed) async throws -> [String] {
    try await sluice("runs", "show", "1", "--json").json("jobs").list.flatMap { job in
      job["attempts"].list.compactMap { $0["status"].text }
    }
  }
}
