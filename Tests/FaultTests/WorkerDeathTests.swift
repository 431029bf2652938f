import FoundationEssentials
import Glibc
import JobModel
import JobStore
import Postgres
import TestSupport
import Testing

@Suite("Workers that die, stop and hang")
struct WorkerDeathTests {
  @Test("what a killed worker held runs elsewhere within seconds of the kill, long before its lease is over")
  func killed() async throws {
    try await FaultBench.with { bench in
      // The lease's rest is four seconds at least: who was revoked before was known to be dead.
      let workers = try await bench.start(["one", "two"], lease: 6)
      let jobs = try await bench.enqueue(8, chunks: 12, pause: 150)
      try await bench.isFull(workers[0])
      let moment = try await bench.moment()
      workers[0].send(SIGKILL)
      try await bench.allEnd()
      let seconds = try await bench.secondsToTakeOver(from: workers[0], since: moment)
      Strength.tell("kill -9 to running elsewhere", seconds)
      #expect(seconds.count == 4)
      #expect(bench.said.contains("worker revoked: its session ended and no beat followed"))
      #expect(try await bench.endings() == ["crashed": 4])
      try await bench.expectExactlyOnce(jobs, chunks: 12)
    }
  }

  @Test("a job that kills its worker ends dead, and those that shared it with them are not charged", arguments: [1, 2])
  func poison(workers: Int) async throws {
    try await FaultBench.with { bench in
      let names = (1...workers).map { "w\($0)" }
      var running = try await bench.start(names, lease: 2)
      // One charge more would be the end of these.
      let innocent = try await bench.enqueue(6, chunks: 3, pause: 200, attempts: 1)
      let poison = try await bench.enqueue(1, chunks: 1, pause: 100, attempts: 2, more: "\"isDeadly\":true")
      let more = try await bench.enqueue(6, chunks: 3, pause: 50, attempts: 1)
      var births = workers
      try await eventually(within: .seconds(60), "every job ends; \(bench.said)") {
        // Others take the place of those that are killed.
        for index in running.indices where running[index].ending != nil {
          births += 1
          running[index] = try bench.start("w\(births)", lease: 2)
        }
        return try await bench.rows(
          "select count(*) from sluice.job_state where state not in ('DONE', 'DEAD', 'CANCELLED')") == ["(0)"]
      }
      #expect(try await bench.rows("select job_id from sluice.dead") == ["(\(poison[0]))"], "\(bench.said)")
      let attempts = try await bench.store.attempts(of: poison)
      #expect(attempts.map(\.status) == ["crashed", "crashed", "dead"], "\(bench.said)")
      #expect(attempts.map(\.attempt) == [1, 1, 2])
      #expect(try await bench.rows("select count(distinct job_id) from sink") == ["(\(innocent.count + more.count))"])
      #expect(
        try await bench.rows(
          "select job_id from sluice.outcome where status = 'done' group by job_id having max(attempt) > 1") == [])
      // Nothing else ran in the process that it had to itself.
      let company = """
        select 1 from begun b join sluice.outcome o on o.job_id = b.job_id and o.epoch = b.epoch
        join begun p on p.job_id = \(poison[0]) and p.epoch > 1 and p.pid = b.pid and p.job_id <> b.job_id
        where p.at between b.at and o.finished_at
        """
      #expect(try await bench.rows(company) == [], "\(bench.said)")
    }
  }

  @Test("a worker that was stopped for longer than its lease writes nothing when it goes on", arguments: [false, true])
  func stopped(insideTransaction: Bool) async throws {
    try await FaultBench.with { bench in
      let workers = try await bench.start(["one", "two"], lease: Strength.lease)
      let more = insideTransaction ? "\"inside\":120" : ""
      let jobs = try await bench.enqueue(8, chunks: 8, pause: insideTransaction ? 0 : 150, more: more)
      try await eventually("the first is at work") { try await bench.written(by: workers[0]) > 4 }
      let moment = try await bench.moment()
      workers[0].send(SIGSTOP)
      let written = try await bench.written(by: workers[0])
      try await Task.sleep(for: .seconds(Strength.stop))
      #expect(try await bench.store.workers().map(\.pid) == [Int(workers[1].pid)])
      let seconds = try await bench.secondsToTakeOver(from: workers[0], since: moment)
      Strength.tell("SIGSTOP to running elsewhere, lease \(Strength.lease) s", seconds)
      #expect(!seconds.isEmpty)
      workers[0].send(SIGCONT)
      #expect(try await workers[0].ended() == 3)
      try await bench.allEnd()
      // What was on its way to the server when the process stopped may have arrived then; nothing after that.
      #expect(try await bench.written(by: workers[0]) <= written + 4)
      #expect(
        try await bench.rows(
          "select * from sink where pid = \(workers[0].pid) and at > '\(moment)'::timestamptz + interval '2.5 s'") == []
      )
      let crashed = try await bench.endings()["crashed"] ?? 0
      #expect(crashed == seconds.count)
      try await bench.expectExactlyOnce(jobs, chunks: 8)
    }
  }

  @Test("a sink of another database, fenced by the pair, refuses a worker that was stopped")
  func foreignSink() async throws {
    try await TestDatabase.withEmptyDatabase { other in
      try await FaultBench.with { bench in
        try await other.pool.execute(
          FaultBench.tables + "; create table fence (job_id bigint primary key, epoch bigint not null)")
        let workers = try await bench.start(["one", "two"], ["FAULT_SINK": other.url])
        let jobs = try await bench.enqueue(8, chunks: 8, pause: 150, more: "\"isForeign\":true")
        try await eventually("the first is at work") {
          let rows = try await other.pool.query(
            "select count(*) as n from sink where pid = $1", [.int(Int64(workers[0].pid))])
          return try rows.only.int("n") > 4
        }
        workers[0].send(SIGSTOP)
        try await bench.allEnd()
        workers[0].send(SIGCONT)
        #expect(try await workers[0].ended() == 3)
        try await bench.expectExactlyOnce(jobs, chunks: 8, sink: other.pool)
        #expect(try await bench.endings()["crashed"] ?? 0 > 0)
      }
    }
  }

  @Test("handlers that block every thread for longer than the lease cost their worker nothing")
  func blocked() async throws {
    try await FaultBench.with { bench in
      // More than there are threads, twice over.
      let slots = 2 * ProcessInfo.processInfo.activeProcessorCount
      // A handler's own transaction may wait for a thread as long as the others block.
      _ = try await bench.start(["one"], lease: 2, ["FAULT_SLOTS": "\(slots)", "FAULT_IDLE_SECONDS": "30"])
      _ = try await bench.start(["two"], lease: 2, ["FAULT_SLOTS": "1", "FAULT_IDLE_SECONDS": "30"])
      let jobs = try await bench.enqueue(slots + 1, chunks: 1, more: "\"block\":3000")
      try await bench.allEnd()
      try await bench.expectNothingCharged()
      #expect(!bench.said.contains("revoked"), "\(bench.said)")
      #expect(try await bench.store.workers().count == 2)
      try await bench.expectExactlyOnce(jobs, chunks: 1)
    }
  }

  @Test("a worker that is told to stop under load gives everything back, and no attempt is charged")
  func drained() async throws {
    try await FaultBench.with { bench in
      let workers = try await bench.start(["one", "two"])
      let jobs = try await bench.enqueue(200, chunks: 3, pause: 20)
      try await eventually("the first is at work") { try await bench.written(by: workers[0]) > 20 }
      workers[0].send(SIGTERM)
      #expect(try await workers[0].ended(within: .seconds(5)) == 0)
      #expect(
        try await bench.rows(
          "select * from sluice.lease where worker_id in (select worker_id from sluice.worker where pid = \(workers[0].pid))"
        ) == [])
      try await bench.allEnd()
      try await bench.expectNothingCharged()
      try await bench.expectExactlyOnce(jobs, chunks: 3)
    }
  }

  @Test("a handler that looks at no request to stop is cancelled when the patience is over, and its job is not charged")
  func stubborn() async throws {
    try await FaultBench.with { bench in
      let workers = try await bench.start(["one"], ["FAULT_GRACE_SECONDS": "1"])
      let jobs = try await bench.enqueue(3, chunks: 1, pause: 6000, more: "\"isStubborn\":true")
      try await eventually("they are at work") { try await bench.held(by: workers[0]) == 3 }
      workers[0].send(SIGTERM)
      #expect(try await workers[0].ended(within: .seconds(4)) == 0)
      #expect(try await bench.endings() == ["yielded": 3])
      _ = try await bench.start(["two"])
      try await bench.allEnd()
      try await bench.expectExactlyOnce(jobs, chunks: 1)
    }
  }
}
