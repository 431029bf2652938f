import JobModel
import JobStore
import Testing

@testable import JobWorker

@Suite("What has room in the memory of a host")
struct MemoryGateTests {
  private static let megabyte = 1_000_000.0

  private func need(_ job: Int64, lane: Int64, megabytes: Double, seconds: Double, elapsed: Double = 0)
    -> JobStore.JobNeed
  {
    JobStore.JobNeed(
      job: JobID(job), lane: lane, elapsedSeconds: elapsed,
      expected: JobStore.ExpectedNeed(
        secondsMean: seconds, secondsDeviation: 0, bytesMean: megabytes * Self.megabyte, bytesDeviation: 0))
  }

  private func entry(_ job: Int64, lane: Int64, class urgencyClass: Int = 0, alone: Bool = false) -> MemoryGate.Entry {
    MemoryGate.Entry(lane: lane, urgencyClass: urgencyClass, job: JobID(job), runsAlone: alone)
  }

  /// A host of four slots on which one job of 600 MB runs for another minute.
  private func busy(_ ready: [JobStore.JobNeed]) -> JobStore.MemoryLook {
    var look = JobStore.MemoryLook()
    (look.turn, look.slots, look.workers) = (7, 4, 2)
    look.held = [need(1, lane: 9, megabytes: 600, seconds: 100, elapsed: 40)]
    look.ready = ready
    return look
  }

  private func gate(_ look: JobStore.MemoryLook, suspects: Set<JobID> = [], megabytes: Double = 1000) -> MemoryGate {
    // What the workers take themselves comes on top.
    MemoryGate(
      look, suspects: suspects, limitBytes: (megabytes + 100 * Double(look.workers)) * Self.megabyte,
      workerBytes: 100 * Self.megabyte)
  }

  @Test(
    "a heavy job waits for it, and light jobs behind it start: those that end before, and those that have room next to it"
  )
  func heavyWaits() {
    let heavy = need(2, lane: 1, megabytes: 800, seconds: 100)
    let short = gate(busy([heavy, need(3, lane: 2, megabytes: 100, seconds: 10)]))
    #expect(short.isShort && short.claimTurn == 7)
    let entries = [entry(2, lane: 1), entry(3, lane: 2)]
    var room = MemoryGate.Room(counts: [2: 3], waitsFor: JobID(2))
    #expect(short.room(for: entries, free: 4) == room)
    let long = gate(busy([heavy, need(3, lane: 2, megabytes: 100, seconds: 1000)]))
    room.counts = [2: 1]
    #expect(long.room(for: entries, free: 4) == room, "at its time 800 and 100 MB have room, and no second 100 MB")
  }

  @Test("light jobs that come without end do not starve it: after a while only what has room next to it starts")
  func patience() {
    var look = busy([need(2, lane: 1, megabytes: 900, seconds: 100), need(3, lane: 2, megabytes: 100, seconds: 10)])
    let entries = [entry(2, lane: 1), entry(3, lane: 2)]
    look.waiting = need(2, lane: 1, megabytes: 900, seconds: 100)
    look.waitingSeconds = 1799
    #expect(gate(look).room(for: entries, free: 4).counts == [2: 3])
    look.waitingSeconds = 1801
    #expect(gate(look).room(for: entries, free: 4).counts == [:])
    look.held = []
    #expect(gate(look).room(for: entries, free: 4).counts == [1: 1], "its room is there")
  }

  @Test("a less urgent lane goes before one that has none")
  func classes() {
    let look = busy([need(2, lane: 1, megabytes: 800, seconds: 100), need(3, lane: 2, megabytes: 100, seconds: 10)])
    let room = gate(look).room(for: [entry(3, lane: 2, class: 5), entry(2, lane: 1, class: -5)], free: 1)
    #expect(room == MemoryGate.Room(counts: [2: 1], waitsFor: JobID(2)))
  }

  @Test("room is kept also for a job that only other workers of the host may claim")
  func foreign() {
    var look = busy([need(3, lane: 2, megabytes: 300, seconds: 1000)])
    #expect(gate(look).room(for: [entry(3, lane: 2)], free: 2).counts == [2: 1])
    look.waiting = need(2, lane: 1, megabytes: 800, seconds: 100)
    let room = gate(look).room(for: [entry(3, lane: 2)], free: 2)
    #expect(room == MemoryGate.Room(), "and it is not this worker that waits")
    look.waitingAge = 31
    #expect(gate(look).room(for: [entry(3, lane: 2)], free: 2).counts == [2: 1], "they say nothing of it any more")
  }

  @Test("is asked for where it may be short alone, and a claim that gave nothing takes another look")
  func turns() throws {
    let ready = [need(3, lane: 2, megabytes: 100, seconds: 10)]
    let lane = ReadyLane(id: 2, pipeline: "p", stage: "s", lowest: 3)
    var plenty = gate(busy(ready), megabytes: 4000)
    #expect(!plenty.isShort && plenty.claimTurn == nil)
    #expect(plenty.room(for: [entry(3, lane: 2)], free: 4).counts == [2: 4])
    plenty.claimed(ClaimRequest(lanes: [(lane, 3)], each: .one), [])
    #expect(plenty.room(for: [entry(3, lane: 2), entry(4, lane: 8)], free: 4).needsLook, "lane 8 is not known")

    var short = gate(busy(ready))
    var request = ClaimRequest(lanes: [(lane, 3)], each: .one)
    request.memoryTurn = short.claimTurn
    let claim = Claim(
      jobID: JobID(3), runID: nil, releaseID: nil, epoch: 1, ticket: 1, attempt: 1, maximumAttempts: 3, kind: "k",
      label: "l", laneID: 2, pipeline: "p", stage: "s", payload: "{}", runAt: nil, mark: nil)
    short.claimed(request, [claim])
    #expect(short.claimTurn == 8, "its own claim is no other worker's")
    #expect(short.room(for: [entry(4, lane: 2)], free: 4).counts == [2: 2], "700 of 950 MB are taken")
    short.ended(claim)
    #expect(short.room(for: [entry(4, lane: 2)], free: 4).counts == [2: 3])
    short.claimed(request, [])
    #expect(short.room(for: [entry(4, lane: 2)], free: 4) == MemoryGate.Room(needsLook: true))
  }

  @Test("a job that needs more than there is starts alone, and one that ran out of memory needs half more each time")
  func extremes() {
    var look = JobStore.MemoryLook()
    look.slots = 4
    look.ready = [need(2, lane: 1, megabytes: 5000, seconds: 10)]
    #expect(gate(look).room(for: [entry(2, lane: 1)], free: 4).counts == [1: 1])
    look.held = [need(1, lane: 9, megabytes: 1, seconds: 10)]
    #expect(gate(look).room(for: [entry(2, lane: 1)], free: 4).waitsFor == JobID(2))

    look.held = [need(1, lane: 9, megabytes: 600, seconds: 100)]
    var killed = need(3, lane: 1, megabytes: 200, seconds: 10)
    for (kills, hasRoom) in [(0, true), (1, true), (2, false)] {
      killed.memoryKills = kills
      look.ready = [killed]
      let room = gate(look, suspects: [JobID(3)]).room(for: [entry(3, lane: 1, alone: true)], free: 4)
      #expect(room.alone == (hasRoom ? [1] : []))
    }
  }

  @Test("under pressure heavy jobs are not claimed, or none, while something runs")
  func pressure() {
    let entries = [entry(2, lane: 1), entry(3, lane: 2)]
    var look = busy([need(2, lane: 1, megabytes: 300, seconds: 100), need(3, lane: 2, megabytes: 100, seconds: 10)])
    for (most, counts) in [(nil, [1: 4, 2: 4]), (200 * Self.megabyte, [2: 4]), (0, [:])] as [(Double?, [Int64: Int])] {
      look.heaviestBytes = most
      #expect(gate(look, megabytes: 9000).room(for: entries, free: 4).counts == counts)
    }
    look.held = []
    #expect(gate(look, megabytes: 9000).room(for: entries, free: 4).counts == [1: 4, 2: 4], "an idle host works")
  }

  @Test("what nothing is known of counts with half a gibibyte")
  func unknown() {
    var look = JobStore.MemoryLook()
    look.slots = 8
    look.ready = [JobStore.JobNeed(job: JobID(2), lane: 1)]
    #expect(gate(look, megabytes: 2200).room(for: [entry(2, lane: 1)], free: 8).counts == [1: 2])
  }
}
