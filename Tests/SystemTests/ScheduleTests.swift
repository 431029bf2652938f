import Postgres
import TestSupport
import Testing

@Suite("Schedules, pauses and backfills")
struct ScheduleTests {
  private static let files = """
    sources: {s: {files: {at: "file:d"}, streams: {a: {match: "*.csv", records: {format: csv}}}}}
    curate: {d: {from: s.a, columns: {id: {type: bigint, required: true}}}}

    """

  @Test(
    "pipelines that only other programs name are paused too: default, before its first job as well, and any that has jobs"
  )
  func queueAlone() async throws {
    try await TestProject.withProject { project in
      try await TestDatabase.withDatabase { database in
        try project.write("sluice.yaml", "limits: {slots: 1}\n")
        let sluice = Installed(project, ["SLUICE_DATABASE_URL": database.url])
        #expect(try await sluice("pause", "default").status == 0)
        try await database.pool.execute(
          "select sluice.enqueue('mail'); select sluice.enqueue('mail', pipeline => 'shop')")
        #expect(try await sluice("pause", "shop").status == 0)
        #expect(try await sluice("pause", "nothing").status == 2)
        #expect(
          try await database.pool.query("select from sluice.lane where paused and pipeline in ('default', 'shop')")
            .count
            == 2)
        #expect(try await sluice("resume", "default").status == 0)
      }
    }
  }

  @Test("control starts the runs of the schedule, a pause keeps jobs waiting, and status says both")
  func pauseAndResume() async throws {
    try await TestProject.withProject { project in
      try await TestDatabase.withEmptyDatabase { database in
        let sluice = Installed(project, ["SLUICE_DATABASE_URL": database.url])
        try project.write("d/1.csv", "id\n1\n")
        try project.write(
          "pipelines/p.yaml",
          "pipeline: p\nschedule: {cron: \"0 4 * * *\", timezone: Europe/Zurich, overlap: queue}\n" + Self.files)
        try project.write(
          "pipelines/lost.yaml",
          "pipeline: lost\nschedule: {cron: \"0 4 * * *\", timezone: Europe/Zurch}\n"
            + Self.files.replacing("{d:", with: "{e:"))
        #expect(try await sluice("check").status == 0)
        let up = try await sluice("up", "--detach", "--workers", "1", "--json")
        #expect(up.status == 0, "\(up.errors)")
        try await eventually("the next time is known") {
          try await schedules(sluice).first?["next_at"].text?.contains(":00:00+00") == true
        }
        // A zone that does not exist is told and keeps nothing else from running.
        #expect(try await schedules(sluice).map { $0["pipeline"].text } == ["p"])
        let refused = try await database.pool.query("select kind, pipeline from sluice.event", [])
        #expect(try refused.map { try $0.string("kind") + " " + $0.string("pipeline") } == ["schedule_refused lost"])
        let plan = try await sluice("plan", "lost", "--json")
        #expect(plan.status == 2)
        #expect(try plan.json("error", "code").text == "unknown_time_zone")

        #expect(try await sluice("pause", "p", "--json").json("paused").text == nil)
        let again = try await sluice("run", "p", "--json")
        #expect(again.status == 3, "\(again.errors)")
        #expect(try again.json("error", "code").text == "paused")
        #expect(try await sluice("pause", "nothing").status == 2)
        #expect(try await schedules(sluice).first?["paused_since"].text != nil)
        try await goBack(database)
        try await eventually("the time is skipped") {
          try await schedules(sluice).first?["last_outcome"].text == "skipped"
        }
        #expect(try await sluice("runs", "--json").json("runs").list.isEmpty)

        let resumed = try await sluice("resume", "p")
        #expect(resumed.status == 0, "\(resumed.errors)")
        #expect(resumed.output.contains("goes on"))
        try await database.pool.execute("delete from sluice.schedule_tick")
        try await goBack(database)
        try await eventually("the scheduled run has succeeded") {
          try await sluice("runs", "show", "1", "--json").json("state").text == "succeeded"
        }
        let run = try await database.pool.query(
          "select to_char(run_at at time zone 'Europe/Zurich', 'HH24:MI:SS') as at from sluice.run where kind = 'batch'",
          [])
        #expect(try run.map { try $0.string("at") } == ["04:00:00"])
        #expect(try await schedules(sluice).first?["last_outcome"].text == "started")
        #expect(try await sluice("down").status == 0)
      }
    }
  }

  /// As if nobody had looked at the schedule since the day before yesterday.
  private func goBack(_ database: TestDatabase.Handle) async throws {
    try await database.pool.execute(
      "update sluice.schedule set considered_at = now() - interval '2 days', next_at = now() - interval '1 day'")
  }

  private func schedules(_ sluice: Installed) async throws -> [JSONNode] {
    try await sluice("status", "--json").json("schedules").list
  }

  @Test("a backfill reads its range again, leaves the cursor where it is, and never replaces a newer row")
  func backfill() async throws {
    try await TestProject.withProject { project in
      try await TestDatabase.withEmptyDatabase { database in
        let sluice = Installed(project, ["SLUICE_SECRET_WAREHOUSE": database.url])
        defer { sluice.killAll() }
        try write(["2024-01-10", "2024-02-10", "2024-03-10"], amount: 1, project)
        let url = try await PythonSource.start(sluice)
        try project.write("pipelines/p.yaml", Self.pipeline(url))
        let first = try await sluice("run", "p", "--wait", "--json")
        #expect(first.status == 0, "\(first.errors)")
        #expect(try await amounts(database) == ["1 1", "2 1", "3 1"])

        try await database.pool.execute("update orders set at = '2030-01-01', amount = 99 where id = 3")
        try write(["2024-01-10", "2024-02-10", "2024-03-10"], amount: 2, project)
        let january = try await sluice(
          "backfill", "p", "--stream", "orders", "--from", "2024-01-01", "--to", "2024-02-01", "--wait", "--json")
        #expect(january.status == 0, "\(january.errors)")
        #expect(try january.json("backfill", "streams").list.compactMap(\.text) == ["s.orders"])
        #expect(try january.json("stages", "ingest", "records").int == 1)
        #expect(try await amounts(database) == ["1 2", "2 1", "3 99"])

        let all = try await sluice(
          "backfill", "p", "--stream", "orders", "--from", "2024-01-01", "--to", "2025-01-01", "--wait", "--json")
        #expect(try all.json("stages", "ingest", "records").int == 3)
        #expect(try await amounts(database) == ["1 2", "2 2", "3 99"], "a newer row stays")
        let plan = try await sluice("plan", "p", "--json")
        #expect(try plan.json("streams").list.first?["cursor"].text == "2024-03-10T00:00:00Z")
        #expect(try await sluice("runs", "show", "3", "--json").json("backfill", "from").text == "2024-01-01")
        let query = try await sluice("query", "select sum(amount)::bigint as sum from d", "--json")
        #expect(try query.json("rows").list.first?["sum"].int == 6)
      }
    }
  }

  @Test(
    "a backfill that cannot be is refused with the reason",
    arguments: [
      (["--from", "2024-02-01", "--to", "2024-02-01"], 2, "usage"),
      (["--from", "yesterday", "--to", "2024-02-01"], 2, "usage"),
      (["--from", "2024-01-01", "--to", "2024-02-01", "--stream", "s.stores"], 2, "no_cursor"),
      (["--from", "2024-01-01", "--to", "2024-02-01", "--stream", "nothing"], 2, "unknown_stream"),
      (["--from", "2024-01-01", "--to", "2024-02-01", "--stream", "s.log"], 3, "backfill_refused"),
    ])
  func refused(arguments: [String], status: Int, code: String) async throws {
    try await TestProject.withProject { project in
      try project.write("pipelines/p.yaml", Self.pipeline("http://127.0.0.1:1"))
      let sluice = Installed(project)
      let outcome = try await sluice.call(["backfill", "p", "--json"] + arguments)
      #expect(outcome.status == status, "\(outcome.errors)")
      #expect(try outcome.json("error", "code").text == code)
      #expect(try await sluice("runs", "--json").json("runs").list.isEmpty)
    }
  }

  private static func pipeline(_ url: String) -> String {
    let cursor = "cursor: {field: at, type: timestamptz}"
    let query = "query: {since: \"{cursor}\", until: \"{until}\"}"
    return """
      pipeline: p
      sources:
        s:
          http: {base_url: "\(url)"}
          streams:
            orders: {get: /orders, \(query), records: {format: json, path: "$[*]"}, key: [id], \(cursor)}
            stores: {get: /stores, records: {format: json, path: "$[*]"}, key: [id]}
            log: {get: /log, \(query), records: {format: json, path: "$[*]"}, \(cursor)}
      curate:
        d: {from: s.orders, columns: {id: {type: bigint}, at: {type: timestamptz}, amount: {type: bigint}}}
        l: {from: s.log, columns: {id: {type: bigint}, at: {type: timestamptz}, amount: {type: bigint}}}
      load:
        warehouse:
          postgres: {url: "secret:warehouse"}
          tables:
            public.orders: {from: d, mode: merge, key: [id]}
            public.log: {from: l, mode: append}

      """
  }

  private func write(_ days: [String], amount: Int, _ project: TestProject) throws {
    let rows = days.enumerated().map { index, day in
      "{\"id\": \(index + 1), \"at\": \"\(day)T00:00:00Z\", \"amount\": \(amount)}"
    }
    try project.write("rows.json", "[" + rows.joined(separator: ", ") + "]")
  }

  private func amounts(_ database: TestDatabase.Handle) async throws -> [String] {
    try await database.pool.query("select id || ' ' || amount as row from orders order by id", []).map {
      try $0.string("row")
    }
  }
}
