import JobModel
import JobStore
import Testing

@testable import JobWorker

@Suite("Running attempts")
struct RunningAttemptsTests {
  @Test("a claimed job takes its slot before its attempt begins, and is known from then on")
  func reserved() {
    let running = RunningAttempts(slots: 2)
    let holder = LeaseHolder(jobID: JobID(7), epoch: 3)
    let stranger = LeaseHolder(jobID: JobID(8), epoch: 1)
    running.reserve(holder)
    #expect(running.freeSlots == 1)
    #expect(running.unknown(among: [holder, stranger]) == [stranger])
    #expect(running.unknown(among: [LeaseHolder(jobID: JobID(7), epoch: 2)]).count == 1)
  }
}
