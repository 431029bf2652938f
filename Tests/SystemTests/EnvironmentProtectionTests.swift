import Glibc
import Postgres
import TestSupport
import Testing

@testable import sluice

/// What protects other environments, each tried with the real program.
@Suite("Protection of environments")
struct EnvironmentProtectionTests {
  private typealias Shop = EnvironmentTests

  @Test(
    "a database that lost its mark is removed by force where the token in it says whose it is, and is no one's otherwise"
  )
  func lostMark() async throws {
    try await Shop.inProject { sluice, database in
      #expect(try await sluice("env", "up", "pr-1").status == 0)
      let name = "\(try await Shop.own(database))-env-pr-1"
      try await Shop.comment(on: name, "Anna", database)
      let refuses = { (verb: String, hint: String, more: [String]) in
        let outcome = try await sluice.call(["env", verb, "pr-1", "--yes", "--json"] + more)
        #expect(outcome.status == 3)
        #expect(try outcome.json("error", "code").text == "mark_unreadable", "\(outcome.errors)")
        #expect(try outcome.json("error", "hint").text?.contains(hint) == true, "\(outcome.output)")
        #expect(sluice.project.exists(".sluice/storage-pr-1"))
        #expect(try await Shop.databases(database) == [name])
      }
      try await refuses("down", "--force", [])
      try await refuses("reset", "--force", [])
      #expect(try await sluice("env", "sweep").output.contains("nothing is to be removed"))
      // Another token in it: nothing proves that it is this environment's.
      let said = try await Shop.withDatabase(name, database) { pool in
        let said = try await pool.query("select obj_description('sluice'::regnamespace) as said", []).first?.string(
          "said")
        try await pool.execute("comment on schema sluice is 'made by sluice env up: 0'")
        return said ?? ""
      }
      try await refuses("down", "rename or drop the database yourself", ["--force"])
      try await Shop.withDatabase(name, database) { pool in
        try await pool.execute("comment on schema sluice is '\(said)'")
      }
      let down = try await sluice("env", "down", "pr-1", "--yes", "--force", "--json")
      #expect(down.status == 0, "\(down.errors)")
      #expect(try down.json("removed").list.compactMap { $0["kind"].text } == ["database", "storage"])
      #expect(try await Shop.databases(database) == [])
      // Force is no more than that: a mark of another environment, and protection, stay in force.
      #expect(try await sluice("env", "up", "pr-1").status == 0)
      #expect(try await sluice("env", "up", "pr-1-old").status == 0)
      #expect(try await sluice("env", "protect", "pr-1").status == 0)
      #expect(try await sluice("env", "down", "pr-1", "--yes", "--force").status == 3)
      // Whatever becomes of the name and the comment of its database.
      let refusesProtected = {
        let outcome = try await sluice("env", "down", "pr-1", "--yes", "--force", "--json")
        #expect(try outcome.status == 3 && outcome.json("error", "code").text == "protected", "\(outcome.output)")
        #expect(sluice.project.exists(".sluice/storage-pr-1"))
      }
      try await database.pool.execute("alter database \"\(name)\" rename to \"\(name)x\"")
      try await refusesProtected()
      try await database.pool.execute("alter database \"\(name)x\" rename to \"\(name)\"")
      let mark = try await Shop.comment(name, database)
      try await Shop.comment(on: name, "Anna", database)
      try await refusesProtected()
      try await Shop.comment(on: name, try #require(mark), database)
      // One that was there before keeps its name.
      #expect(try await sluice("env", "up", "pr-1-old").status == 0)
      #expect(try await sluice("env", "down", "pr-1-old", "--yes").status == 0)
      // Names that are taken for the protected one's.
      for other in ["pr1", "pr-l", "pr-1-copy"] {
        let up = try await sluice("env", "up", other, "--json")
        #expect(try up.status == 2 && up.json("error", "code").text == "environment_name", "\(other): \(up.errors)")
      }
      #expect(try await sluice("env", "protect", "pr-1", "--off").status == 0)
      #expect(try await sluice("env", "down", "pr-1", "--yes").status == 0)
    }
  }

  @Test("one reads no secret of the project by any name, and no verb takes a folder in .sluice for an environment")
  func withheld() async throws {
    try await Shop.inProject { sluice, database in
      try sluice.project.write("secrets/warehouse", database.url)
      let source = """
        http: {base_url: "http://127.0.0.1:9", auth: {bearer: "secret:warehouse"}}, \
        streams: {orders: {get: /orders, records: {format: csv}, key: [id]}}
        """
      try sluice.project.write(
        "pipelines/shop.yaml",
        "pipeline: shop\nsources: {drops: {\(source)}}\n"
          + "curate: {orders: {from: drops.orders, columns: {id: {type: bigint, required: true}}}}\n")
      #expect(try await sluice("env", "up", "pr-1").status == 0)
      let run = try await sluice(
        "run", "shop", "--env", "pr-1", "--wait", adding: ["SLUICE_SECRET_WAREHOUSE": database.url])
      #expect(run.status == 1 && run.output.contains("secret_withheld"), "\(run.output)\(run.errors)")
      #expect(!run.output.contains(database.url) && !run.errors.contains(database.url))
      #expect(try await sluice("env", "down", "pr-1", "--yes").status == 0)
      for name in ["postgres", "storage-pr-1"] {
        for verb in [["run", "shop"], ["up"]] {
          let outcome = try await sluice.call(verb + ["--env", name])
          #expect(outcome.status == 2 && outcome.errors.contains("is not free"), "\(verb) \(name): \(outcome.errors)")
        }
        #expect(!sluice.project.exists(".sluice/\(name)"))
      }
    }
  }
}
