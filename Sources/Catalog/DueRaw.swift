import JobModel
import Postgres

/// The raw of one stream that a dataset is to take next.
package struct DueRaw: Sendable, Equatable {
  package var stream: StreamID
  /// Oldest run first, in the order in which they were pulled.
  package var objects: [RawObject]
  /// The runs that these objects come from, with each run's own time; a run may have brought no object.
  package var runs: [Run]
  /// Older runs of a full read, which the newest one supersedes.
  package var superseded: [RunID]

  package struct Run: Sendable, Equatable {
    package var id: RunID
    package var runAt: String
    package init(id: RunID, runAt: String) {
      self.id = id
      self.runAt = runAt
    }
  }

  package init(stream: StreamID, objects: [RawObject], runs: [Run], superseded: [RunID]) {
    self.stream = stream
    self.objects = objects
    self.runs = runs
    self.superseded = superseded
  }
}

/// Raw that waits because its run failed.
package struct WaitingRaw: Sendable, Equatable {
  package var stream: StreamID
  package var runs: Int64
  package var oldest: String
}

extension Catalog {
  /// What a dataset has not yet taken of these streams, up to and with `run`: of an incremental read every run, in
  /// order; of a full read the newest, which supersedes the older ones.
  ///
  /// - Source: `due_runs.sql`, `due_objects.sql`.
  package func dueRaw(pipeline: String, dataset: String, streams: [StreamID], upTo run: RunID) async throws -> [DueRaw]
  {
    let rows = try await database.query(
      Statement.dueRuns,
      [
        .text(pipeline), .text(dataset), .texts(streams.map(\.source)), .texts(streams.map(\.stream)),
        .int(run.rawValue),
      ])
    var due: [StreamID: (runs: [DueRaw.Run], isFull: Bool)] = [:]
    for row in rows {
      let stream = StreamID(pipeline: pipeline, source: try row.string("source"), stream: try row.string("stream"))
      let entry = DueRaw.Run(id: RunID(try row.int("run_id")), runAt: try row.string("run_at"))
      // The newest run's way of reading decides: a stream that became `full` no longer needs what came before.
      due[stream, default: ([], false)].runs.append(entry)
      due[stream]?.isFull = try row.string("read") == "full"
    }
    var result: [DueRaw] = []
    for stream in streams {
      guard let (runs, isFull) = due[stream] else {
        result.append(DueRaw(stream: stream, objects: [], runs: [], superseded: []))
        continue
      }
      let taken = isFull ? Array(runs.suffix(1)) : runs
      let superseded = isFull ? runs.dropLast().map(\.id) : []
      result.append(
        DueRaw(
          stream: stream, objects: try await objects(of: stream, in: taken), runs: taken, superseded: superseded))
    }
    return result
  }

  /// What a snapshot was made from: the raw of these streams, and the other streams that it took.
  ///
  /// - Source: `consumed_of_snapshot.sql`, `due_objects.sql`.
  package func raw(
    takenBy snapshot: Snapshot, streams: [StreamID]
  ) async throws -> (raw: [DueRaw], others: Set<StreamID>) {
    let rows = try await database.query(
      Statement.consumedOfSnapshot, [.text(snapshot.pipeline), .text(snapshot.dataset), .text(snapshot.id)])
    var taken: [StreamID: [DueRaw.Run]] = [:]
    for row in rows {
      let stream = StreamID(
        pipeline: snapshot.pipeline, source: try row.string("source"), stream: try row.string("stream"))
      taken[stream, default: []].append(
        DueRaw.Run(id: RunID(try row.int("run_id")), runAt: try row.string("run_at")))
    }
    var result: [DueRaw] = []
    for stream in streams {
      let runs = taken[stream] ?? []
      result.append(
        DueRaw(stream: stream, objects: try await objects(of: stream, in: runs), runs: runs, superseded: []))
    }
    return (result, Set(taken.keys).subtracting(streams))
  }

  private func objects(of stream: StreamID, in runs: [DueRaw.Run]) async throws -> [RawObject] {
    guard !runs.isEmpty else { return [] }
    return try await database.query(Statement.dueObjects, stream.values + [.ints(runs.map(\.id.rawValue))])
      .map(RawObject.init(row:))
  }

  /// Gives up the raw of a run. Returns the streams that it had brought.
  package func skip(run: RunID, in session: some PostgresSession) async throws -> [String] {
    try await session.query(Statement.runSkip, [.int(run.rawValue)]).map {
      "\(try $0.string("source")).\(try $0.string("stream"))"
    }
  }

  /// Raw of failed runs that datasets are still to take.
  package func waitingRaw() async throws -> [WaitingRaw] {
    try await database.query(Statement.rawDue, []).map {
      WaitingRaw(
        stream: StreamID(
          pipeline: try $0.string("pipeline"), source: try $0.string("source"), stream: try $0.string("stream")),
        runs: try $0.int("runs"), oldest: try $0.string("oldest"))
    }
  }
}
