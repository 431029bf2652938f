import Glibc
import JobModel
import JobStore
import TestSupport
import Testing

@Suite("Behind a transaction pooler")
struct PoolerTests {
  @Test("polling alone is enough: no session locks, and a killed worker's jobs run elsewhere within a lease and 2 s")
  func pollOnly() async throws {
    try await FaultBench.with { bench in
      try await Pooler.with(bench.settings, in: bench.project) { pooler in
        let pooled = ["SLUICE_POLL_ONLY": "1", "FAULT_DATABASE": pooler.url]
        let workers = try await bench.start(["one", "two"], pooled)
        let jobs = try await bench.enqueue(20, chunks: 10, pause: 100, more: "\"isAcknowledged\":true")
        try await bench.isFull(workers[0])
        #expect(
          try await bench.rows(
            """
            select * from pg_locks where locktype = 'advisory' and classid = 7351904
              and database = (select oid from pg_database where datname = current_database())
            """) == [])
        #expect(
          try await bench.rows(
            "select * from pg_stat_activity where query ilike 'listen%' and datname = current_database()") == [])
        let held = try await bench.held(by: workers[0])
        let moment = try await bench.moment()
        workers[0].send(SIGKILL)
        try await bench.allEnd()
        let seconds = try await bench.secondsToTakeOver(from: workers[0], since: moment)
        Strength.tell("kill -9 to running elsewhere, polling only, lease 3 s", seconds)
        #expect(seconds.count == held)
        // A job may wait for a slot as well: the first to be taken over tells of the rescue.
        #expect(seconds.min() ?? .infinity < 5)
        #expect(try await bench.endings() == ["crashed": held])
        try await bench.expectExactlyOnce(jobs, chunks: 10)
      }
    }
  }

  @Test(
    "an attempt that crashes the server's process of its session is charged from the second time on, and others are not"
  )
  func ownBackend() async throws {
    try await FaultBench.withServer { _, bench in
      try await Pooler.with(bench.settings, in: bench.project) { pooler in
        let workers = try await bench.start(
          ["one"], lease: 15, ["SLUICE_POLL_ONLY": "1", "FAULT_DATABASE": pooler.url])
        let others = try await bench.enqueue(2, chunks: 30, pause: 150)
        let jobs = try await bench.enqueue(1, chunks: 30, attempts: 2, more: "\"crashesAfterChunk\":true")
        try await bench.allEnd(within: .seconds(90))
        let attempts = try await bench.store.attempts(of: jobs)
        #expect(attempts.map(\.status) == ["snoozed", "retried", "dead"], "\(attempts)\n\(bench.said)")
        #expect(attempts.last?.detail?.contains("server_process_crashed") == true)
        #expect(workers[0].ending == nil)
        let bystanders = try await bench.store.attempts(of: others)
        #expect(
          bystanders.allSatisfy { !["retried", "crashed", "dead"].contains($0.status) }, "\(bystanders)\n\(bench.said)")
      }
    }
  }

  @Test("sessions of the server that end under the pooler lose nothing and charge nothing")
  func backends() async throws {
    try await FaultBench.with { bench in
      try await Pooler.with(bench.settings, in: bench.project) { pooler in
        let workers = try await bench.start(["one", "two"], ["SLUICE_POLL_ONLY": "1", "FAULT_DATABASE": pooler.url])
        let jobs = try await bench.enqueue(12, chunks: 10, pause: 100)
        for round in 1...3 {
          try await eventually("they are at work") { try await bench.written() > 20 * round }
          try await bench.terminate("application_name <> 'fault-test'")
        }
        try await bench.allEnd()
        #expect(workers.allSatisfy { $0.ending == nil })
        try await bench.expectNothingCharged()
        try await bench.expectExactlyOnce(jobs, chunks: 10)
      }
    }
  }
}
