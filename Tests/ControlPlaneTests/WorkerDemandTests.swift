import JobModel
import Testing

@testable import ControlPlane
@testable import JobStore

@Suite("How many workers the releases need")
struct WorkerDemandTests {
  private func release(_ id: Int64, _ state: ReleaseState, seconds: Double = 1000) -> JobStore.ReleaseRecord {
    JobStore.ReleaseRecord(
      id: id, contentHash: "h\(id)", state: state, engine: "1", formats: EngineFormats(), ramp: 0, looks: 0,
      failedStarts: 0, createdAt: "", changedAt: "", secondsInState: seconds)
  }

  private func worker(_ id: Int64, of release: Int64?, busy: Int = 0) -> WorkerRecord {
    WorkerRecord(
      id: id, host: "h", pid: Int(id), engine: "1", slots: 2, busy: busy, startedAt: "", beatAt: "", draining: false,
      servesOneRun: false, releaseID: release)
  }

  private func demand(
    _ releases: [JobStore.ReleaseRecord], served: Set<Int64> = [], count: Int = 3
  ) -> WorkerDemand {
    let needs = Dictionary(
      uniqueKeysWithValues: releases.map { ($0.id, JobStore.ReleaseNeed(isServed: served.contains($0.id))) })
    return WorkerDemand(releases, needs: needs, count: count, staging: .seconds(120))
  }

  @Test("before anything was deployed they are of no release; then of the current one")
  func current() {
    #expect(demand([]).wanted == [0: 3])
    #expect(demand([release(5, .current)]).wanted == [5: 3])
  }

  @Test("one is kept for a canary, for what comes, and for whatever has something left to do")
  func one() {
    let releases = [
      release(1, .draining), release(2, .draining), release(3, .rejected), release(4, .staged),
      release(5, .staged, seconds: 3), release(6, .canary), release(7, .current),
    ]
    #expect(demand(releases, served: [1, 3]).wanted == [1: 1, 3: 1, 5: 1, 6: 1, 7: 3])
    #expect(demand(releases, served: [1, 3], count: 0).wanted.isEmpty, "on a host that is to be empty")
  }

  @Test("of the last ones there is one of each release with work that nobody else serves")
  func lastOnes() {
    let releases = [release(1, .draining), release(2, .draining), release(3, .current), release(4, .canary)]
    let needs = Dictionary(
      uniqueKeysWithValues: releases.map { ($0.id, JobStore.ReleaseNeed(isServed: $0.id != 4)) })
    #expect(WorkerDemand(lastOf: releases, needs: needs, others: [2]).wanted == [1: 1, 3: 1])
    #expect(WorkerDemand(lastOf: releases, needs: [:], others: []).wanted.isEmpty)
  }

  @Test("who is too many goes, but never with work in hand, and never the last one that is wanted")
  func surplus() {
    let demand = demand([release(1, .draining), release(2, .current)], served: [1], count: 2)
    let workers = [
      worker(1, of: 1, busy: 1), worker(2, of: 1), worker(3, of: 1), worker(4, of: 2), worker(5, of: 2),
      worker(6, of: nil, busy: 2), worker(7, of: nil),
    ]
    #expect(Set(demand.surplus(workers).map(\.id)) == [2, 3, 7])
  }
}
