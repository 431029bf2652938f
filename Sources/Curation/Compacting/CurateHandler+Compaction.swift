import Catalog
import DuckDB
import FoundationEssentials
import JobModel
import JobStore
import Logging
import Postgres

extension CurateHandler {
  /// Brings a dataset's small files together where they have become many, after the job has ended. Its
  /// errors are events. Other jobs wait for it only where the worker has no free slot.
  func compact(_ dataset: String, of pipeline: String, attempt: JobAttempt) async {
    guard let compactor else { return }
    do {
      guard try await compactor.isDue(pipeline: pipeline, dataset: dataset) else { return }
      try await compactor.removeOutlived(pipeline: pipeline, dataset: dataset)
      guard
        let plan = try await compactor.plan(
          pipeline: pipeline, dataset: dataset, job: attempt.jobID, epoch: attempt.epoch)
      else { return }
      // The next run of the dataset waits for the permit of this attempt, which would go on at its end only.
      let lanes = try await attempt.passPermitsOn()
      attempt.store.bell?.ring(lanes.keys)
      let id = try await catalog.open(plan.compaction)
      do {
        let isRead = try await compactor.carryOut(plan, id: id)
        attempt.logger.info(
          "small files compacted",
          metadata: [
            "dataset": "\(dataset)", "snapshots": "\(plan.compaction.count)", "parts": "\(plan.parts.count)",
            "is_read": "\(isRead)",
          ])
      } catch {
        // What a cancelled one has left is removed by its age.
        if Task.isCancelled { throw error }
        try await note(error, of: plan.compaction, id: id, attempt: attempt)
      }
    } catch {
      attempt.logger.info(
        "small files were not compacted", metadata: ["dataset": "\(dataset)", "error": "\(error)"])
    }
  }

  private func note(
    _ error: any Error, of compaction: NewCompaction, id: Int64, attempt: JobAttempt
  ) async throws {
    // The text of an error that no module translated may carry values.
    let failure = error as? any Failure
    let reason = failure.map { [$0.message, $0.hint].compactMap { $0 }.joined(separator: "; ") }
    let cause = reason ?? "an unexpected error of the type \(type(of: error))"
    let message =
      "dataset \(compaction.dataset): the files of its snapshots \(compaction.numbers.lowerBound) to "
      + "\(compaction.numbers.upperBound) were not compacted: \(cause). Queries read them one by one; the next run after a day "
      + "tries again"
    attempt.logger.warning(
      "small files were not compacted", metadata: ["dataset": "\(compaction.dataset)", "cause": "\(cause)"])
    try await catalog.database.transaction { transaction in
      try await catalog.abandon(compaction: id, error: cause, in: transaction)
      try await attempt.store.note(
        event: "compaction_failed", pipeline: compaction.pipeline, run: attempt.runID, job: attempt.jobID,
        message: message, in: transaction)
    }
  }
}
