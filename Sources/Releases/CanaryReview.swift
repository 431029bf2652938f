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
    // The last look is taken again until something came of it.
    let isLast = canary.looks >= CanaryJudge.looks
    if isLast, canary.isHeld { return nil }
    let counted = isLast ? canary.looks : try await store.lookAtCanary(canary.id, of: CanaryJudge.looks)
    guard let look = counted else { return nil }
    let verdict = CanaryJudge().judge(try await comparisons(canary, current), alarms: [])
    // Not shown to be worse yet is no proof: it is promoted, or held, at the end of its time.
    if case .worse = verdict { return verdict }
    return look < CanaryJudge.looks ? nil : verdict
  }

  private func alarms(
    of canary: JobStore.ReleaseRecord, beside current: Int64
  ) async throws -> [CanaryJudge.Alarm] {
    if canary.failedStarts >= Self.failedStarts { return [.crashLoop(workers: canary.failedStarts)] }
    return try await store.alarms(of: canary.id, beside: current, since: canary.since).map { alarm in
      switch alarm {
      case .unreadable(let label): .unreadable(job: label)
      case .contract(let label): .brokenContract(dataset: label)
      case .succeededElsewhere(let run): .succeededElsewhere(run: run)
      }
    }
  }

  private func comparisons(
    _ canary: JobStore.ReleaseRecord, _ current: Int64
  ) async throws -> [CanaryJudge.Comparison] {
    let evidence = try await store.evidence(
      of: canary.id, beside: current, since: canary.since, fewest: CanaryJudge.fewest)
    return Set(evidence.map(\.kind)).sorted().map { kind in
      func side(_ release: Int64) -> CanaryJudge.Side {
        evidence.first { $0.kind == kind && $0.release == release }.map(CanaryJudge.Side.init) ?? CanaryJudge.Side()
      }
      return CanaryJudge.Comparison(kind: kind, canary: side(canary.id), current: side(current))
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
    heaviest = evidence.heaviest
    rowsIn = evidence.rowsIn
    rowsOut = evidence.rowsOut
    rowsRejected = evidence.rowsRejected
  }
}

extension JobStore.ReleaseRecord {
  /// How the reason of a canary begins that waits for a person.
  package static let heldPrefix = "held: "

  /// Whether it is in canary until a person decides.
  package var isHeld: Bool { state == .canary && reason?.hasPrefix(Self.heldPrefix) == true }

  fileprivate var since: String { canarySince ?? changedAt }
}
