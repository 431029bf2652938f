import JobModel
import JobStore
import Postgres
import TestSupport
import Testing

@Suite("Connections that are cut")
struct ConnectionFaultTests {
  /// A transaction of a worker, known by one of its statements.
  enum Transaction: String, CaseIterable {
    case claim = "insert into sluice.lease"
    case checkpoint = "insert into sluice.mark"
    case acknowledgement = "The cheap half of job_complete"
    case completion = "insert into sink"
  }

  @Test(
    "a cut before or after a COMMIT loses nothing, does nothing twice and charges nothing",
    arguments: Transaction.allCases, Proxy.Moment.allCases)
  func cut(transaction: Transaction, moment: Proxy.Moment) async throws {
    try await FaultBench.with { bench in
      try await Proxy.with(bench) { proxy in
        proxy.cut(moment, ofTransactionsWith: transaction.rawValue, times: 3)
        _ = try bench.start("one", url: proxy.url(bench))
        let isAcknowledged = transaction != .completion
        let jobs = try await bench.enqueue(12, chunks: 3, pause: 20, more: "\"isAcknowledged\":\(isAcknowledged)")
        try await bench.allEnd()
        #expect(proxy.cuts == 3)
        try await bench.expectNothingCharged()
        try await bench.expectExactlyOnce(jobs, chunks: 3)
      }
    }
  }

  @Test("a worker that the network has forgotten stops by itself, and what arrives late is refused")
  func partition() async throws {
    try await FaultBench.with { bench in
      try await Proxy.with(bench) { proxy in
        let lost = try bench.start("lost", url: proxy.url(bench))
        let workers = try await bench.start(["two"])
        let jobs = try await bench.enqueue(8, chunks: 8, pause: 150)
        try await eventually("it is at work") { try await bench.written(by: lost) > 4 }
        let moment = try await bench.moment()
        proxy.silence()
        let written = try await bench.written(by: lost)
        try await bench.allEnd()
        Strength.tell(
          "partition to running elsewhere, lease 3 s", try await bench.secondsToTakeOver(from: lost, since: moment))
        proxy.release()
        #expect(try await lost.ended() == 3)
        #expect(try await bench.written(by: lost) <= written + 4)
        #expect(workers.allSatisfy { $0.ending == nil })
        try await bench.expectExactlyOnce(jobs, chunks: 8)
      }
    }
  }

  @Test("a listener that hears nothing any more finds out, and listens anew")
  func deafListener() async throws {
    try await FaultBench.with { bench in
      try await Proxy.with(bench) { proxy in
        // A poll so slow that only a notification starts a job in time.
        let worker = try bench.start("one", url: proxy.url(bench), lease: 6, ["FAULT_POLL_SECONDS": "60"])
        try await eventually("it listens") {
          try await bench.rows(
            "select 1 from pg_stat_activity where query ilike 'listen%' and datname = current_database()"
          )
          .count == 1
        }
        proxy.silenceListeners()
        try await eventually("it notices") { worker.log.contains("listening anew") }
        try await eventually("it listens") {
          try await bench.rows(
            "select 1 from pg_stat_activity where query ilike 'listen%' and datname = current_database()"
          )
          .count >= 1
        }
        let jobs = try await bench.enqueue(1, chunks: 1)
        try await eventually(within: .seconds(5), "a notification starts the job: \(bench.said)") {
          let lanes = try await bench.pool.query("select lane_id from sluice.lane").map { try $0.int("lane_id") }
          try await bench.store.notify(lanes: lanes, on: bench.pool)
          return try await bench.written() == 1
        }
        try await bench.allEnd()
        try await bench.expectExactlyOnce(jobs, chunks: 1)
      }
    }
  }
}
