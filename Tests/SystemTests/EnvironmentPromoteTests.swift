import Catalog
import FoundationEssentials
import Glibc
import ObjectStore
import PipelineDefinition
import Postgres
import TestSupport
import Testing

@testable import sluice

/// `sluice env promote` with real processes and databases.
@Suite("Promotion of datasets")
struct EnvironmentPromoteTests {
  private typealias Shop = EnvironmentTests

  private static func pipeline(
    expect: Int = 3, name: String = "name: {type: text}", read: String = "new", load: Bool = true
  ) -> String {
    """
    pipeline: shop
    sources: {drops: {files: {at: "file:drops"}, streams: {orders: {match: "*.csv", read: \(read), records: {format: csv}, key: [id]}}}}
    curate:
      orders:
        from: drops.orders
        \(load ? "sql: sql/orders.sql" : "")
        columns: {id: {type: bigint, required: true}, \(name)}
        checks: [{sql: "select count(*) from orders", expect: \(expect)}]
    \(load ? "load: {warehouse: {postgres: {url: \"secret:warehouse\"}, tables: {mart.orders: {from: orders, mode: merge, key: [id]}}}}" : "")

    """
  }

  private static func refuses(
    _ sluice: Installed, _ code: String, _ reason: String, sourceLocation: SourceLocation = #_sourceLocation
  ) async throws {
    let outcome = try await sluice("env", "promote", "pr-1", "--dataset", "orders", "--json")
    #expect(outcome.status == 3, "\(outcome.output)\(outcome.errors)", sourceLocation: sourceLocation)
    #expect(try outcome.json("error", "code").text == code, "\(outcome.output)", sourceLocation: sourceLocation)
    #expect(
      try outcome.json("error", "message").text?.contains(reason) == true, "\(outcome.output)",
      sourceLocation: sourceLocation)
  }

  private static func number(_ query: String, _ database: TestDatabase.Handle) async throws -> Int64? {
    try await database.pool.query(SQLStatement(text: "select (\(query))::bigint as n")).first?.int("n")
  }

  @Test("data files of several jobs get a name each, by partition and number")
  func keys() throws {
    let names = ["12-1-aaaa", "13-1-bbbb"].enumerated().map { chunk, attempt in
      DataFile(
        chunk: chunk, key: "curated/shop/orders/\(attempt)/part-0.parquet", partition: "", rows: 1, bytes: 1, sha256: ""
      )
    }
    var partitioned = names[0]
    partitioned.partition = "day=2024-01-01"
    #expect(
      try (names + [partitioned]).map { try EnvironmentPromotion.key(of: $0, "curated/shop/orders/promoted-1").text }
        == [
          "curated/shop/orders/promoted-1/part-0.parquet", "curated/shop/orders/promoted-1/part-1.parquet",
          "curated/shop/orders/promoted-1/day=2024-01-01/part-0.parquet",
        ])
  }

  @Test("rows that were computed from everything are of earlier runs too where a stream brought nothing")
  func idle() {
    let reference = StreamReference(source: "drops", stream: "orders")
    var step = CurateStep(name: "orders", from: [reference], over: .all)
    let stream = StreamID(pipeline: "shop", source: "drops", stream: "orders")
    let raw = [DueRaw(stream: stream, objects: [], runs: [], superseded: [])]
    #expect(Promotable.idle(step, raw) == stream)
    step.over = .batch
    #expect(Promotable.idle(step, raw) == nil)
  }

  @Test(
    "what an environment verified on the raw that the model failed on is published once, and loaded by the next run")
  func failed() async throws {
    try await Shop.inProject { sluice, database in
      try sluice.project.write("secrets/warehouse", database.url)
      try sluice.project.write("sql/orders.sql", "select id, name from orders\n")
      try sluice.project.write("pipelines/shop.yaml", Self.pipeline())
      #expect(try await sluice("env", "up", "pr-1").status == 0)
      #expect(try await sluice("env", "promote", "pr-1", "--dataset", "orders").status == 2)
      #expect(try await sluice("run", "shop", "--wait", "--env", "pr-1").status == 0)
      try await Self.refuses(sluice, "not_promotable", "has not ingested its raw")

      try sluice.project.write("pipelines/shop.yaml", Self.pipeline(expect: 99))
      #expect(try await sluice("run", "shop", "--wait").status == 1)
      try await Self.refuses(sluice, "not_promotable", "its definition")
      try sluice.project.write("pipelines/shop.yaml", Self.pipeline())
      try await database.pool.execute("update sluice.raw_object set sha256 = reverse(sha256)")
      try await Self.refuses(sluice, "not_promotable", "the stream drops.orders has other raw")
      try await database.pool.execute("update sluice.raw_object set sha256 = reverse(sha256)")

      let killed = try await sluice(
        "env", "promote", "pr-1", "--dataset", "orders", adding: ["SLUICE_KILL_AT": EnvironmentStep.brought.rawValue])
      #expect(killed.status == 128 + Int(SIGKILL), "\(killed.errors)")
      #expect(try await Self.number("select count(*) from sluice.snapshot", database) == 0)

      // A run that begins while it waits for its locks.
      let open =
        "insert into sluice.run (pipeline, kind, release_id, state, pending, run_at, created_at)"
        + " select 'shop', 'batch', min(release_id), 'queued', 1, now(), now() from sluice.release"
      let session = try await PostgresConnection.connect(try PostgresSettings(database.url))
      try await session.execute(
        "begin; select pg_advisory_xact_lock(hashtextextended('sluice/snapshot/shop/orders', 0))")
      let waiting = try sluice.start("env", "promote", "pr-1", "--dataset", "orders", name: "promote")
      try await eventually("it waits for the dataset") {
        try await Self.number(
          "select count(*) from pg_locks where not granted and locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())",
          database)
          == 1
      }
      try await database.pool.execute(open)
      try await session.execute("commit")
      await session.close()
      try await Installed.ended(waiting)
      let said = try sluice.project.text("promote.log")
      #expect(said.contains("has not ended"), "\(said)")
      try await Self.refuses(sluice, "model_busy", "has not ended")
      try await database.pool.execute("delete from sluice.run where state = 'queued'")

      let published = try await sluice("env", "promote", "pr-1", "--dataset", "shop.orders", "--json")
      #expect(published.status == 0, "\(published.errors)")
      #expect(try published.json("published") == .bool(true) && published.json("rows").int == 3)
      let again = try await sluice("env", "promote", "pr-1", "--dataset", "orders", "--json")
      #expect(try again.status == 0 && again.json("published") == .bool(false), "\(again.errors)")
      #expect(try await Self.number("select count(*) from sluice.snapshot", database) == 1)
      // Nothing is due, and the data stays when the environment goes.
      #expect(try await sluice("env", "down", "pr-1", "--yes").status == 0)
      let rows = try await sluice("query", "select count(*) as n from orders", "--json")
      #expect(rows.output.contains("{\"n\":3}"), "\(rows.output)\(rows.errors)")
      let run = try await sluice("run", "shop", "--wait", "--json")
      #expect(run.status == 0, "\(run.errors)")
      #expect(try run.json("stages", "curate", "rows_in").int == 0)
      #expect(try await Self.number("select count(*) from mart.orders", database) == 3)
      #expect(try await Self.number("select count(*) from sluice.snapshot", database) == 1)
    }
  }

  @Test(
    "a full dataset that the model made with another definition from the same raw is replaced; doubtful ones are refused"
  )
  func replaced() async throws {
    try await Shop.inProject { sluice, database in
      let full = { (name: String) in Self.pipeline(name: name, read: "full", load: false) }
      try sluice.project.write("pipelines/shop.yaml", full("name: {type: text}"))
      #expect(try await sluice("run", "shop", "--wait").status == 0)
      try sluice.project.write("pipelines/shop.yaml", full("name: {type: text, required: true}"))
      #expect(try await sluice("env", "up", "pr-1").status == 0)
      #expect(try await sluice("run", "shop", "--wait", "--env", "pr-1").status == 0)
      let published = try await sluice("env", "promote", "pr-1", "--dataset", "orders", "--json")
      #expect(published.status == 0, "\(published.errors)")
      #expect(try await Self.number("select count(*) from sluice.snapshot", database) == 2)
      #expect(
        try await Self.number(
          "select count(*) from sluice.snapshot where previous_id = (select snapshot_id from sluice.snapshot order by number limit 1)",
          database) == 1)
      let rows = try await sluice("query", "select count(*) as n from orders", "--json")
      #expect(rows.output.contains("{\"n\":3}"), "\(rows.output)\(rows.errors)")

      #expect(
        try await Self.number(
          "select count(distinct snapshot_id) from sluice.consumed where snapshot_id = (select snapshot_id from sluice.snapshot order by number desc limit 1)",
          database) == 1)
      // A row in quarantine is not verified.
      try sluice.project.write("drops/1.csv", "id,name\n1,a\n2,b\n3,c\n4,\n")
      #expect(try await sluice("run", "shop", "--wait", "--env", "pr-1").status == 0)
      try await Self.refuses(sluice, "not_promotable", "in quarantine")
      try sluice.project.write("drops/1.csv", "id,name\n1,a\n2,b\n3,d\n")
      #expect(try await sluice("run", "shop", "--wait", "--env", "pr-1").status == 0)
      try await Self.refuses(sluice, "not_promotable", "has other raw")
      #expect(try await sluice("env", "down", "pr-1", "--yes").status == 0)
    }
  }
}
