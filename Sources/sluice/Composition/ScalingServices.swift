import Autoscaling
import ControlPlane
import FoundationEssentials
import Glibc
import JobModel
import JobStore
import JobWorker
import Logging
import PipelineDefinition
import Postgres
import ServiceLifecycle

extension Installation {
  /// What decides how many workers there are to be, by `scaling` of `sluice.yaml`.
  ///
  /// - Parameter slots: Of the workers that this process starts; nil: those of the definition.
  func scalingServices(_ board: ScalingBoard, slots: Int?) -> [any Service] {
    guard let scaling = project.settings.scaling else { return [] }
    var settings = ScalingSettings()
    settings.catchUpSeconds = scaling.backlogWithin.inSeconds
    settings.boundColdStart(by: project.settings.mostJobBytes)
    let decider = ScalingService(
      store: store, limits: scaling.limits(slots: slots ?? project.settings.limits.slots), settings: settings,
      stages: [StageJob.ingest, StageJob.curate, StageJob.load], board: board,
      holder: "\(Self.host)/\(getpid())/\(UUID().uuidString.lowercased())", logger: logger,
      // Workers of other launchers have other memory than this machine's.
      memory: { scaling.launcher == .local ? .now() : HostMemory() })
    // Behind a transaction pooler nothing can be heard; the next look finds it.
    return self.settings.isPooled
      ? [decider] : [decider, LaneEar(store: store, settings: self.settings, board: board, logger: logger)]
  }
}

extension ProjectSettings.Scaling {
  fileprivate func limits(slots: Int) -> ScalingLimits {
    var limits = ScalingLimits(
      minWorkers: minWorkers, maxWorkers: maxWorkers, memoryBytes: memoryBytes.map { Double($0) },
      slotsPerWorker: slots)
    limits.workerBytes = Double(workerBytes)
    limits.budgetHours = budgetHours
    return limits
  }
}

/// Hears of ready jobs that other processes enqueued: the first one is not to wait for the next look.
private struct LaneEar: Service {
  let store: JobStore
  let settings: PostgresSettings
  let board: ScalingBoard
  let logger: Logger

  func run() async throws {
    do { try await cancelWhenGracefulShutdown { try await hear() } } catch is CancellationError {}
  }

  private func hear() async throws {
    do {
      try await LaneListener(store: store, settings: settings, logger: logger).run { lanes in
        board.ring(lanes)
      } began: {
        board.ring()
      } lost: { _ in
        // The next look finds what was said until it listens again.
      }
    } catch let error as any Failure {
      // It is not worth the end of control.
      logger.warning(
        "the first job of an idle system waits for the next look: control cannot listen",
        metadata: ["error": "\(error)"])
      while true { try await ContinuousClock().sleep(for: .seconds(3600)) }
    }
  }
}
