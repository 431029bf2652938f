import Autoscaling
import Catalog
import JobModel
import JobStore

/// One screen about an environment, as `status` prints it and the control API answers it.
package struct StatusReport: Sendable, Codable {
  package struct Release: Sendable, Codable {
    package var id: Int64
    package var hash: String
    package var state: String
    package var label: String?
    package var engine: String
    package var reason: String?
    /// That can be done or run.
    package var jobs: Int
    package var workers: Int
    package var createdAt: String
    /// What was lost of it, so that its workers cannot be started.
    package var trouble: String?
    /// The command that repairs it.
    package var remedy: String?
  }
  package struct Stage: Sendable, Codable {
    package var pipeline: String
    package var stage: String
    package var state: String
    package var jobs: Int64
    package var oldestSeconds: Double
  }
  package struct Worker: Sendable, Codable {
    package var id: Int64
    package var pid: Int
    package var host: String
    package var release: String?
    package var slots: Int
    package var busy: Int
    package var draining: Bool
    package var beatAt: String
  }
  package struct Run: Sendable, Codable {
    package var run: Int64
    package var pipeline: String
    package var kind: String
    package var target: String?
    package var state: String
    package var createdAt: String
    /// By when it and its loads must be done.
    package var deadline: String?
    /// When they are expected to be; nil: they have ended, or it is not known.
    package var expected: Expected?
    /// Why that is not known.
    package var unexpected: String?
  }
  /// When a run and its loads are expected to end.
  package struct Expected: Sendable, Equatable, Codable {
    /// One end in ten is before, and one after ``late``.
    package var early: String
    package var mean: String
    package var late: String
    /// By how much ``mean`` is after the deadline.
    package var lateSeconds: Double?
    /// What it would take to end by the deadline.
    package var needs: String?
  }
  /// A schedule, or a paused pipeline that has none.
  package struct Schedule: Sendable, Codable {
    package var pipeline: String
    package var cron: String?
    package var timezone: String?
    package var nextAt: String?
    package var pausedSince: String?
    package var lastAt: String?
    /// `started`, `waiting`, `skipped`, `missed` or `failed`.
    package var lastOutcome: String?
    package var lastRun: Int64?
    package var lastReason: String?
  }
  package struct WaitingRaw: Sendable, Codable {
    package var pipeline: String
    package var stream: String
    package var runs: Int64
    package var oldest: String
  }
  /// Checkpoints that the engine whose jobs they belong to does not read: these jobs are not done.
  package struct Unreadable: Sendable, Codable {
    package var pipeline: String
    package var stage: String
    package var format: String
    package var jobs: Int
    package var oldest: String
  }
  /// Jobs of a pipeline that wait for a permit.
  package struct Waiting: Sendable, Codable {
    package var pipeline: String
    package var permit: String
    package var slots: Int
    package var taken: Int
    package var jobs: Int
    package var since: String
  }

  /// Attempts that run and wait: `source`, `target`, `database`, `memory` or `limit`.
  package struct AttemptWait: Sendable, Codable {
    package var pipeline: String
    package var stage: String
    package var cause: String
    package var attempts: Int
  }

  /// What is decided about the number of workers.
  package struct Scaling: Sendable, Codable {
    package struct Override: Sendable, Codable {
      package var workers: Int
      package var reason: String
      package var author: String
      package var expiresAt: String
    }

    /// Nil: no process decides.
    package var workers: Int?
    package var demanded: Int?
    package var reasons: [String]
    package var limitedBy: String?
    package var decidedAt: String?
    /// Deadlines that will be missed, and workers that could not be started.
    package var problems: [String]
    /// A number that a person set.
    package var override: Override?
  }

  package var environment: String
  package var controlUrl: String?
  package var releases: [Release]
  package var stages: [Stage]
  package var workers: [Worker]
  package var runs: [Run]
  /// Of all runs those that will miss their deadline, or have missed it, the earliest first.
  package var late: [String]
  package var schedules: [Schedule]
  package var rawDue: [WaitingRaw]
  package var waiting: [Waiting]
  package var attemptWaits: [AttemptWait]
  package var unreadable: [Unreadable]
  /// Nil: the number of workers follows no decision.
  package var scaling: Scaling?
  package var bottleneck: String

  /// Adds what is to be known of the number of workers.
  package mutating func tell(scaling notes: [String]) {
    guard !notes.isEmpty else { return }
    scaling = scaling ?? Scaling(reasons: [], problems: [])
    scaling?.problems += notes
  }

  package static func gather(
    environment: String, controlURL: String?, store: JobStore, catalog: Catalog
  ) async throws -> StatusReport {
    let releases = try await store.releases(
      in: [.staged, .canary, .current, .draining, .drained, .rejected], limit: 50)
    let work = try await store.work(of: releases.map(\.id))
    let runs = try await store.runs(limit: 10)
    let outlook = try await RunOutlook.gather(
      runs.filter { !$0.state.isTerminal }.map(\.id.rawValue), store: store)
    return StatusReport(
      environment: environment, controlUrl: controlURL,
      releases: releases.filter { $0.state.isServed && $0.state != .rejected || (work[$0.id]?.jobs ?? 0) > 0 }.map {
        Release(
          id: $0.id, hash: $0.contentHash, state: $0.state.rawValue, label: $0.label, engine: $0.engine,
          reason: $0.reason, jobs: work[$0.id]?.jobs ?? 0, workers: work[$0.id]?.workers ?? 0, createdAt: $0.createdAt)
      },
      stages: try await store.stages().map {
        Stage(
          pipeline: $0.pipeline, stage: $0.stage, state: $0.state.rawValue, jobs: $0.jobs,
          oldestSeconds: $0.oldestSeconds)
      },
      workers: try await store.workers().map {
        Worker(
          id: $0.id, pid: $0.pid, host: $0.host, release: $0.release, slots: $0.slots, busy: $0.busy,
          draining: $0.draining, beatAt: $0.beatAt)
      },
      runs: runs.map { run(of: $0, outlook) }, late: outlook.late,
      schedules: try await store.schedules().map {
        Schedule(
          pipeline: $0.pipeline, cron: $0.cron, timezone: $0.timeZone, nextAt: $0.nextAt, pausedSince: $0.pausedSince,
          lastAt: $0.last?.at, lastOutcome: $0.last?.outcome, lastRun: $0.last?.run?.rawValue,
          lastReason: $0.last?.reason)
      },
      rawDue: try await catalog.waitingRaw().map {
        WaitingRaw(
          pipeline: $0.stream.pipeline, stream: $0.stream.description, runs: $0.runs, oldest: $0.oldest)
      },
      waiting: try await store.permitQueues().map {
        Waiting(
          pipeline: $0.pipeline, permit: $0.key, slots: $0.slots, taken: $0.taken, jobs: $0.jobs, since: $0.since)
      },
      attemptWaits: try await store.waits().map {
        AttemptWait(pipeline: $0.pipeline, stage: $0.stage, cause: $0.cause, attempts: $0.attempts)
      },
      unreadable: try await unreadable(store), scaling: try await scaling(store, isTold: !outlook.late.isEmpty),
      bottleneck: "not measured yet")
  }

  private static func run(of record: RunRecord, _ outlook: RunOutlook) -> Run {
    var run = Run(
      run: record.id.rawValue, pipeline: record.pipeline, kind: record.kind.rawValue, target: record.target,
      state: record.state.rawValue, createdAt: record.createdAt, deadline: record.deadline)
    guard !record.state.isTerminal else { return run }
    switch outlook.expected(of: record.id.rawValue) {
    case .success(let expected): run.expected = expected
    case .failure(let unknown): run.unexpected = unknown.reason
    case nil: break
    }
    return run
  }

  /// - Parameter isTold: Whether runs that are late are told elsewhere, each with what it takes: then the decision's own estimate is not.
  private static func scaling(_ store: JobStore, isTold: Bool) async throws -> Scaling? {
    // What no process follows is no decision of now.
    let decision = try await store.scalingHolder() == nil ? nil : try await store.scalingDecision()
    let override = try await store.scalingOverride()
    let waits = try await store.memoryWaits().map(\.text)
    guard decision != nil || override != nil || !waits.isEmpty else { return nil }
    // Another engine may have written it.
    let report = decision.flatMap { try? ScalingReport(json: $0.inputs) }
    let problems = (isTold ? [] : report?.warnings ?? []) + (report?.troubles ?? []) + waits
    return Scaling(
      workers: decision?.total, demanded: decision?.demanded, reasons: decision?.reasons ?? [],
      limitedBy: decision?.limitedBy, decidedAt: decision?.decidedAt, problems: problems,
      override: override.map {
        Scaling.Override(workers: $0.workers, reason: $0.reason, author: $0.author, expiresAt: $0.expiresAt)
      })
  }

  private static func unreadable(_ store: JobStore) async throws -> [Unreadable] {
    var formats: [Int64: EngineFormats] = [:]
    var found: [Unreadable] = []
    for live in try await store.liveCheckpoints() where live.engine != 0 {
      if formats[live.engine] == nil { formats[live.engine] = try await store.release(live.engine)?.formats }
      guard let engine = formats[live.engine], engine.reading(live.format) == .cannot else { continue }
      found.append(
        Unreadable(
          pipeline: live.pipeline, stage: live.stage, format: "\(live.format)", jobs: live.jobs, oldest: live.oldest))
    }
    return found
  }
}
