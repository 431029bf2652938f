import FoundationEssentials
import Glibc
import Postgres
import TestSupport
import Testing

@testable import sluice

/// `sluice env up --data` with real processes, databases and files.
@Suite("Data of environments")
struct EnvironmentDataTests {
  private static let pipeline = """
    pipeline: shop
    sources:
      drops:
        files: {at: "file:drops"}
        streams:
          customers: {match: customers.csv, records: {format: csv}, key: [id], read: full}
          orders: {match: orders.csv, records: {format: csv}, key: [id], read: full}
          items: {match: items.csv, records: {format: csv}, key: [order_id, line], read: full}
          staff: {match: staff.csv, records: {format: csv}, key: [id], read: full}
          shops: {match: shops.csv, records: {format: csv}, key: [id], read: full}
          codes: {match: codes.ndjson, records: {format: ndjson}, key: [id], read: full}
          notes: {match: notes.ndjson, records: {format: ndjson}, key: [id], cursor: {field: at, type: timestamptz}}
    curate:
      customers:
        from: drops.customers
        columns: {id: {type: bigint, mask: copies}, email: {type: text, mask: copies}, name: text}
      orders:
        from: drops.orders
        columns:
          id: {type: uuid, mask: copies}
          customer: {type: bigint, mask: copies, references: customers(id)}
          shop: {type: integer, references: shops(id)}
      items:
        from: drops.items
        columns: {order_id: {type: uuid, mask: copies, references: orders(id)}, line: integer, text: text}
      staff:
        from: drops.staff
        references: [{columns: [region, boss], to: "staff(region, number)"}]
        columns: {id: integer, region: text, number: integer, boss: integer, at: {type: integer, references: shops(id)}}
      shops:
        from: drops.shops
        columns: {id: integer, keeper: {type: integer, references: staff(id)}}
      codes: {from: drops.codes, sql: sql/codes.sql, columns: {id: bigint, code: {type: text, mask: copies}}}
      notes: {from: drops.notes}

    """

  /// Three levels, with shops and staff that name each other. Orders without a customer follow their shop.
  private static func write(_ project: TestProject) throws {
    try project.write("pipelines/shop.yaml", pipeline)
    try project.write("sql/codes.sql", "select id::bigint as id, upper(code) as code from codes")
    try project.write("drops/codes.ndjson", "{\"id\":1,\"code\":\"hush-hush\"}\n")
    try project.write("drops/notes.ndjson", "{\"id\":1,\"at\":\"2024-01-02T03:04:05Z\",\"text\":\"open\"}\n")
    let order = { (number: Int) in "0000000a-0000-0000-0000-\(String(1_000_000_000_000 + number).dropFirst())" }
    let lines = { (header: String, count: Int, line: (Int) -> String) in
      ([header] + (1...count).map(line)).joined(separator: "\n") + "\n"
    }
    try project.write(
      "drops/customers.csv",
      lines("id,email,name", 200) { "\($0 + 770_000),person\($0)@private.example,name \($0)" })
    try project.write(
      "drops/orders.csv",
      lines("id,customer,shop", 600) {
        "\(order($0)),\($0.isMultiple(of: 10) ? "" : "\(770_001 + $0 * 7 % 200)"),\(1 + $0 % 20)"
      })
    try project.write(
      "drops/items.csv", lines("order_id,line,text", 1800) { "\(order(1 + $0 % 600)),\($0),item \($0)" })
    try project.write(
      "drops/staff.csv",
      lines("id,region,number,boss,at", 40) { "\($0),r\($0 % 4),\($0),\($0 <= 4 ? "" : "\($0 - 4)"),\(1 + $0 % 20)" })
    try project.write("drops/shops.csv", lines("id,keeper", 20) { "\($0),\($0 + 20)" })
  }

  private static func inProject(
    _ body: @Sendable (Installed, TestDatabase.Handle) async throws -> Void
  ) async throws {
    try await TestProject.withProject { project in
      try await TestDatabase.withEmptyDatabase { database in
        try write(project)
        let sluice = Installed(project, ["SLUICE_DATABASE_URL": database.url])
        do { try await body(sluice, database) } catch {
          sluice.killAll()
          throw error
        }
      }
    }
  }

  private static func rows(_ sluice: Installed, _ environment: String, _ sql: String) async throws -> [String] {
    let result = try await sluice("query", sql, "--env", environment, "--json")
    #expect(result.status == 0, "\(result.errors)")
    return try result.json("rows").list.map { row in row["v"].text ?? row["v"].int.map { "\($0)" } ?? "null" }
  }

  /// How many rows of a sample name one that is not in it.
  private static let orphans = """
    select (select count(*) from orders o where o.customer is not null and o.customer not in (select id from customers))
      + (select count(*) from orders o where o.shop not in (select id from shops))
      + (select count(*) from items i where i.order_id not in (select id from orders))
      + (select count(*) from shops s where s.keeper not in (select id from staff))
      + (select count(*) from staff s where s.at not in (select id from shops))
      + (select count(*) from staff s where s.boss is not null and not exists (
        select 1 from staff b where b.region = s.region and b.number = s.boss)) as v
    """

  private static func files(_ root: String) -> [String] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
    return names.flatMap { name in
      let path = root + "/" + name
      let inner = files(path)
      return inner.isEmpty ? [path] : inner
    }
  }

  private static let content = """
    select 'customer ' || id || ' ' || email || ' ' || name as v from customers
    union all select 'order ' || id || ' ' || coalesce(customer::text, '') || ' ' || shop from orders order by v
    """

  /// Every byte of files, and every row of a database as text.
  private static func everything(
    _ sluice: Installed, _ folders: [String], _ database: TestDatabase.Handle, _ name: String
  ) async throws -> String {
    var text = ""
    for folder in folders {
      let root = sluice.project.path(folder)
      for path in files(root) {
        text += path + "\n" + String(decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self)
      }
    }
    let pool = PostgresPool(
      try PostgresSettings(try PostgresSettings.conninfo(database.url, database: name)), maximum: 1)
    do {
      let tables = try await pool.query(
        "select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname not like 'pg_%'", [])
      for table in try tables.map({ try $0.string("name") }) {
        // The name is the server's own, quoted by it.
        let rows = try await pool.query(SQLStatement(text: "select t::text as row from \(table) t"), [])
        for row in rows { text += try row.optionalString("row") ?? "" }
      }
      await pool.close()
    } catch {
      await pool.close()
      throw error
    }
    return text
  }

  private static func copyName(_ database: TestDatabase.Handle, _ name: String) async throws -> String {
    let own = try await database.pool.query("select current_database() as name", []).first?.string("name") ?? ""
    return "\(own)-env-\(name)"
  }

  @Test("a sample joins on three levels and in cycles, is the same every time, and shows no masked value anywhere")
  func sample() async throws {
    try await Self.inProject { sluice, database in
      let run = try await sluice("run", "shop", "--wait")
      #expect(run.status == 0, "\(run.errors)\(run.output)")
      let up = try await sluice("env", "up", "pr-1", "--sample", "10%", "--json")
      #expect(up.status == 0, "\(up.errors)\(up.output)")
      #expect(try up.json("data").text == "sample")
      let counts = Dictionary(
        try up.json("datasets").list.map {
          ($0["dataset"].text ?? "", ($0["rows"].int ?? 0, $0["rows_before"].int ?? 0))
        },
        uniquingKeysWith: { first, _ in first })
      let customers = try #require(counts["shop.customers"])
      #expect(customers.1 == 200 && (5...60).contains(customers.0), "\(customers)")
      let orders = try #require(counts["shop.orders"])
      #expect(orders.1 == 600 && (10...200).contains(orders.0), "\(orders)")
      #expect(counts["shop.items"]?.0 == orders.0 * 3, "\(counts)")
      #expect(try await Self.rows(sluice, "pr-1", Self.orphans) == ["0"])
      let shown = try await Self.rows(
        sluice, "pr-1",
        "select c.id::text || ' ' || c.email || ' ' || o.id::text || ' ' || i.order_id::text as v from customers c "
          + "join orders o on o.customer = c.id join items i on i.order_id = o.id order by v")
      #expect(shown.count >= 10)
      let text = shown.joined(separator: "\n")
      #expect(!text.contains("private.example") && !text.contains("0000000a-0000") && !text.contains("7700"), "\(text)")
      let folders = [".sluice/pr-1", ".sluice/storage-pr-1"]
      let name = try await Self.copyName(database, "pr-1")
      let all = try await Self.everything(sluice, folders, database, name) + up.output + up.errors
      let key = try #require(FileManager.default.contents(atPath: sluice.project.path(".sluice/local/mask-key")))
      for secret in ["private.example", "0000000a-0000", String(decoding: key, as: UTF8.self)] {
        #expect(!all.contains(secret), "\(secret)")
      }
      #expect(!Self.files(sluice.project.path(".sluice/local")).contains { $0.contains("sample-") })
      #expect(!FileManager.default.fileExists(atPath: sluice.project.path(".sluice/storage-pr-1/.sample")))
      let left = try up.json("left_out").list.map { "\($0["name"].text ?? ""): \($0["reason"].text ?? "")" }
      #expect(
        left == [
          "raw of shop/drops.codes: a dataset of it has a mask, and which of its fields become which columns is not known"
        ])
      #expect(try up.json("raw").list.compactMap { $0["stream"].text }.count == 6, "\(up.output)")
      // The sources are not read: what would be read of them is neither reduced nor masked.
      let before = try await Self.rows(sluice, "pr-1", Self.content)
      let again = try await sluice("--env", "pr-1", "run", "shop", "--wait", "--json")
      #expect(again.status == 0, "\(again.errors)\(again.output)")
      #expect(try await Self.rows(sluice, "pr-1", Self.content) == before && before.count == orders.0 + customers.0)
      #expect(try await Self.rows(sluice, "pr-1", Self.orphans) == ["0"])
      #expect(try await Self.rows(sluice, "pr-1", "select text as v from notes") == ["open"])
      let snapshots = try await sluice("catalog", "--env", "pr-1", "--json")
      #expect(
        try snapshots.json("catalog").list.count { $0["dataset"].text == "customers" } == 2, "\(snapshots.output)")
      let later = try await Self.everything(sluice, folders, database, name)
      for secret in ["private.example", "0000000a-0000", "hush-hush", "HUSH-HUSH"] {
        #expect(!later.contains(secret), "\(secret)")
      }
      #expect(later.contains("sample-") && later.contains("2024-01-02T03:04:05Z"))
      // The same keys in another environment of the model.
      #expect(try await sluice("env", "up", "pr-2", "--sample", "10%").status == 0)
      let keys = "select email || id::text as v from customers order by v"
      let first = try await Self.rows(sluice, "pr-1", keys)
      #expect(try await Self.rows(sluice, "pr-2", keys) == first && !first.isEmpty)
      let other = try await sluice("env", "up", "pr-1", "--sample", "20%")
      #expect(other.status == 3 && other.errors.contains("a sample of 10"), "\(other.errors)")
      // Cursors: what has no mask is read on from where the model is.
      for stream in ["notes", "codes"] {
        try await database.pool.query(
          """
          insert into sluice.cursor (pipeline, source, stream, value, run_id, at)
          values ('shop', 'drops', $1, 'cursor-of-' || $1, 1, now())
          """, [.text(stream)])
      }
      let cursors = try await sluice("env", "up", "pr-3", "--sample", "1", "--cursors", "--json")
      #expect(try cursors.json("cursors").int == 1, "\(cursors.errors)\(cursors.output)")
      let third = try await Self.everything(sluice, [], database, try await Self.copyName(database, "pr-3"))
      #expect(third.contains("cursor-of-notes") && !third.contains("cursor-of-codes"))
      for name in ["pr-1", "pr-2", "pr-3"] { #expect(try await sluice("env", "down", name, "--yes").status == 0) }
    }
  }

  @Test("the shapes alone, a number of rows, and what cannot be copied: nothing is left of it")
  func others() async throws {
    try await Self.inProject { sluice, database in
      #expect(try await sluice("run", "shop", "--wait").status == 0)
      let shapes = try await sluice("env", "up", "pr-1", "--data", "schema", "--json")
      #expect(shapes.status == 0, "\(shapes.errors)")
      #expect(try shapes.json("datasets").list.count == 7)
      #expect(try await Self.rows(sluice, "pr-1", "select count(email) as v from customers") == ["0"])
      #expect(try await sluice("env", "down", "pr-1", "--yes").status == 0)
      // Killed when files are written, and when the catalog knows them.
      for step in FillingStep.allCases {
        let killed = try await sluice("env", "up", "pr-1", "--sample", "20", adding: ["SLUICE_KILL_AT": step.rawValue])
        #expect(killed.status == 128 + Int(SIGKILL), "\(killed.errors)")
        let refused = try await sluice("query", "select 1", "--env", "pr-1", "--json")
        #expect(try refused.json("error", "code").text == "environment_unfinished", "\(refused.errors)")
      }
      let up = try await sluice("env", "up", "pr-1", "--sample", "20")
      #expect(up.status == 0, "\(up.errors)")
      #expect(try await Self.rows(sluice, "pr-1", Self.orphans) == ["0"])
      #expect(
        try await Self.rows(sluice, "pr-1", "select count(*) as v from customers").first.flatMap { Int($0) } ?? 0 >= 20)
      let objects = Self.files(sluice.project.path(".sluice/storage-pr-1"))
      #expect(objects.filter { $0.hasSuffix(".parquet") }.count == 7, "\(objects)")
      #expect(try await sluice("env", "down", "pr-1", "--yes").status == 0)
      // An order whose customer does not exist.
      try sluice.project.write("drops/orders.csv", "id,customer,shop\n0000000a-0000-0000-0000-000000000001,5,1\n")
      #expect(try await sluice("run", "shop", "--wait").status == 0)
      let failed = try await sluice("env", "up", "pr-1", "--sample", "100%", "--json")
      #expect(failed.status == 3, "\(failed.output)")
      #expect(try failed.json("error", "code").text == "sample_orphans", "\(failed.output)")
      #expect(failed.errors.contains("1 row(s) of shop.orders name by customer a row of customers"), "\(failed.errors)")
      #expect(!sluice.project.exists(".sluice/storage-pr-1"))
      let left = try await database.pool.query(
        "select count(*) as n from pg_database where datname = $1", [.text(try await Self.copyName(database, "pr-1"))])
      #expect(try left.first?.int("n") == 0)
      for arguments in [
        ["--data", "all"], ["--data", "sample"], ["--sample", "0%"], ["--data", "schema", "--sample", "1%"],
      ] {
        let wrong = try await sluice.call(["env", "up", "pr-3", "--json"] + arguments)
        #expect(wrong.status == 2, "\(arguments): \(wrong.errors)")
      }
    }
  }

  @Test("a full disk fails the sample with the reason, and leaves nothing", .enabled(if: FullDisk.isAvailable))
  func fullDisk() async throws {
    try await TestProject.withProject { project in
      try await TestDatabase.withEmptyDatabase { database in
        try project.write("sluice.yaml", "storage: file:disk/store\n")
        try project.write(
          "pipelines/p.yaml",
          """
          pipeline: p
          sources: {s: {files: {at: "file:d"}, streams: {a: {match: "*.csv", records: {format: csv}, key: [id], read: full}}}}
          curate: {d: {from: s.a, columns: {id: {type: bigint, mask: copies}, name: {type: text, mask: copies}}}}

          """)
        try project.write("d/a.csv", "id,name\n" + (1...6000).map { "\($0),name \($0)\n" }.joined())
        let sluice = Installed(project, ["SLUICE_DATABASE_URL": database.url])
        try await FullDisk.with(bytes: 64 << 20, at: project.path("disk")) { disk in
          #expect(try await sluice("run", "p", "--wait").status == 0)
          var status = statvfs()
          #expect(statvfs(project.path("disk"), &status) == 0)
          let used = Int((status.f_blocks - status.f_bfree) * status.f_frsize)
          try disk.grow(to: used + (64 << 10))
          let failed = try await sluice("env", "up", "pr-1", "--sample", "100%", "--json")
          #expect(failed.status == 1, "\(failed.output)")
          #expect(try failed.json("error", "code").text == "disk_full", "\(failed.output)")
          #expect(!project.exists("disk/store-pr-1"))
          #expect(!Self.files(project.path(".sluice/local")).contains { $0.contains("sample-") })
          #expect(try FileManager.default.contentsOfDirectory(atPath: project.path(".sluice/pr-1")) == ["environment"])
          try disk.grow(to: 64 << 20)
          let up = try await sluice("env", "up", "pr-1", "--sample", "100%")
          #expect(up.status == 0, "\(up.errors)")
          #expect(try await Self.rows(sluice, "pr-1", "select count(distinct id) as v from d") == ["6000"])
          #expect(try await sluice("env", "down", "pr-1", "--yes").status == 0)
        }
      }
    }
  }
}
