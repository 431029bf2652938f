import Catalog
import JobModel
import JobStore

/// One screen about an environment, as `status` prints it and the control API answers it.
package struct StatusReport: Sendable, Codable {
  package struct Release: Sendable, Codable {
    package var hash: String
    package var state: String
    package var label: String?
    package var createdAt: String
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
  /// Jobs of a pipeline that wait for a permit.
  package struct Waiting: Sendable, Codable {
    package var pipeline: String
    package var permit: String
    package var slots: Int
    package var taken: Int
    package var jobs: Int
    package var since: String
  }

  package var environment: String
  package var controlUrl: String?
  package var releases: [Release]
  package var stages: [Stage]
  package var workers: [Worker]
  package var runs: [Run]
  package var schedules: [Schedule]
  package var rawDue: [WaitingRaw]
  package var waiting: [Waiting]
  package var bottleneck: String

  package static func gather(
    environment: String, controlURL: String?, store: JobStore, catalog: Catalog
  ) async throws -> StatusReport {
    StatusReport(
      environment: environment, controlUrl: controlURL,
      releases: try await store.releases(limit: 5).map {
        Release(hash: $0.contentHash, state: $0.state, label: $0.label, createdAt: $0.createdAt)
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
      runs: try await store.runs(limit: 10).map {
        Run(
          run: $0.id.rawValue, pipeline: $0.pipeline, kind: $0.kind.rawValue, target: $0.target,
          state: $0.state.rawValue, createdAt: $0.createdAt)
      },
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
      bottleneck: "not measured yet")
  }
}
