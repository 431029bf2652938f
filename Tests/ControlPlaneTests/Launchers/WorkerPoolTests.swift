import FoundationEssentials
import Launchers
import Logging
import Postgres
import Synchronization
import TestSupport
import Testing

@testable import ControlPlane
@testable import JobStore

@Suite("A pool with a command as its launcher")
struct WorkerPoolTests {
  @Test(
    "keeps looking while starts are slow, knows its workers by their launches, and asks them to end through the database"
  )
  func cycle() async throws {
    try await TestProject.withProject { project in
      try await TestDatabase.withDatabase { database in
        try CommandPlatform.make(in: project)
        try project.write("fault", "slow")
        let store = JobStore(database: database.pool)
        let board = ScalingBoard()
        let count = Mutex(0)
        let pool = WorkerPool(
          store: store, launcher: CommandPlatform.launcher(in: project), aim: .scaled, host: "control",
          tick: .milliseconds(20), logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, board: board,
          newLaunch: { release in
            let number = count.withLock { count in
              count += 1
              return count
            }
            return Launch(owner: "sluice-test", release: release, draw: "k\(number)")
          })
        func decide(_ workers: Int, stops: Set<Int64> = [], leads: Bool = true) {
          let end = ContinuousClock.now + .seconds(3600)
          board.post(
            ScalingBoard.Allotment(
              epoch: 1, counts: [0: workers], stops: stops, launchesUntil: leads ? end : nil))
        }
        let session = try await PostgresConnection.connect(database.settings)
        try await withThrowingTaskGroup(of: Void.self) { group in
          group.addTask { try await pool.run() }
          decide(2)
          try await eventually("both starts are under way") { board.coming.count == 2 }
          // What rings is a look that was made since.
          try await database.pool.query("select sluice.enqueue('mail')", [])
          await board.rung.wait()
          #expect(board.coming.count == 2)
          try project.write("fault", "none")
          func started() -> [String] {
            (try? FileManager.default.contentsOfDirectory(atPath: project.path("workers")))?.sorted() ?? []
          }
          try await eventually("both are started") { started().count == 2 }
          #expect(started() == ["sluice-test.0.k1", "sluice-test.0.k2"])
          var workers: [Int64] = []
          for name in started() {
            let birth = JobStore.WorkerBirth(
              release: 0, host: "far", pid: 1, engine: "test", slots: 1, launch: name)
            workers.append(try await store.registerWorker(birth, lease: .seconds(3600), on: session))
          }
          try await eventually("both have registered") { board.coming.isEmpty }
          decide(1, stops: [workers[0]])
          try await eventually("the idle one is asked to end") {
            try await database.pool.query("select worker_id from sluice.beat where drain_asked", [])
              .map { try $0.int("worker_id") } == [workers[0]]
          }
          #expect(try project.text("calls").contains("stop") == false, "the command ends none that works")
          decide(1, leads: false)
          group.cancelAll()
          while (try? await group.next()) != nil {}
        }
        await session.close()
      }
    }
  }

  @Test("a worker that cannot be asked to end keeps no other one from being asked")
  func oneFails() async throws {
    try await TestProject.withProject { project in
      try await TestDatabase.withDatabase { database in
        try CommandPlatform.make(in: project)
        let store = JobStore(database: database.pool)
        let board = ScalingBoard()
        let pool = WorkerPool(
          store: store, launcher: CommandPlatform.launcher(in: project), aim: .scaled, host: "control",
          tick: .milliseconds(20), logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, board: board,
          newLaunch: { Launch(owner: "sluice-test", release: $0, draw: "none") })
        let session = try await PostgresConnection.connect(database.settings)
        var workers: [Int64] = []
        for name in ["k1", "k2"] {
          let birth = JobStore.WorkerBirth(
            release: 0, host: "far", pid: 1, engine: "test", slots: 1, launch: "sluice-test.0.\(name)")
          workers.append(try await store.registerWorker(birth, lease: .seconds(3600), on: session))
        }
        try await database.pool.execute(
          """
          create function held() returns trigger language plpgsql as $$
          begin
            raise exception 'the row is held' using errcode = 'lock_not_available';
          end $$;
          create trigger held before update on sluice.beat for each row when (old.worker_id = \(workers[0]))
            execute function held()
          """)
        func post(leads: Bool) {
          board.post(
            ScalingBoard.Allotment(
              epoch: 1, counts: [:], stops: leads ? Set(workers) : [],
              launchesUntil: leads ? ContinuousClock.now + .seconds(3600) : nil))
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
          group.addTask { try await pool.run() }
          post(leads: true)
          try await eventually("the other one is asked") {
            try await database.pool.query("select worker_id from sluice.beat where drain_asked", [])
              .map { try $0.int("worker_id") } == [workers[1]]
          }
          try await eventually("why is told") { board.troubles[ScalingReport.launcher] != nil }
          post(leads: false)
          group.cancelAll()
          while (try? await group.next()) != nil {}
        }
        await session.close()
      }
    }
  }
}
