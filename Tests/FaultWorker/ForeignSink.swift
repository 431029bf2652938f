import Glibc
import JobModel
import JobStore
import Postgres

/// A sink in a database that the queue shares no transaction with: it keeps the highest epoch of each job and refuses lower
/// ones, and says itself how far a job is.
struct ForeignSink {
  let database: PostgresPool
  let attempt: JobAttempt

  func write(_ plan: ChunkPlan) async throws {
    let job = PostgresValue.int(attempt.jobID.rawValue)
    var next = 0
    repeat {
      if let pause = plan.pause { try await Task.sleep(for: .milliseconds(pause)) }
      if attempt.shouldYield { throw JobYield() }
      next = try await database.transaction { transaction in
        let fence = try await transaction.query(
          """
          insert into fence as f (job_id, epoch) values ($1, $2)
          on conflict (job_id) do update set epoch = excluded.epoch where f.epoch <= excluded.epoch
          returning epoch
          """, [job, .int(attempt.epoch)])
        guard fence.count == 1 else { throw LeaseLost(attempt.claim.holder) }
        let done = Int(
          try await transaction.query("select count(*) as done from sink where job_id = $1", [job]).only.int("done"))
        guard done < plan.chunks else { return done }
        try await transaction.query(
          "insert into sink (job_id, chunk, epoch, pid) values ($1, $2, $3, $4)",
          [job, .int(Int64(done)), .int(attempt.epoch), .int(Int64(getpid()))])
        return done + 1
      }
    } while next < plan.chunks
  }
}
