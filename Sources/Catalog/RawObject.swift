import FoundationEssentials
import JobModel
import JobStore
import Postgres

/// One object of the raw zone: bytes as received, and what is known of them.
package struct RawObject: Sendable, Equatable {
  package var id: Int64
  package var runID: RunID
  package var jobID: JobID
  package var stream: StreamID
  package var sequence: Int
  package var key: String
  package var bytes: Int64
  /// Lower-case hexadecimal.
  package var sha256: String
  /// The file's path or the page's URL, without secrets.
  package var request: String
  package var contentType: String?
  package var records: Int64?
  /// Why it is kept and never curated; nil for a good one.
  package var broken: String?
}

/// A raw object that is about to be recorded. Its keys in JSON are the columns of `sluice.raw_object`.
package struct NewRawObject: Sendable, Encodable {
  package var sequence: Int
  package var key: String
  package var bytes: Int64
  package var sha256: String
  package var request: String
  package var contentType: String?
  /// Of a file: its size and hash, by which the next run knows it.
  package var originBytes: Int64?
  package var originSHA256: String?
  package var records: Int64?
  package var broken: String?

  private enum CodingKeys: String, CodingKey {
    case sequence, key, bytes, sha256, request, records, broken
    case contentType = "content_type"
    case originBytes = "origin_bytes"
    case originSHA256 = "origin_sha256"
  }

  package init(
    sequence: Int, key: String, bytes: Int64, sha256: String, request: String, contentType: String? = nil,
    originBytes: Int64? = nil, originSHA256: String? = nil, records: Int64? = nil, broken: String? = nil
  ) {
    self.sequence = sequence
    self.key = key
    self.bytes = bytes
    self.sha256 = sha256
    self.request = request
    self.contentType = contentType
    self.originBytes = originBytes
    self.originSHA256 = originSHA256
    self.records = records
    self.broken = broken
  }
}

/// A file that an earlier run took. Its path is told from others by its bytes.
package struct SeenFile: Sendable, Hashable {
  package var path: String
  package var bytes: Int64
  package var sha256: String
  package init(path: String, bytes: Int64, sha256: String) {
    self.path = path
    self.bytes = bytes
    self.sha256 = sha256
  }

  package static func == (left: SeenFile, right: SeenFile) -> Bool {
    left.path.isExactly(right.path) && left.bytes == right.bytes && left.sha256 == right.sha256
  }

  package func hash(into hasher: inout Hasher) {
    hasher.combine(ExactText(path))
    hasher.combine(bytes)
    hasher.combine(sha256)
  }
}

extension Catalog {
  /// Records objects in the transaction of the checkpoint that covers them, all by one statement.
  ///
  /// - Source: `raw_object_insert.sql`.
  package func record(
    _ objects: [NewRawObject], of stream: StreamID, by attempt: JobAttempt, in session: some PostgresSession
  ) async throws {
    guard !objects.isEmpty else { return }
    guard let run = attempt.runID else { preconditionFailure("ingest jobs belong to a run") }
    try await record(objects, of: stream, run: run, job: attempt.jobID, epoch: attempt.epoch, in: session)
  }

  /// Records objects that no attempt of this installation has brought, such as a sample's.
  ///
  /// - Source: `raw_object_insert.sql`.
  package func record(
    _ objects: [NewRawObject], of stream: StreamID, run: RunID, job: JobID = JobID(0), epoch: Int64 = 0,
    in session: some PostgresSession
  ) async throws {
    guard !objects.isEmpty else { return }
    let values: [PostgresValue] = [.int(run.rawValue), .int(job.rawValue), .int(epoch)]
    let list = String(decoding: try JSONEncoder().encode(objects), as: UTF8.self)
    try await session.query(Statement.rawObjectInsert, values + stream.values + [.json(list)])
  }

  /// What a job has recorded so far, in order: the ground that its checkpoint stands on.
  package func objects(ofJob job: JobID, run: RunID) async throws -> [RawObject] {
    try await database.query(Statement.rawObjectOfJob, [.int(job.rawValue), .int(run.rawValue)])
      .map(RawObject.init(row:))
  }

  package func objects(ofRun run: RunID) async throws -> [RawObject] {
    try await database.query(Statement.rawObjectOfRun, [.int(run.rawValue)]).map(RawObject.init(row:))
  }

  /// Everything whole that a stream has brought up to and with a run, oldest first: what `current.STREAM` is made of, with
  /// each run's own time.
  package func history(of stream: StreamID, upTo run: RunID) async throws -> [(object: RawObject, runAt: String)] {
    try await database.query(Statement.rawObjectOfStream, stream.values + [.int(run.rawValue)]).map {
      (try RawObject(row: $0), try $0.string("run_at"))
    }
  }

  /// Notes how many records objects hold, once they have been read.
  package func noteRecords(_ counts: [(object: Int64, records: Int64)], in session: some PostgresSession) async throws {
    guard !counts.isEmpty else { return }
    try await session.query(
      Statement.rawObjectRecords, [.ints(counts.map(\.object)), .ints(counts.map(\.records))])
  }

  /// The newest version of each of these files of a stream that finished runs took, or that `run` itself has.
  ///
  /// - Parameter paths: As the source lists them.
  /// - Source: `seen_files.sql`.
  package func seenFiles(of stream: StreamID, run: RunID, among paths: [String]) async throws -> Set<SeenFile> {
    var seen: Set<SeenFile> = []
    for start in stride(from: 0, to: paths.count, by: Self.mostPaths) {
      let some = Array(paths[start..<min(start + Self.mostPaths, paths.count)])
      let rows = try await database.query(Statement.seenFiles, stream.values + [.int(run.rawValue), .texts(some)])
      for row in rows {
        guard let bytes = try row.optionalInt("origin_bytes"), let hash = try row.optionalString("origin_sha256") else {
          continue
        }
        seen.insert(SeenFile(path: try row.string("request"), bytes: bytes, sha256: hash))
      }
    }
    return seen
  }

  /// Of one question for files: some megabytes of long paths.
  private static let mostPaths = 10_000

  /// Another run that has read a stream on since a time; nil where there is none.
  ///
  /// - Parameters:
  ///   - run: The one that asks.
  ///   - backfills: Runs that read a range of their own.
  /// - Source: `stream_outrun.sql`.
  package func outrun(
    _ stream: StreamID, since time: String, but run: RunID, backfills: [RunID]
  ) async throws -> RunID? {
    try await database.query(
      Statement.streamOutrun, stream.values + [.int(run.rawValue), .text(time), .ints(backfills.map(\.rawValue))]
    ).first.map { RunID(try $0.int("run_id")) }
  }

  /// Takes what earlier attempts of a job recorded, and the other run brought too, out of what is due. Files of the other parts of the
  /// job's stream as well: these parts may have ended before the other run.
  ///
  /// - Source: `raw_object_supersede.sql`.
  package func supersede(by other: RunID, _ attempt: JobAttempt, of stream: StreamID, in session: some PostgresSession)
    async throws
  {
    guard let run = attempt.runID else { preconditionFailure("ingest jobs belong to a run") }
    try await session.query(
      Statement.rawObjectSupersede,
      [.int(attempt.jobID.rawValue), .int(attempt.epoch), .int(other.rawValue), .int(run.rawValue)]
        + stream.values)
  }

  /// Says that a stream's ingest of a run is done, so that its objects are due; in the completing transaction.
  package func seal(_ stream: StreamID, run: RunID, read: String, in session: some PostgresSession) async throws {
    let values: [PostgresValue] = [.int(run.rawValue)]
    try await session.query(Statement.streamSeal, values + stream.values + [.text(read)])
  }
}

extension RawObject {
  init(row: PostgresRow) throws {
    self.init(
      id: try row.int("object_id"), runID: RunID(try row.int("run_id")), jobID: JobID(try row.int("job_id")),
      stream: StreamID(
        pipeline: try row.string("pipeline"), source: try row.string("source"), stream: try row.string("stream")),
      sequence: Int(try row.int("sequence")), key: try row.string("key"), bytes: try row.int("bytes"),
      sha256: try row.string("sha256"), request: try row.string("request"),
      contentType: try row.optionalString("content_type"), records: try row.optionalInt("records"),
      broken: try row.optionalString("broken"))
  }
}
