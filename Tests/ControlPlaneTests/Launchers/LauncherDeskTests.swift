import Launchers
import TestSupport
import Testing

@testable import ControlPlane

@Suite("What a pool asks of its launcher")
struct LauncherDeskTests {
  private func with(_ body: @Sendable (LauncherDesk, TestProject) async throws -> Void) async throws {
    try await TestProject.withProject { project in
      try CommandPlatform.make(in: project)
      try await body(LauncherDesk(CommandPlatform.launcher(in: project)), project)
    }
  }

  private func stopped(_ answers: [LauncherDesk.Answer]) -> [String] {
    answers.compactMap { if case .stopped(let worker) = $0 { worker.description } else { nil } }
  }

  @Test("a worker is not asked to stop again before the answer to the first time")
  func stopsOnce() async throws {
    try await with { desk, project in
      let (one, two) = (WorkerHandle("sluice-test.7.k1"), WorkerHandle("sluice-test.7.k2"))
      for worker in [one, one, two, one] { desk.ask(.stop(worker)) }
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { await desk.run() }
        defer { desk.close() }
        var answers: [String] = []
        try await eventually("both are answered") {
          answers += stopped(desk.take())
          return answers.count == 2
        }
        #expect(answers.sorted() == [one.description, two.description])
        desk.ask(.stop(one))
        try await eventually("it is stopped again") { stopped(desk.take()) == [one.description] }
      }
      let calls = try project.text("calls").split(separator: "\n")
      #expect(calls.count == 3, "\(calls)")
    }
  }

  @Test("at the end what has not begun is left out, and what has begun is answered")
  func closes() async throws {
    try await with { desk, project in
      try project.write("fault", "slow")
      func launch(_ number: Int) -> Launch { Launch(owner: "sluice-test", release: 7, draw: "k\(number)") }
      for number in 1...20 { desk.ask(.start(launch(number))) }
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { await desk.run() }
        defer { desk.close() }
        try await eventually("as many are under way as may be") {
          (try? project.text("calls"))?.split(separator: "\n").count == PoolState.maxAsked + 2
        }
        desk.close()
        try project.write("fault", "none")
        try await group.waitForAll()
      }
      let started = desk.take().compactMap { if case .started(let launch, _) = $0 { launch.id } else { nil } }
      #expect(Set(started) == Set((1...PoolState.maxAsked + 2).map { launch($0).id }))
      #expect(try project.text("calls").split(separator: "\n").count == PoolState.maxAsked + 2)
    }
  }
}
