import FoundationEssentials
import Glibc
import JobModel
import ObjectStore
import PipelineDefinition
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
    try await EnvironmentTests.inProject(writing: { try write($0) }, body)
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
        select 1 from staff b where b.region = s.region and b.number = s.boss))
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
    select (\(orphans)) || ' orphans' as v union all select 'note ' || text from notes
    union all select 'customer ' || id || ' ' || email || ' ' || name from customers
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

  @Test(
    "a sample joins on three levels and in cycles, is the same every time, and shows no masked value anywhere, also after a kill and a run"
  )
  func sample() async throws {
    try await Self.inProject { sluice, database in
      let run = try await sluice("run", "shop", "--wait")
      #expect(run.status == 0, "\(run.errors)\(run.output)")
      // Killed when files are written, and when the catalog knows them.
      for step in FillingStep.allCases {
        let killed = try await sluice("env", "up", "pr-1", "--sample", "10%", adding: ["SLUICE_KILL_AT": step.rawValue])
        #expect(killed.status == 128 + Int(SIGKILL), "\(killed.errors)")
      }
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
      let left = try up.json("left_out").list.map { "\($0["name"].text ?? ""): \($0["reason"].text ?? "")" }
      #expect(
        left == [
          "raw of shop/drops.codes: a dataset of it has a mask, and which of its fields become which columns is not known"
        ])
      #expect(try up.json("raw").list.count == 6, "\(up.output)")
      let before = try await Self.rows(sluice, "pr-1", Self.content)
      #expect(before.first == "0 orphans" && before.count == 1 + 1 + orders.0 + customers.0, "\(before.prefix(3))")
      // The sources are not read: what would be read of them is neither reduced nor masked.
      let again = try await sluice("--env", "pr-1", "run", "shop", "--wait", "--json")
      #expect(again.status == 0, "\(again.errors)\(again.output)")
      #expect(try await Self.rows(sluice, "pr-1", Self.content) == before)
      let name = try await Self.copyName(database, "pr-1")
      let all = try await Self.everything(sluice, [".sluice/pr-1", ".sluice/storage-pr-1"], database, name)
      let key = try #require(FileManager.default.contents(atPath: sluice.project.path(".sluice/local/mask-key")))
      let secrets = ["private.example", "0000000a-0000", "hush-hush", "HUSH-HUSH"]
      let ids = before.compactMap { $0.hasPrefix("customer ") ? Int($0.split(separator: " ")[1]) : nil }
      #expect(ids.count == customers.0 && !ids.contains { (770_001...770_200).contains($0) })
      for secret in secrets { #expect(!before.contains { $0.contains(secret) }, "\(secret)") }
      for secret in secrets + [String(decoding: key, as: UTF8.self)] {
        #expect(!(all + up.output + up.errors + again.output + again.errors).contains(secret), "\(secret)")
      }
      #expect(all.contains("raw/shop/drops/customers/sample-") && all.contains("2024-01-02T03:04:05Z"))
      let leftovers = Self.files(sluice.project.path(".sluice")).filter {
        $0.contains("/sample-") && $0.contains("/scratch") || $0.contains("/.sample")
      }
      #expect(leftovers == [])
      let other = try await sluice("env", "up", "pr-1", "--sample", "20%")
      #expect(other.status == 3 && other.errors.contains("a sample of 10"), "\(other.errors)")
      try await Self.remove(name, database)
    }
  }

  @Test("cursors, the shapes alone, and a sample that cannot be made, of which nothing is left")
  func others() async throws {
    try await Self.inProject { sluice, database in
      #expect(try await sluice("run", "shop", "--wait").status == 0)
      // What has no mask is read on from where the model is.
      for stream in ["notes", "codes"] {
        try await database.pool.query(
          """
          insert into sluice.cursor (pipeline, source, stream, value, run_id, at)
          values ('shop', 'drops', $1, 'cursor-of-' || $1, 1, now())
          """, [.text(stream)])
      }
      var samples: [String] = []
      for environment in ["pr-1", "pr-2"] {
        let up = try await sluice("env", "up", environment, "--sample", "10%", "--cursors", "--json")
        #expect(try up.json("cursors").int == 1, "\(up.errors)\(up.output)")
        let name = try await Self.copyName(database, environment)
        let all = try await Self.everything(sluice, [], database, name)
        #expect(all.contains("cursor-of-notes") && !all.contains("cursor-of-codes"))
        // The files of datasets are the same, byte for byte.
        let files = Self.files(sluice.project.path(".sluice/storage-\(environment)/curated")).sorted()
        samples.append(
          files.map { SHA256Hasher.hex(of: Array(FileManager.default.contents(atPath: $0) ?? Data())) }.joined())
        #expect(files.count == 7)
        try await Self.remove(name, database)
      }
      #expect(samples[0] == samples[1])
      let shapes = try await sluice("env", "up", "pr-3", "--data", "schema", "--json")
      #expect(shapes.status == 0, "\(shapes.errors)")
      #expect(try shapes.json("datasets").list.count == 7)
      let empty = try await sluice("query", "select count(email) as v from customers", "--env", "pr-3", "--json")
      #expect(try empty.json("rows").list.first?["v"].int == 0, "\(empty.errors)")
      try await Self.remove(try await Self.copyName(database, "pr-3"), database)
      // Items whose order is gone.
      try sluice.project.write("drops/orders.csv", "id,customer,shop\n0000000a-0000-0000-0000-000000000001,,1\n")
      #expect(try await sluice("run", "shop", "--wait").status == 0)
      let failed = try await sluice("env", "up", "pr-4", "--sample", "1000", "--json")
      #expect(failed.status == 3, "\(failed.output)")
      #expect(try failed.json("error", "code").text == "sample_orphans", "\(failed.output)")
      #expect(failed.errors.contains("row(s) of shop.items name by order_id a row of orders"), "\(failed.errors)")
      #expect(!sluice.project.exists(".sluice/storage-pr-4"))
      let found = try await database.pool.query(
        "select count(*) as n from pg_database where datname = $1", [.text(try await Self.copyName(database, "pr-4"))])
      #expect(try found.first?.int("n") == 0)
    }
  }

  @Test(
    "what is asked for is one of the kinds, and a sample has its amount",
    arguments: [
      (nil, nil, false, "none"), ("none", nil, false, "none"), ("none", nil, true, "no data and the cursors"),
      ("schema", nil, false, "the datasets without rows"), (nil, "1%", false, "a sample of 1.0%"),
      ("sample", "250", true, "a sample of 250 rows and the cursors"), ("all", nil, false, "usage"),
      ("sample", nil, false, "usage"), (nil, "0%", false, "usage"), (nil, "101%", false, "usage"),
      (nil, "-1", false, "usage"), ("schema", "1%", false, "usage"),
    ] as [(String?, String?, Bool, String)])
  func asked(data: String?, sample: String?, cursors: Bool, expected: String) throws {
    do {
      let asked = try EnvironmentData.asked(data: data, sample: sample, cursors: cursors)
      #expect(asked?.text ?? "none" == expected)
    } catch let error as StageFailure { #expect(error.code == expected) }
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
          try await Self.remove(try await Self.copyName(database, "pr-1"), database)
        }
      }
    }
  }

  /// Faster than `env down`.
  private static func remove(_ name: String, _ database: TestDatabase.Handle) async throws {
    try await database.pool.execute("drop database \"\(name)\" with (force)")
  }
}
