import FoundationEssentials
import Glibc
import JobModel
import JobStore
import Postgres

/// What a job of the kind `chunks` is to do; its payload.
struct ChunkPlan: Decodable {
  var chunks: Int
  /// Milliseconds before each chunk; a cancellation ends them.
  var pause: Int?
  /// Milliseconds before each chunk in which the thread is blocked.
  var block: Int?
  /// Milliseconds inside of each chunk's transaction, in which the thread is blocked.
  var inside: Int?
  /// Ends with `complete()`, which many jobs share a transaction for.
  var isAcknowledged: Bool?
  /// Writes to the other database.
  var isForeign: Bool?
  /// Looks at no request to yield.
  var isStubborn: Bool?
  /// Kills its own process before the first chunk.
  var isDeadly: Bool?
  /// Kills the server's process of its own session before the first chunk.
  var crashesBackend: Bool?
  /// The same after its first chunk: each attempt comes further.
  var crashesAfterChunk: Bool?
}

/// Writes its chunks into a table without any unique key: one that came twice would be there twice.
struct ChunkHandler: JobHandler {
  let store: JobStore
  let foreign: PostgresPool?

  func run(_ attempt: JobAttempt) async throws {
    let plan = try JSONDecoder().decode(ChunkPlan.self, from: Data(attempt.payload.utf8))
    try await store.database.query(
      "insert into begun (job_id, epoch, attempt, pid) values ($1, $2, $3, $4)",
      [.int(attempt.jobID.rawValue), .int(attempt.epoch), .int(Int64(attempt.attempt)), .int(Int64(getpid()))])
    if plan.isForeign == true, let foreign {
      try await ForeignSink(database: foreign, attempt: attempt).write(plan)
      return try await attempt.complete()
    }
    if plan.isDeadly == true {
      try await prepare(plan, attempt)
      kill(getpid(), SIGKILL)
    }
    if plan.crashesBackend == true { try await crashBackend() }
    let isAcknowledged = plan.isAcknowledged == true
    let last = isAcknowledged ? plan.chunks : plan.chunks - 1
    for chunk in min(try done(attempt), last)..<last {
      try await prepare(plan, attempt)
      try await attempt.checkpoint(format: CheckpointFormat("fault.chunks", 1), state: "\(chunk + 1)") {
        try await insert(chunk, plan, attempt, in: $0)
      }
      if plan.crashesAfterChunk == true { try await crashBackend() }
    }
    guard !isAcknowledged else { return try await attempt.complete() }
    try await prepare(plan, attempt)
    try await attempt.complete { try await insert(last, plan, attempt, in: $0) }
  }

  /// As a statement does that crashes the server's process: the session ends without a word.
  private func crashBackend() async throws {
    try await store.database.transaction { transaction in
      // Behind a pooler, the connection's own number is none of the server's.
      let process = try await transaction.query("select pg_backend_pid()::bigint as pid", []).only.int("pid")
      kill(Int32(process), SIGKILL)
      try await transaction.query("select pg_sleep(10)", [])
    }
  }

  private func done(_ attempt: JobAttempt) throws -> Int {
    guard let mark = attempt.mark else { return 0 }
    return try JSONDecoder().decode(Int.self, from: Data(mark.state.utf8))
  }

  private func prepare(_ plan: ChunkPlan, _ attempt: JobAttempt) async throws {
    if let pause = plan.pause { try await Task.sleep(for: .milliseconds(pause)) }
    if let block = plan.block { usleep(UInt32(block) * 1000) }
    if attempt.shouldYield, plan.isStubborn != true { throw JobYield() }
  }

  private func insert(
    _ chunk: Int, _ plan: ChunkPlan, _ attempt: JobAttempt, in transaction: PostgresTransaction
  ) async throws {
    try await transaction.query(
      "insert into sink (job_id, chunk, epoch, pid) values ($1, $2, $3, $4)",
      [.int(attempt.jobID.rawValue), .int(Int64(chunk)), .int(attempt.epoch), .int(Int64(getpid()))])
    if let inside = plan.inside { usleep(UInt32(inside) * 1000) }
  }
}
