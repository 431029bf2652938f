import JobModel
import Postgres

/// What is left of runs that have not ended, and what the jobs of earlier ones took.
extension JobStore {
  /// A batch together with its loads.
  package struct OpenRunRecord: Sendable, Equatable {
    /// Of the batch, also where that has ended and a load has not.
    package var root: Int64
    package var pipeline: String
    /// Those that have not ended, loads included.
    package var runs: [Int64]
    /// Jobs that have not ended.
    package var pending: Int
    package var deadline: String?
    /// Since 1970.
    package var deadlineSeconds: Double?
    package var nowSeconds: Double
    /// Jobs of the pipeline at a time; nil: no limit.
    package var maxRunning: Int?
    package var jobs: [OpenJobRecord] = []
  }

  /// A job that has not ended.
  package struct OpenJobRecord: Sendable, Equatable {
    package enum Place: String, Sendable { case running, ready, later, blocked }
    package var run: Int64
    package var job: Int64
    package var lane: Int64
    package var engine: Int64
    package var stage: String
    package var urgencyClass: Int
    package var kind: String
    package var label: String
    package var place: Place
    /// Since it began to run, or until it may.
    package var seconds: Double
    /// 0...1
    package var progress: Double?
  }

  /// What a job took that is done.
  package struct StepRecord: Sendable, Equatable {
    package var pipeline: String
    package var kind: String
    package var label: String
    package var seconds: Double
    /// Bytes; nil: not measured.
    package var memory: Double?
  }

  /// Jobs of one run that are looked at one by one: the last ones, which are those that are left.
  package static let mostOpenJobs = 100
  /// Runs of a pipeline whose jobs are its history, loads included; and jobs of each.
  private static let historyRuns: Int64 = 16
  private static let historyJobs: Int64 = 100

  /// Open runs with what is left of them: the named ones, or the earliest of those with a deadline.
  ///
  /// - Parameters:
  ///   - ids: Runs or their loads, those that have ended are left out; nil: those with a deadline.
  ///   - limit: Of those with a deadline.
  /// - Source: `run_open.sql`, `run_open_jobs.sql`.
  package func openRuns(
    _ ids: [Int64]? = nil, limit: Int = 100, in session: (any PostgresSession)? = nil, now: String? = nil
  ) async throws -> [OpenRunRecord] {
    let session: any PostgresSession = session ?? database
    var runs = try await session.query(
      Statement.runOpen, [ids.map { .ints($0) } ?? .null, .int(Int64(limit)), .optional(now)]
    ).map(OpenRunRecord.init(row:))
    guard !runs.isEmpty else { return [] }
    let jobs = try await session.query(
      Statement.runOpenJobs, [.ints(runs.flatMap(\.runs)), .int(Int64(Self.mostOpenJobs)), .optional(now)]
    ).map(OpenJobRecord.init(row:))
    let byRun = Dictionary(grouping: jobs, by: \.run)
    for index in runs.indices { runs[index].jobs = runs[index].runs.flatMap { byRun[$0] ?? [] } }
    return runs
  }

  /// What the jobs of the last runs of some pipelines took, in order of the runs.
  ///
  /// - Source: `run_history.sql`.
  package func stepHistory(
    of pipelines: [String], in session: (any PostgresSession)? = nil
  ) async throws -> [StepRecord] {
    guard !pipelines.isEmpty else { return [] }
    return try await (session ?? database).query(
      Statement.runHistory, [.texts(pipelines), .int(Self.historyRuns), .int(Self.historyJobs)]
    ).map { row in
      StepRecord(
        pipeline: try row.string("pipeline"), kind: try row.string("kind"), label: try row.string("label"),
        seconds: try row.double("seconds"), memory: try row.optionalDouble("memory"))
    }
  }
}

extension JobStore.OpenRunRecord {
  fileprivate init(row: PostgresRow) throws {
    self.init(
      root: try row.int("root"), pipeline: try row.string("pipeline"),
      runs: try row.string("runs").split(separator: ",").compactMap { Int64($0) }, pending: Int(try row.int("pending")),
      deadline: try row.optionalString("deadline"), deadlineSeconds: try row.optionalDouble("deadline_seconds"),
      nowSeconds: try row.double("now_seconds"), maxRunning: try row.optionalInt("max_running").map { Int($0) })
  }
}

extension JobStore.OpenJobRecord {
  fileprivate init(row: PostgresRow) throws {
    guard let place = Place(rawValue: try row.string("place")) else {
      preconditionFailure("the statement knows only the places of Place")
    }
    self.init(
      run: try row.int("run_id"), job: try row.int("job_id"), lane: try row.int("lane_id"),
      engine: try row.int("engine_id"), stage: try row.string("stage"), urgencyClass: Int(try row.int("class")),
      kind: try row.string("kind"), label: try row.string("label"), place: place,
      seconds: try row.optionalDouble("seconds") ?? 0, progress: try row.optionalDouble("progress"))
  }
}
