import Autoscaling
import JobModel
import JobStore

/// Decides which ready jobs have room in the memory of the worker's host, next to what runs there in any worker.
///
/// A job without room waits in its lane, where another host's worker may take it. Room is kept for the first such job as
/// ``MemoryAdmission`` says: jobs behind it start where they have room next to it, or are expected to end before its room is there.
/// Where the largest jobs have room in every slot of the host, nothing is asked.
///
/// Pure: made from a look at the host, and told what the worker itself claims and ends until the next one.
struct MemoryGate: Sendable {
  /// A lane that the worker may claim from, or in it the job that must run alone.
  struct Entry: Sendable, Equatable {
    var lane: Int64
    var urgencyClass: Int
    var deadline: Double?
    /// Its first ready job.
    var job: JobID
    var runsAlone = false
  }

  /// What has room now.
  struct Room: Sendable, Equatable {
    /// How many jobs of each lane.
    var counts: [Int64: Int] = [:]
    /// Lanes whose first job that must run alone has room.
    var alone: Set<Int64> = []
    /// The job of this worker's lanes that room is kept for.
    var waitsFor: JobID?
    /// A lane is not known yet, or another worker has claimed: it takes another look.
    var needsLook = false
  }

  /// Of other workers that keep room for a job, in seconds.
  private static let longestSilence = 30.0

  private let admission: MemoryAdmission
  private let look: JobStore.MemoryLook
  private let rule: ClaimRule
  /// By lane, of its first job, and of that which must run alone; also of lanes that were seen before.
  private var needs: [Int64: MemoryAdmission.Candidate] = [:]
  private var aloneNeeds: [Int64: MemoryAdmission.Candidate] = [:]
  private var held: [JobID: MemoryAdmission.Reservation] = [:]
  private var turn: Int64?
  /// Memory may be too little for what could run at a time.
  let isShort: Bool

  /// - Parameters:
  ///   - suspects: Jobs of ``JobStore/MemoryLook/ready`` that must run alone.
  ///   - limitBytes: Of the host, for workers and their jobs; nil: no limit.
  ///   - workerBytes: What a worker takes itself.
  ///   - mostJobBytes: What one job takes at most: nothing that is unknown counts with more.
  ///   - earlier: The gate before, for lanes that are not looked at now.
  init(
    _ look: JobStore.MemoryLook, suspects: Set<JobID> = [], limitBytes: Double?, workerBytes: Double,
    mostJobBytes: Double? = nil, earlier: MemoryGate? = nil
  ) {
    self.look = look
    let limit = limitBytes.map { max(0, $0 - Double(look.workers) * workerBytes) }
    var settings = ScalingSettings()
    if let mostJobBytes { settings.boundColdStart(by: mostJobBytes) }
    admission = MemoryAdmission(limitBytes: limit, settings: settings)
    // An idle host takes a job whatever the pressure: other programs must not keep work from starting for ever.
    rule = ClaimRule(heaviestBytes: look.held.isEmpty ? nil : look.heaviestBytes)
    turn = look.turn
    (needs, aloneNeeds) = (earlier?.needs ?? [:], earlier?.aloneNeeds ?? [:])
    for job in look.ready {
      let candidate = admission.candidate(job)
      if suspects.contains(job.job) { aloneNeeds[job.lane] = candidate } else { needs[job.lane] = candidate }
    }
    for job in look.held {
      let candidate = admission.candidate(job)
      held[job.job] = MemoryAdmission.Reservation(
        seconds: candidate.seconds, elapsedSeconds: job.elapsedSeconds, memoryBytes: candidate.memoryBytes)
    }
    let all = needs.values.map(\.memoryBytes) + aloneNeeds.values.map(\.memoryBytes) + held.values.map(\.memoryBytes)
    let largest = all.map { $0.mean + 2 * $0.deviation }.max() ?? 0
    let share = admission.settings.memoryShare
    let most = limit.map { $0 * share } ?? .infinity
    isShort = rule.heaviestBytes != nil || largest * Double(look.slots) > most
  }

  /// What a claim names; nil where memory is not short. A claim is made only where ``Room`` has something.
  var claimTurn: Int64? { isShort ? turn : nil }

  /// - Parameters:
  ///   - entries: Most urgent first.
  ///   - free: Slots of the worker.
  func room(for entries: [Entry], free: Int) -> Room {
    var room = Room()
    guard turn != nil || !isShort else {
      room.needsLook = true
      return room
    }
    guard isShort else {
      for entry in entries {
        if entry.runsAlone { room.alone.insert(entry.lane) } else { room.counts[entry.lane] = free }
        if need(of: entry) == nil { room.needsLook = true }
      }
      return room
    }
    let known = entries.filter { need(of: $0) != nil }
    room.needsLook = known.count < entries.count
    let (candidates, places) = candidates(known, free: free)
    let answer = admission.admit(candidates, running: Array(held.values), freeSlots: free, rule: rule)
    for number in answer.starts {
      guard let place = places[Int(number)] else { continue }
      if place.runsAlone { room.alone.insert(place.lane) } else { room.counts[place.lane, default: 0] += 1 }
    }
    room.waitsFor = answer.roomKeptFor.flatMap { places[Int($0)]?.job }
    return room
  }

  private func need(of entry: Entry) -> MemoryAdmission.Candidate? {
    entry.runsAlone ? aloneNeeds[entry.lane] : needs[entry.lane]
  }

  /// The jobs in the order in which they would be claimed, numbered; of one urgency class one of each lane after the other. The job that other
  /// workers of the host keep room for is among them, where its lane is not this worker's; it has no place.
  private func candidates(
    _ entries: [Entry], free: Int
  ) -> (candidates: [MemoryAdmission.Candidate], places: [Int: Entry]) {
    var candidates: [MemoryAdmission.Candidate] = []
    var places: [Int: Entry] = [:]
    func add(_ candidate: MemoryAdmission.Candidate, _ place: Entry?) {
      var candidate = candidate
      if candidate.job == look.waiting?.job.rawValue { candidate.keptSeconds = look.waitingSeconds }
      candidate.job = Int64(candidates.count)
      if let place { places[candidates.count] = place }
      candidates.append(candidate)
    }
    // Of workers that may be gone: no room is kept for a job for long that none of them can claim.
    var foreign = look.waitingAge <= Self.longestSilence ? look.waiting : nil
    if let job = foreign?.job, entries.contains(where: { $0.job == job }) || held[job] != nil { foreign = nil }
    func addForeign(upTo urgencyClass: Int) {
      guard let job = foreign, job.urgencyClass <= urgencyClass else { return }
      foreign = nil
      add(admission.candidate(job), nil)
    }
    for (urgencyClass, group) in Self.byClass(entries) {
      addForeign(upTo: urgencyClass)
      for round in 0..<max(1, free) {
        for entry in group where round == 0 || !entry.runsAlone {
          guard candidates.count < MemoryAdmission.maxCandidates, var need = need(of: entry) else { break }
          need.job = round == 0 ? entry.job.rawValue : -1
          add(need, entry)
        }
      }
    }
    addForeign(upTo: .max)
    return (candidates, places)
  }

  private static func byClass(_ entries: [Entry]) -> [(Int, [Entry])] {
    Dictionary(grouping: entries, by: \.urgencyClass).sorted { $0.key < $1.key }.map { urgency, group in
      (urgency, group.sorted { ($0.deadline ?? .infinity, $0.job) < ($1.deadline ?? .infinity, $1.job) })
    }
  }

  // MARK: - What the worker does itself

  mutating func claimed(_ request: ClaimRequest, _ claims: [Claim]) {
    if request.memoryTurn != nil { turn = claims.isEmpty ? nil : turn.map { $0 + 1 } }
    for claim in claims {
      let need = (request.alone == nil ? needs : aloneNeeds)[claim.laneID]
      guard let need else { continue }
      held[claim.jobID] = MemoryAdmission.Reservation(
        seconds: need.seconds, elapsedSeconds: 0, memoryBytes: need.memoryBytes)
    }
  }

  mutating func ended(_ claim: Claim) { held[claim.jobID] = nil }
}

extension MemoryAdmission {
  /// A job as far as memory is concerned. Half more for each attempt that ran out of memory, and never more than the host has: a job that
  /// needs all of it starts when nothing else runs there.
  fileprivate func candidate(_ job: JobStore.JobNeed) -> Candidate {
    var bytes = settings.coldStartBytes
    var seconds = settings.coldStartSeconds
    if let expected = job.expected {
      bytes = Estimate(mean: expected.bytesMean, deviation: expected.bytesDeviation)
      seconds = Estimate(mean: expected.secondsMean, deviation: expected.secondsDeviation)
    }
    for _ in 0..<min(job.memoryKills, JobStore.memoryKillLimit) { bytes.mean *= 1.5 }
    if let limitBytes { bytes.mean = min(bytes.mean, limitBytes * settings.memoryShare) }
    return Candidate(job: job.job.rawValue, seconds: seconds, memoryBytes: bytes)
  }
}
