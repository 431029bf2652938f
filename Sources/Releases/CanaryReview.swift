import JobModel
import JobStore

/// Looks at a canary: alarms at every look, rates as often as the judge allows.
package struct CanaryReview: Sendable {
  /// A worker that ends before it has registered says nothing of the release; so many in a row do.
  private static let failedStarts = 3

  private let store: JobStore

  package init(store: JobStore) { self.store = store }

  /// - Returns: Nil where there is nothing to say yet.
  package func look(at canary: JobStore.ReleaseRecord, beside current: Int64) async throws -> CanaryJudge.Verdict? {
    let alarms = try await alarms(of: canary, beside: current)
    if !alarms.isEmpty { return CanaryJudge().judge([], alarms: alarms) }
    guard let look = try await store.lookAtCanary(canary.id, of: CanaryJudge.looks) else { return nil }
    let verdict = CanaryJudge().judge(try await comparisons(canary.id, current), alarms: [])
    // What has said nothing by the last look is held.
    if case .inconclusive = verdict, look < CanaryJudge.looks { return nil }
    return verdict
  }

  private func alarms(
    of canary: JobStore.ReleaseRecord, beside current: Int64
  ) async throws -> [CanaryJudge.Alarm] {
    if canary.failedStarts >= Self.failedStarts { return [.crashLoop(workers: canary.failedStarts)] }
    return try await store.alarms(of: canary.id, beside: current).map { alarm in
      switch alarm {
      case .unreadable(let label): .unreadable(job: label)
      case .contract(let label): .brokenContract(dataset: label)
      case .succeededElsewhere(let run): .succeededElsewhere(run: run)
      }
    }
  }

  private func comparisons(_ canary: Int64, _ current: Int64) async throws -> [CanaryJudge.Comparison] {
    let evidence = try await store.evidence(of: canary, beside: current)
    return Set(evidence.map(\.kind)).sorted().map { kind in
      func side(_ release: Int64) -> CanaryJudge.Side {
        evidence.first { $0.kind == kind && $0.release == release }.map(CanaryJudge.Side.init) ?? CanaryJudge.Side()
      }
      return CanaryJudge.Comparison(kind: kind, canary: side(canary), current: side(current))
    }
  }
}

extension CanaryJudge.Side {
  fileprivate init(_ evidence: JobStore.KindEvidence) {
    self.init()
    finished = evidence.finished
    failed = evidence.failed
    crashed = evidence.crashed
    slowest = evidence.slowest
    rowsIn = evidence.rowsIn
    rowsOut = evidence.rowsOut
    rowsRejected = evidence.rowsRejected
  }
}
