import Foundation
import Glibc
import Postgres
import Synchronization
import TestSupport
import Testing

@testable import sluice

@Suite("Doctor")
struct DoctorTests {
  @Test("a machine that is well passes every check")
  func well() async throws {
    try await TestProject.withProject { project in
      try await TestDatabase.withEmptyDatabase { database in
        let sluice = Installed(project, ["SLUICE_DATABASE_URL": database.url])
        #expect(try await sluice("init").status == 0)
        for _ in 1...2 {
          let doctor = try await sluice("doctor", "--json")
          #expect(doctor.status == 0, "\(doctor.output)")
          let names = try doctor.json("checks").list.compactMap { $0["name"].text }
          #expect(
            Set(names).isSuperset(of: [
              "identity", "encoding", "rights", "sessions", "time zones", "clock", "storage", "state and scratch",
            ]))
          // The second time there is a schema.
          #expect(try await sluice("migrate").status == 0)
        }
      }
    }
  }

  @Test("a role without rights is told what to grant, before and after the schema is there")
  func rights() async throws {
    try await TestProject.withProject { project in
      try await TestDatabase.withEmptyDatabase { database in
        let owner = Installed(project, ["SLUICE_DATABASE_URL": database.url])
        #expect(try await owner("init").status == 0)
        let role = "guest_\(getpid())"
        try await database.pool.execute("create role \(role) login")
        let guest = Installed(project, ["SLUICE_DATABASE_URL": database.url.replacing("sluice@", with: "\(role)@")])
        let before = try await check("rights", guest)
        #expect(before["ok"] == .bool(false))
        #expect(before["fix"].text?.contains("grant create on database") == true)
        #expect(try await owner("migrate").status == 0)
        let after = try await check("rights", guest)
        #expect(after["ok"] == .bool(false))
        #expect(after["fix"].text?.contains("grant usage, create on schema sluice to \(role)") == true)
        #expect(try await check("migrations", guest)["fix"].text?.contains("grant sluice to \(role)") == true)
        // A claim draws its fencing number from a sequence.
        try await database.pool.execute("grant usage, create on schema sluice to \(role)")
        try await database.pool.execute("grant all on all tables in schema sluice to \(role)")
        let sequences = try await check("rights", guest)
        #expect(sequences["ok"] == .bool(false), "\(sequences)")
        #expect(sequences["fix"].text?.contains("grant usage on all sequences in schema sluice to \(role)") == true)
        try await database.pool.execute("grant usage on all sequences in schema sluice to \(role)")
        #expect(try await check("rights", guest)["ok"] == .bool(true))
        try await database.pool.execute("drop owned by \(role)")
        try await database.pool.execute("drop role \(role)")
      }
    }
  }

  @Test(
    "a clock of the database that is more than two seconds off says by how much, and in which direction",
    arguments: [
      (0, "agree"), (-1.5, "agree"), (1.5, "agree"), (-60, "60.0 s ahead of this host's"),
      (60, "s behind this host's"), (-86_400, "86400.0 s ahead of"), (2.5, "s behind"),
    ])
  func clock(hostIsAhead: Double, says: String) async throws {
    try await TestDatabase.withEmptyDatabase { database in
      let connection = try await PostgresConnection.connect(database.settings)
      let check = try await DatabaseDoctor.clock(connection) { Date().timeIntervalSince1970 + hostIsAhead }
      await connection.close()
      #expect(check.ok == (abs(hostIsAhead) <= 2))
      #expect(check.detail.contains(says), "\(check.detail)")
      #expect(check.fix?.contains("set-ntp") == true)
    }
  }

  @Test("a query of the clocks that takes long makes no difference")
  func slowClock() async throws {
    try await TestDatabase.withEmptyDatabase { database in
      let connection = try await PostgresConnection.connect(database.settings)
      let start = Date().timeIntervalSince1970
      // Half a minute before, and half a minute after.
      let looks = Mutex([start + 30, start - 30])
      let check = try await DatabaseDoctor.clock(connection) { looks.withLock { $0.removeLast() } }
      await connection.close()
      #expect(check.ok, "\(check.detail)")
    }
  }

  @Test("a database in another encoding, and a time zone that it does not know")
  func encoding() async throws {
    try await TestProject.withProject { project in
      try await TestDatabase.withEmptyDatabase { database in
        let name = "latin_\(getpid())"
        try await database.pool.execute(
          "create database \(name) encoding 'LATIN1' locale 'C' template template0")
        let sluice = Installed(
          project, ["SLUICE_DATABASE_URL": try #require(database.settings["dbname"]).with(database.url, name)])
        #expect(try await sluice("init").status == 0)
        try project.write(
          "pipelines/p.yaml",
          """
          pipeline: p
          schedule: {cron: "15 3 * * *", timezone: Europe/Atlantis}
          sources: {s: {files: {at: "file:d"}, streams: {a: {match: "*.csv", records: {format: csv}}}}}
          curate: {d: {from: s.a}}

          """)
        let found = try await check("encoding", sluice)
        #expect(found["ok"] == .bool(false))
        #expect(found["fix"].text?.contains("encoding 'UTF8'") == true)
        let zones = try await check("time zones", sluice)
        #expect(zones["ok"] == .bool(false) && zones["detail"].text?.contains("Europe/Atlantis") == true)
        try await database.pool.execute("drop database \(name)")
      }
    }
  }

  @Test("a disk that is nearly full", .enabled(if: FullDisk.isAvailable))
  func fullDisk() async throws {
    try await TestProject.withProject { project in
      let sluice = Installed(project)
      #expect(try await sluice("init").status == 0)
      try await FullDisk.with(bytes: 1 << 20, at: project.path(".sluice/storage")) { _ in
        let storage = try await check("storage", sluice)
        #expect(storage["ok"] == .bool(false))
        #expect(storage["fix"].text?.contains("free space on the disk of \(project.path(".sluice/storage"))") == true)
      }
    }
  }

  @Test(
    "the places on disk are tested also where the database does not answer; a full and a read-only one have hints of their own",
    .enabled(if: FullDisk.isAvailable))
  func diskAlone() async throws {
    try await TestProject.withProject { project in
      let sluice = Installed(project, ["SLUICE_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"])
      #expect(try await sluice("init").status == 0)
      try await FullDisk.with(bytes: 1 << 16, at: project.path(".sluice/storage")) { disk in
        try project.write(".sluice/storage/filling", [UInt8](repeating: 0, count: 1 << 16))
        let full = try await check("storage", sluice)
        #expect(full["detail"].text?.contains("the disk is full") == true, "\(full)")
        try #require(mount("tmpfs", disk.directory, "tmpfs", UInt(MS_REMOUNT | MS_RDONLY), nil) == 0)
        let readOnly = try await check("storage", sluice)
        #expect(readOnly["detail"].text?.contains("mounted read-only") == true, "\(readOnly)")
        #expect(readOnly["fix"].text?.contains("remount,rw") == true, "\(readOnly)")
      }
    }
  }

  /// PgBouncer refuses session settings; told to drop them, it lets a worker in that can keep nothing in a session.
  @Test(
    "behind a transaction pooler, up and doctor name SLUICE_POLL_ONLY, and with it the system comes up",
    arguments: [["extra_float_digits"], ["extra_float_digits", "options"]])
  func pooler(ignored: [String]) async throws {
    try await TestProject.withProject { project in
      try await TestDatabase.withEmptyDatabase { database in
        try await Pooler.with(database.settings, in: project, ignoring: ignored) { pooler in
          let sluice = Installed(project, ["SLUICE_DATABASE_URL": pooler.url])
          #expect(try await sluice("init").status == 0)
          let up = try await sluice("up", "--detach", "--json")
          #expect(up.status != 0)
          #expect(up.errors.contains("SLUICE_POLL_ONLY=1"), "\(up.errors)")
          let doctor = try await sluice("doctor")
          #expect(doctor.status == 1)
          #expect(doctor.output.contains("SLUICE_POLL_ONLY=1"), "\(doctor.output)")
          let told = Installed(project, ["SLUICE_DATABASE_URL": pooler.url, "SLUICE_POLL_ONLY": "1"])
          let well = try await told("up", "--detach", "--workers", "1")
          #expect(well.status == 0, "\(well.errors)")
          #expect(try await check("sessions", told)["ok"] == .bool(true))
          #expect(try await told("down").status == 0)
        }
      }
    }
  }

  private func check(_ name: String, _ sluice: Installed) async throws -> JSONNode {
    let doctor = try await sluice("doctor", "--json")
    let found = try doctor.json("checks").list.first { $0["name"].text == name }
    return try #require(found, "\(doctor.output)\(doctor.errors)")
  }
}

extension String {
  /// A URL of this database, for another one.
  fileprivate func with(_ url: String, _ other: String) -> String { url.replacing("/\(self)?", with: "/\(other)?") }
}
