import Autoscaling
import JobModel
import JobStore
import Logging
import Postgres
import ServiceLifecycle

/// Tells that a run will miss its deadline before it does, with what it would take, and that it has missed it.
///
/// Any number may run; one tells, by an advisory lock of the transaction. What was told is kept next to the run, so that it is told once
/// for each real change. Where no run has a deadline a look is one question to an empty index.
package struct DeadlineWatch: Service {
  /// Open batches with a deadline that one look takes: more than there are.
  private static let maxBatches = 10_000

  private let store: JobStore
  private let tick: Duration
  private let logger: Logger
  private let clock = ContinuousClock()
  private let histories = HistoryCache()

  package init(store: JobStore, tick: Duration = .seconds(5), logger: Logger) {
    self.store = store
    self.tick = tick
    self.logger = logger
  }

  package func run() async throws {
    // A graceful shutdown ends the waiting by cancellation; that is no failure of the service.
    do { try await cancelWhenGracefulShutdown { try await keepLooking() } } catch is CancellationError {}
  }

  private func keepLooking() async throws {
    while !Task.isCancelled {
      do { try await look() } catch let error as any Failure where error.isTransient {
        logger.warning("deadlines could not be looked at; trying again", metadata: ["error": "\(error)"])
      } catch {
        if error is CancellationError { throw error }
        // Runs, schedules and the API do not depend on it.
        logger.error("deadlines could not be looked at", metadata: ["error": "\(error)"])
      }
      try await clock.sleep(for: tick)
    }
  }

  /// Looks at the open runs with a deadline, and tells what is new.
  ///
  /// - Parameter now: Nil: the database's clock.
  package func look(now: String? = nil) async throws {
    let due = try await store.openRuns(limit: Self.maxBatches, now: now)
    guard !due.isEmpty else { return }
    let outlook = RunOutlook(
      records: due, histories: try await histories.histories(of: Set(due.map(\.pipeline)), store: store),
      fleet: try await RunOutlook.fleet(store))
    try await store.database.transaction { transaction in
      guard try await store.leadsDeadlines(in: transaction) else { return }
      let told = try await store.lateWarnings(of: due.map(\.root), in: transaction)
      var forecasts: [JobStore.FinishForecast] = []
      for run in due {
        guard let deadline = run.deadlineSeconds else { continue }
        let forecast = outlook.forecast(of: run)
        if let known = try? forecast.get() {
          forecasts.append(
            JobStore.FinishForecast(run: run.root, early: known.early, mean: known.mean, late: known.late))
        }
        let notice = LateNotice(
          deadline: deadline, forecast: outlook.forecastAtBest(of: run), told: told[run.root], now: run.nowSeconds)
        if let notice { try await tell(notice, run, forecast, transaction, now: now) }
      }
      try await store.keep(forecasts, in: transaction, now: now)
    }
  }

  private func tell(
    _ notice: LateNotice, _ run: JobStore.OpenRunRecord, _ forecast: Result<RunForecast, RunForecast.Unknown>,
    _ transaction: PostgresTransaction, now: String?
  ) async throws {
    let message = LateMessage(notice, run, forecast)
    logger.warning(
      "a run's deadline",
      metadata: ["pipeline": "\(run.pipeline)", "run_id": "\(run.root)", "told": "\(message.message)"])
    let id = RunID(run.root)
    try await store.note(
      event: notice.event, pipeline: run.pipeline, run: id, job: nil, message: message.message, in: transaction)
    if notice.kind != .inTime {
      try await store.tell("late", pipeline: run.pipeline, run: id, body: try message.json, in: transaction)
    }
    try await store.keep(notice.record, of: run.root, in: transaction, now: now)
  }
}
