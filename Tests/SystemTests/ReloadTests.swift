import JobModel
import Postgres
import TestSupport
import Testing

@Suite("A target's table that is loaded again")
struct ReloadTests {
  private static let pipeline = """
    pipeline: p
    sources: {drops: {files: {at: "file:incoming"}, streams: {rows: {match: "*.csv", records: {format: csv}, key: [id]}}}}
    curate: {d: {from: [drops.rows], columns: {id: {type: bigint, required: true}, name: {type: text}}}}
    load: {warehouse: {postgres: {url: "secret:warehouse"}, tables: {public.d: {from: d, mode: merge, key: [id]}}}}

    """

  @Test("a run after a truncation fails with the command that loads the table again, and the command does")
  func reload() async throws {
    try await TestProject.withProject { project in
      try await TestDatabase.withEmptyDatabase { database in
        let sluice = Installed(project, ["SLUICE_SECRET_WAREHOUSE": database.url])
        defer { sluice.killAll() }
        try project.write("pipelines/p.yaml", Self.pipeline)
        try project.write("incoming/1.csv", "id,name\n1,a\n2,b\n3,c\n")
        #expect(try await sluice("run", "p", "--wait").status == 0)
        try await database.pool.execute("truncate d")
        try project.write("incoming/2.csv", "id,name\n4,d\n5,e\n")
        let failed = try await sluice("run", "p", "--wait", "--json")
        #expect(failed.status == 1)
        #expect(failed.output.contains("sluice reload p --target warehouse --table 'public.d'"), "\(failed.output)")
        #expect(try await ids(database).isEmpty)

        let unknown = try await sluice("reload", "p", "--table", "public.e", "--json")
        #expect(unknown.status == 2, "\(unknown.errors)")
        let reloaded = try await sluice(
          "reload", "p", "--target", "warehouse", "--table", "public.d", "--reason", "the disk was full", "--wait",
          "--json")
        #expect(reloaded.status == 0, "\(reloaded.errors)")
        #expect(try reloaded.json("kind").text == "load")
        #expect(try reloaded.json("stages", "load", "inserted").int == 5)
        #expect(try await ids(database) == [1, 2, 3, 4, 5])
        let shown = try await sluice("runs", "show", "\(try reloaded.json("run").int ?? 0)", "--json")
        #expect(try shown.json("events").list.first?["message"].text?.contains("the disk was full") == true)
        #expect(try await sluice("run", "p", "--wait").status == 0)

        try await database.pool.execute("truncate d")
        #expect(try await sluice("reload", "p", "--accept", "--wait").status == 0)
        #expect(try await ids(database).isEmpty)
        try project.write("incoming/3.csv", "id,name\n6,f\n")
        #expect(try await sluice("run", "p", "--wait").status == 0)
        #expect(try await ids(database) == [6])
      }
    }
  }

  @Test("a snapshot that the table refuses is left out by its number, and the later ones are loaded")
  func without() async throws {
    try await TestProject.withProject { project in
      try await TestDatabase.withEmptyDatabase { database in
        let sluice = Installed(project, ["SLUICE_SECRET_WAREHOUSE": database.url])
        defer { sluice.killAll() }
        try project.write(
          "pipelines/p.yaml", Self.pipeline.replacing("mode: merge, key: [id]", with: "mode: append, apply: per_chunk"))
        try await database.pool.execute("create table d (id bigint, name text not null, _sluice_batch uuid)")
        try project.write("incoming/1.csv", "id,name\n1,a\n")
        #expect(try await sluice("run", "p", "--wait").status == 0)
        try project.write("incoming/2.csv", "id,name\n2,b\n3,\n")
        let failed = try await sluice("run", "p", "--wait", "--json")
        #expect(failed.status == 1)
        #expect(
          failed.output.contains("sluice reload p --target warehouse --table 'public.d' --without "), "\(failed.output)"
        )
        let skipped = try await sluice("runs", "skip", "\(try failed.json("run").int ?? 0)", "--reason", "x")
        #expect(skipped.status == 1 && skipped.errors.contains("--without SNAPSHOT"), "\(skipped.errors)")
        try project.write("incoming/3.csv", "id,name\n4,d\n")
        #expect(try await sluice("run", "p", "--wait").status == 1)
        for mistake in [["--without", "77"], ["--without", "2", "--accept"], ["--without", "x; drop"]] {
          #expect(try await sluice.call(["reload", "p"] + mistake).status == 2)
        }
        let left = try await sluice(
          "reload", "p", "--without", "2", "--reason", "a broken delivery", "--wait", "--json")
        #expect(left.status == 0, "\(left.errors)")
        #expect(try await ids(database) == [1, 4])
        let shown = try await sluice("runs", "show", "\(try left.json("run").int ?? 0)", "--json")
        let events = try shown.json("events").list.compactMap { $0["kind"].text }
        #expect(Set(events) == ["reload", "left_out"])
        #expect(try await sluice("run", "p", "--wait").status == 0)
        #expect(try await ids(database) == [1, 4])
        // One that is in, named twice.
        let twice = try await sluice("reload", "p", "--without", "1", "--without", "1", "--wait", "--json")
        #expect(twice.status == 0, "\(twice.errors)")
        #expect(try await ids(database) == [4])
      }
    }
  }

  private func ids(_ database: TestDatabase.Handle) async throws -> [Int64] {
    try await database.pool.query(SQLStatement(text: "select id from d order by id"), []).map { try $0.int("id") }
  }
}
