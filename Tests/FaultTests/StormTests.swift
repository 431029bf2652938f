import FoundationEssentials
import Glibc
import JobModel
import JobStore
import Postgres
import TestSupport
import Testing

@Suite("A storm of faults")
struct StormTests {
  private enum Fault: CaseIterable {
    case kill, stop, drain, terminateAll, terminateSome, killBackend, killServer
  }

  /// `SLUICE_TEST_SEED` repeats one, `SLUICE_SOAK_SECONDS` says for how long.
  @Test("workers, sessions and the server are injured at random while jobs run: all are done, each chunk once")
  func storm() async throws {
    let drawn = SeededRandom.drawn(for: "storm")
    try await FaultBench.withServer { server, bench in
      var random = drawn
      var workers = try await bench.start(["w1", "w2", "w3"])
      var jobs: [JobID] = []
      let end = ContinuousClock.now + .seconds(Strength.soakSeconds ?? 8)
      while ContinuousClock.now < end {
        jobs += try await enqueue(in: bench, random.next() % 2 == 0)
        let victim = workers[Int(random.next() % UInt64(workers.count))]
        let fault = Fault.allCases[Int(random.next() % UInt64(Fault.allCases.count))]
        try await injure(fault, victim, server, bench)
        try await Task.sleep(for: .milliseconds(200 + Int(random.next() % 1500)))
        victim.send(SIGCONT)
        // Others take the place of those that ended.
        for index in workers.indices where workers[index].ending != nil {
          workers[index] = try bench.start("w\(jobs.count)-\(index)")
        }
      }
      for worker in workers { worker.send(SIGKILL) }
      _ = try await bench.start(["last"])
      try await bench.allEnd(within: .seconds(60))
      print("storm: \(jobs.count) jobs, \(try await bench.endings())")
      try await bench.expectExactlyOnce(jobs, chunks: 4)
    }
  }

  /// The server may be away.
  private func enqueue(in bench: FaultBench, _ isAcknowledged: Bool) async throws -> [JobID] {
    var jobs: [JobID] = []
    try await eventually("the server takes jobs") {
      do {
        // So many attempts that no job dies of the storm.
        jobs = try await bench.enqueue(
          20, chunks: 4, pause: 30, attempts: 1000, more: "\"isAcknowledged\":\(isAcknowledged)")
        return true
      } catch let error as PostgresError where error.isTransient && error.kind != .commitUnknown { return false }
    }
    return jobs
  }

  private func injure(
    _ fault: Fault, _ victim: WorkerProcess, _ server: OwnServer, _ bench: FaultBench
  ) async throws {
    switch fault {
    case .kill: victim.send(SIGKILL)
    case .stop: victim.send(SIGSTOP)
    case .drain: victim.send(SIGTERM)
    case .terminateAll: try await bench.terminate("application_name <> 'fault-test'")
    case .terminateSome: try await bench.terminate("application_name <> 'fault-test' and pid % 3 = 0")
    case .killBackend:
      let pids = try await bench.pool.query(
        "select pid from pg_stat_activity where application_name like 'w%' limit 1"
      ).map { try $0.int("pid") }
      for pid in pids { kill(Int32(pid), SIGKILL) }
    case .killServer:
      try await server.end(with: SIGKILL)
      try await server.start()
    }
  }
}
