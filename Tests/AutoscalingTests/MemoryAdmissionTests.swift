import Testing

@testable import Autoscaling

@Suite("Admission by memory")
struct MemoryAdmissionTests {
  private typealias Candidate = MemoryAdmission.Candidate
  private typealias Reservation = MemoryAdmission.Reservation

  /// 10 GB are given out.
  private let admission: MemoryAdmission = {
    var settings = ScalingSettings()
    settings.memoryShare = 1
    return MemoryAdmission(limitBytes: 10e9, settings: settings)
  }()

  private func job(_ number: Int64, _ gigabytes: Double, of seconds: Double = 60, deadline: Double? = nil) -> Candidate
  {
    Candidate(
      job: number, seconds: Estimate(exactly: seconds), memoryBytes: Estimate(exactly: gigabytes * 1e9),
      deadline: deadline)
  }

  private func running(_ gigabytes: Double, of seconds: Double = 60, since elapsed: Double = 0) -> Reservation {
    Reservation(
      seconds: Estimate(exactly: seconds), elapsedSeconds: elapsed, memoryBytes: Estimate(exactly: gigabytes * 1e9))
  }

  @Test("jobs start in claim order until slots or memory are used up")
  func fits() {
    let jobs = (1...8).map { job($0, 3) }
    #expect(admission.admit(jobs, running: [], freeSlots: 2).starts == [1, 2])
    #expect(admission.admit(jobs, running: [], freeSlots: 8).starts == [1, 2, 3])
    #expect(admission.admit(jobs, running: [running(5)], freeSlots: 8).starts == [1])
    #expect(admission.admit(jobs, running: [], freeSlots: 0).starts.isEmpty)
    #expect(MemoryAdmission(limitBytes: nil).admit(jobs, running: [], freeSlots: 8).starts.count == 8)
  }

  @Test("of two jobs with a deadline the one that must start first goes first; jobs without one keep their order")
  func order() {
    let jobs = [job(1, 6), job(2, 6, of: 10, deadline: 900), job(3, 6, of: 600, deadline: 1_000)]
    #expect(admission.admit(jobs, running: [], freeSlots: 3).starts == [3])
  }

  @Test("light jobs that end before a heavy one has room start ahead of it; longer ones only next to it")
  func heavyDoesNotBlock() {
    let jobs = [job(1, 7), job(2, 1, of: 30), job(3, 3, of: 500), job(4, 2, of: 500)]
    // 6 GB are in use for 60 s. Then the heavy job has room, and 3 GB are left next to it.
    let answer = admission.admit(jobs, running: [running(6)], freeSlots: 4)
    #expect(answer.starts == [2, 3])
    #expect(answer.roomKeptFor == 1)
    #expect(answer.roomInSeconds == 60)
  }

  @Test("a stream of light jobs does not starve a heavy one")
  func heavyIsNotStarved() {
    var now = 0.0
    var next = 100 as Int64
    var attempts: [(end: Double, job: Candidate, begun: Double)] = (0..<5).map {
      (Double($0) * 13 + 5, job($0 + 10, 2, of: 66), 0)
    }
    var heavyStarted: Double?
    var lightStarts = 0
    while now < 2_000, heavyStarted == nil {
      attempts.removeAll { $0.end <= now }
      let light = (0..<10).map { job(next + $0, 2, of: $0 % 2 == 0 ? 66 : 4) }
      next += 10
      let held = attempts.map { running(2, of: $0.job.seconds.mean, since: now - $0.begun) }
      let answer = admission.admit([job(1, 8)] + light, running: held, freeSlots: 8)
      for start in answer.starts {
        if start == 1 { heavyStarted = now } else { lightStarts += 1 }
        let seconds = light.first { $0.job == start }?.seconds.mean ?? 60
        attempts.append((now + seconds, job(start, start == 1 ? 8 : 2, of: seconds), now))
      }
      now += 5
    }
    // Without kept room the five light jobs would be replaced one by one for ever.
    #expect(heavyStarted.map { $0 <= 70 } == true)
    #expect(lightStarts > 0, "those that end before it has room do not wait for it")
  }

  @Test("where predictions fail, a heavy job gets its room after a while")
  func patience() {
    // Such jobs say 5 s and take minutes: the predicted room is never there in time.
    let overrun = (0..<3).map { _ in running(2, of: 5, since: 300) }
    var heavy = job(1, 7)
    let light = job(2, 0.5, of: 5)
    let large = job(3, 3, of: 5)
    #expect(admission.admit([heavy, large], running: overrun, freeSlots: 5).starts == [3])
    heavy.keptSeconds = 2_000
    #expect(admission.admit([heavy, large], running: overrun, freeSlots: 5).starts.isEmpty)
    #expect(
      admission.admit([heavy, light], running: overrun, freeSlots: 5).starts == [2], "it fits next to the heavy job")
  }

  @Test("a job that is larger than the limit is named, and stops no other")
  func tooLarge() {
    let answer = admission.admit([job(1, 11), job(2, 4)], running: [], freeSlots: 3)
    #expect(answer.tooLarge == [1])
    #expect(answer.starts == [2])
  }

  @Test("a job whose width reaches beyond the limit may start alone, and next to little")
  func wide() {
    let wide = Candidate(
      job: 1, seconds: Estimate(exactly: 60), memoryBytes: Estimate(mean: 8e9, deviation: 4e9))
    #expect(admission.admit([wide], running: [], freeSlots: 1).starts == [1])
    #expect(admission.admit([wide], running: [running(0.3)], freeSlots: 1).starts == [1])
    #expect(admission.admit([wide], running: [running(3)], freeSlots: 1).starts.isEmpty)
  }

  @Test("widths of independent jobs do not add up")
  func chance() {
    let jobs = (1...20 as ClosedRange<Int64>).map {
      Candidate(job: $0, seconds: Estimate(exactly: 60), memoryBytes: Estimate(mean: 1e9, deviation: 0.3e9))
    }
    // 8 + 2·√8·0.3 = 9.7 GB. With a peak of 1.6 GB for each it would be 6.
    #expect(admission.admit(jobs, running: [], freeSlots: 20).starts.count == 8)
  }

  @Test("a running job that used more than predicted counts with what it uses, and a settled one with little width")
  func peaks() {
    var grown = running(2, of: 100, since: 50)
    grown.peakBytes = 7e9
    #expect(admission.admit([job(1, 4)], running: [grown], freeSlots: 1).starts.isEmpty)
    var settled = running(6, of: 100, since: 50)
    settled.peakBytes = 3e9
    #expect(admission.admit([job(1, 6)], running: [settled], freeSlots: 1).starts == [1])
  }

  @Test("a job that was killed for its memory runs alone, and nothing starts next to it")
  func alone() {
    var killed = job(1, 2)
    killed.runsAlone = true
    #expect(admission.admit([killed, job(2, 1)], running: [], freeSlots: 4).starts == [1])
    let waits = admission.admit([killed, job(2, 1, of: 10), job(3, 1, of: 100)], running: [running(1)], freeSlots: 4)
    #expect(waits.starts == [2], "only what ends before it starts")
    var reservation = running(2)
    reservation.runsAlone = true
    #expect(admission.admit([job(2, 1)], running: [reservation], freeSlots: 4).starts.isEmpty)
  }

  @Test("held claims start only what is light, and keep no room for the rest")
  func rule() {
    let answer = admission.admit(
      [job(1, 5), job(2, 1)], running: [], freeSlots: 4, rule: ClaimRule(heaviestBytes: 2e9))
    #expect(answer.starts == [2])
    #expect(answer.roomKeptFor == nil)
  }

  @Test("numbers that are none trap nothing", arguments: [Double.nan, -1, .infinity, 1e300] as [Double])
  func hostile(value: Double) {
    let broken = Estimate(mean: value, deviation: value, high: value)
    var one = Candidate(job: 1, seconds: broken, memoryBytes: broken, deadline: value, keptSeconds: value)
    one.keptSeconds = value
    var held = Reservation(seconds: broken, elapsedSeconds: value, memoryBytes: broken, peakBytes: value)
    held.peakBytes = value
    for limit in [nil, value, 10e9] as [Double?] {
      let answer = MemoryAdmission(limitBytes: limit).admit([one, job(2, 1)], running: [held], freeSlots: Int.max)
      #expect(answer.starts.count <= 2)
      _ = MemoryAdmission(limitBytes: limit).admit([one], running: [], freeSlots: Int.min)
    }
  }
}
