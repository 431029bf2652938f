import Autoscaling
import FoundationEssentials
import JobModel
import JobStore
import Postgres

/// When the open runs are expected to end.
package struct RunOutlook: Sendable {
  /// Slots of the workers of each release, and how long a new worker takes until it claims.
  package struct Fleet: Sendable, Equatable {
    package var slots: [Int64: Int]
    package var startSeconds: Double

    package init(slots: [Int64: Int], startSeconds: Double = 2) {
      self.slots = slots
      self.startSeconds = startSeconds
    }
  }

  package let records: [JobStore.OpenRunRecord]
  private let runs: [Int64: OpenRun]
  private let histories: [String: StepHistory]
  private let fleet: Fleet

  package init(records: [JobStore.OpenRunRecord], histories: [String: StepHistory], fleet: Fleet) {
    self.records = records
    self.histories = histories
    self.fleet = fleet
    runs = Dictionary(records.map { ($0.root, OpenRun($0)) }) { first, _ in first }
  }

  /// The outlook of these runs, next to all with a deadline.
  ///
  /// - Parameter ids: Runs or their loads; those that have ended are left out.
  package static func gather(_ ids: [Int64], store: JobStore, now: String? = nil) async throws -> RunOutlook {
    var records = try await store.openRuns(now: now)
    let known = Set(records.flatMap(\.runs))
    let others = ids.filter { !known.contains($0) }
    if !others.isEmpty { records += try await store.openRuns(others, now: now) }
    guard !records.isEmpty else { return RunOutlook(records: [], histories: [:], fleet: Fleet(slots: [:])) }
    let histories = try await histories(of: Set(records.map(\.pipeline)), store: store)
    return RunOutlook(records: records, histories: histories, fleet: try await fleet(store))
  }

  package static func histories(of pipelines: Set<String>, store: JobStore) async throws -> [String: StepHistory] {
    var histories: [String: StepHistory] = [:]
    for step in try await store.stepHistory(of: pipelines.sorted()) {
      histories[step.pipeline, default: StepHistory()].add(
        kind: step.kind, label: step.label, seconds: step.seconds, bytes: step.memory)
    }
    return histories
  }

  /// The workers that claim, and those that the last decision wants.
  package static func fleet(_ store: JobStore) async throws -> Fleet {
    var fleet = Fleet(slots: [:])
    for worker in try await store.workers() where !worker.draining && !worker.servesOneRun {
      fleet.slots[worker.releaseID ?? 0, default: 0] += worker.slots
    }
    guard try await store.scalingHolder() != nil, let decision = try await store.scalingDecision(),
      decision.ageSeconds <= ScalingAnswer.freshSeconds,
      let report = try? ScalingReport(json: decision.inputs)
    else { return fleet }
    fleet.startSeconds = report.startSeconds
    for (release, workers) in decision.counts {
      fleet.slots[release] = max(fleet.slots[release] ?? 0, workers * report.slotsPerWorker)
    }
    return fleet
  }

  /// The record of a run or of one of its loads; nil: it has ended.
  package func record(of run: Int64) -> JobStore.OpenRunRecord? {
    records.first { $0.root == run || $0.runs.contains(run) }
  }

  package func forecast(of record: JobStore.OpenRunRecord) -> Result<RunForecast, RunForecast.Unknown> {
    forecast(of: record, slots: 0)
  }

  /// Where no worker is at work, what would be expected if one began now with one slot: what is late even so is late.
  func forecastAtBest(of record: JobStore.OpenRunRecord) -> RunForecast? {
    try? forecast(of: record, slots: 1).get()
  }

  /// - Parameter slots: At least so many.
  private func forecast(
    of record: JobStore.OpenRunRecord, slots: Int
  ) -> Result<RunForecast, RunForecast.Unknown> {
    guard let run = runs[record.root] else { return .failure(.noWorkers) }
    return Result { () throws(RunForecast.Unknown) in
      try RunForecast(
        of: run, among: Array(runs.values), histories: histories,
        slots: max(slots, fleet.slots[Int64(run.release) ?? 0] ?? 0), startSeconds: fleet.startSeconds,
        now: record.nowSeconds)
    }
  }

  /// When a run, or the run that one of its loads belongs to, is expected to end with all its loads; nil: it has ended.
  package func expected(of run: Int64) -> Result<StatusReport.Expected, RunForecast.Unknown>? {
    guard let record = record(of: run) else { return nil }
    return forecast(of: record).map { known in
      StatusReport.Expected(
        early: Self.text(known.early), mean: Self.text(known.mean), late: Self.text(known.late),
        lateSeconds: known.lateSeconds > 0 ? known.lateSeconds : nil, needs: known.needs)
    }
  }

  /// The most runs that ``late`` names.
  private static let mostLate = 20

  /// Of the runs with a deadline those that will miss it, or have missed it, the earliest first.
  package var late: [String] {
    let due = records.filter { $0.deadlineSeconds != nil }.sorted {
      ($0.deadlineSeconds ?? 0) < ($1.deadlineSeconds ?? 0)
    }
    let notices = due.compactMap { record -> String? in
      let forecast = forecast(of: record)
      return LateNotice(
        deadline: record.deadlineSeconds ?? 0, forecast: forecastAtBest(of: record), told: nil, now: record.nowSeconds
      )?.message(record, forecast)
    }
    return Array(notices.prefix(Self.mostLate))
  }

  /// As the database writes it: `2026-03-02 04:30:00+00`.
  package static func text(_ seconds: Double) -> String {
    let bounded = min(max(seconds, -62_135_596_800), 253_402_300_799)
    return Date(timeIntervalSince1970: bounded.rounded()).formatted(.iso8601)
      .replacing("T", with: " ").replacing("Z", with: "+00")
  }
}

extension OpenRun {
  /// Stages in the order in which data flows.
  private static let stages = ["ingest", "curate", "load"]

  init(_ record: JobStore.OpenRunRecord) {
    struct Step: Hashable {
      var stage: Int
      var kind: String
      var label: String
      var isReady: Bool
    }
    var counts: [Step: Int] = [:]
    var work: [Work] = []
    for job in record.jobs {
      let stage = Self.stages.firstIndex(of: job.stage) ?? 0
      let step = Step(stage: stage, kind: job.kind, label: job.label, isReady: job.place == .ready)
      switch job.place {
      case .ready, .blocked: counts[step, default: 0] += 1
      case .later: work.append(Work(stage: stage, kind: job.kind, label: job.label, place: .later(job.seconds)))
      case .running:
        work.append(
          Work(
            stage: stage, kind: job.kind, label: job.label,
            place: .running(seconds: job.seconds, progress: job.progress)))
      }
    }
    // In the order of the data, so that what is not known is told of the earliest step.
    let inOrder = counts.sorted {
      ($0.key.stage, $0.key.kind, $0.key.label) < ($1.key.stage, $1.key.kind, $1.key.label)
    }
    work += inOrder.map {
      Work(
        stage: $0.key.stage, kind: $0.key.kind, label: $0.key.label, place: $0.key.isReady ? .ready : .blocked,
        jobs: $0.value)
    }
    // Of a run with more jobs than are looked at, the others are taken to be like most.
    let more = record.pending - record.jobs.count
    if more > 0 {
      let most = counts.max { ($0.value, $0.key.kind, $0.key.label) < ($1.value, $1.key.kind, $1.key.label) }?.key
      work.append(
        Work(
          stage: most?.stage ?? 0, kind: most?.kind ?? "job", label: most?.label ?? "", place: .ready, jobs: more))
    }
    let first = record.jobs.first
    self.init(
      id: record.root, pipeline: record.pipeline, release: "\(first?.engine ?? 0)",
      priority: -(first?.urgencyClass ?? 0), deadline: record.deadlineSeconds, maxRunning: record.maxRunning,
      work: work)
  }
}
