import JobModel
import Launchers
import TestSupport
import Testing

/// What every launcher must do, whatever starts its workers: one body for all of them.
struct LauncherConformance: Sendable {
  /// What is wrong with the workers' side.
  enum Fault: String, Sendable {
    /// Nothing any more.
    case none
    /// Starts are refused, with the words "no room".
    case refused
    /// Starts take until that is over.
    case slow
    /// Workers end as soon as they have started.
    case dying
    /// A start is done, and its answer does not come. Not of launchers whose starts cannot end so.
    case lost
  }

  let launcher: any Launcher
  /// The launcher of a control that knows nothing of the one before.
  let successor: any Launcher
  let faults: [Fault]
  let set: @Sendable (Fault) throws -> Void
  /// What a worker says of itself when it registers.
  let registration: @Sendable (WorkerHandle, Launch) -> RegisteredWorker

  func check() async throws {
    try await starts()
    try await adopts()
    try await doubles()
    try await refuses()
    try await isSlow()
    try await dies()
    if faults.contains(.lost) { try await losesAnswers() }
  }

  /// The name of a launch that no other one has.
  private func launch(_ word: String, of release: Int64 = 7) -> Launch {
    Launch(owner: "sluice-test", release: release, draw: word)
  }

  private func listed(by other: (any Launcher)? = nil) async throws -> Set<WorkerHandle> {
    Set(try await (other ?? launcher).list().map(\.handle))
  }

  private func stop(_ worker: WorkerHandle, by other: (any Launcher)? = nil) async throws {
    try await (other ?? launcher).stop(worker)
    try await eventually("\(worker) is gone") { try await !listed(by: other).contains(worker) }
  }

  private func starts() async throws {
    #expect(try await listed().isEmpty)
    let (one, two) = (launch("one"), launch("two", of: 0))
    let first = try await launcher.start(one)
    let second = try await launcher.start(two)
    #expect(first != second)
    try await eventually("both are listed") { try await listed() == [first, second] }
    for each in try await launcher.list() where each.launch != nil {
      #expect(each.launch == (each.handle == first ? one : two))
    }
    #expect(launcher.existing([first, second]) == [first, second])
    #expect(launcher.handle(of: registration(first, one)) == first)
    try await stop(first)
    #expect(try await listed() == [second], "only the one that was named")
    // One that has gone is no error.
    try await launcher.stop(first)
    try await stop(second)
  }

  /// A control that was killed leaves its workers to the next one.
  private func adopts() async throws {
    let name = launch("adopted")
    let worker = try await launcher.start(name)
    try await eventually("it is listed by another") { try await listed(by: successor).contains(worker) }
    #expect(successor.existing([worker]) == [worker])
    #expect(successor.handle(of: registration(worker, name)) == worker)
    try await stop(worker, by: successor)
    try await eventually("it is gone") { try await listed().isEmpty }
  }

  private func doubles() async throws {
    let name = launch("double")
    let first = try await launcher.start(name)
    #expect(try await launcher.start(name) == first)
    try await eventually("one is listed") { try await listed() == [first] }
    try await stop(first)
  }

  private func refuses() async throws {
    let working = try await launcher.start(launch("working"))
    try await eventually("it is listed") { try await listed() == [working] }
    try set(.refused)
    let error = await #expect(throws: LauncherError.self) { try await launcher.start(launch("refused")) }
    #expect(error?.doubt != .unknown)
    #expect(error?.message.contains("no room") == true, "\(String(describing: error))")
    try set(.none)
    #expect(try await listed() == [working], "what works is left alone")
    try await stop(working)
  }

  private func isSlow() async throws {
    let working = try await launcher.start(launch("quick"))
    try await eventually("it is listed") { try await listed() == [working] }
    try set(.slow)
    let name = launch("slow")
    async let slow = launcher.start(name)
    // The others are answered all the same.
    #expect(try await listed() == [working])
    #expect(launcher.existing([working]) == [working])
    try await stop(working)
    try set(.none)
    let worker = try await slow
    try await eventually("it is there") { try await listed() == [worker] }
    try await stop(worker)
  }

  private func dies() async throws {
    try set(.dying)
    let worker = try await launcher.start(launch("dying"))
    try await eventually("it is not there") { try await !listed().contains(worker) }
    try set(.none)
  }

  private func losesAnswers() async throws {
    try set(.lost)
    let name = launch("lost")
    let error = await #expect(throws: LauncherError.self) { try await launcher.start(name) }
    #expect(error?.doubt == .unknown, "\(String(describing: error))")
    try set(.none)
    let found = try await launcher.list()
    #expect(found.compactMap(\.launch) == [name])
    for worker in found { try await stop(worker.handle) }
  }
}
