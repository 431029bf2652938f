import ArgumentParser
import Glibc
import JobModel
import JobStore
import Launchers
import Releases

struct DrainCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "drain", abstract: "Wait for a release to end, or empty a worker or a host.",
    discussion: """
      A release that drains takes no new runs; this follows it to its end. With --yield its jobs go to the current release's \
      engine at their next checkpoint, as far as that reads them. A worker finishes its chunks, gives its jobs back and ends; \
      on a host no new one is started until sluice up runs there again, or sluice drain HOST --end.
      """)

  @OptionGroup var options: ProjectOptions
  @Argument(help: "A release, a worker's number as in sluice status (worker:12), or a host (host:NAME).") var what:
    String
  @Flag(help: "Hand a release's jobs to the current one.") var yield = false
  @Option(help: "Wait no longer than this, such as 5m (exit code 6); what is asked for goes on.") var by: String?
  @Flag(help: "Let workers be started on the host again.") var end = false

  func run() async throws {
    let limit = try by.map { try DeployCommand.duration($0, option: "--by") }
    let deadline = limit.map { ContinuousClock.now + $0 }
    try await Installation.with(options) { installation in
      if what.hasPrefix("worker:") {
        guard let number = Int64(what.dropFirst("worker:".count)) else {
          throw StageFailure(code: "usage", message: "\(what) is no worker", hint: "write its number: worker:12")
        }
        let asked = try await installation.store.askToDrain(worker: number)
        return try await empty(asked, installation, deadline)
      }
      if what.hasPrefix("host:") {
        let host = String(what.dropFirst("host:".count))
        try await installation.store.setDrained(!end, host: host)
        guard !end else {
          return Console.data(options.json ? "{\"ok\":true}" : "workers may be started on \(host) again")
        }
        return try await empty(try await installation.store.askToDrain(host: host), installation, deadline)
      }
      try await drain(try await installation.release(named: what), installation, deadline)
    }
  }

  private func drain(
    _ release: JobStore.ReleaseRecord, _ installation: Installation, _ deadline: ContinuousClock.Instant?
  ) async throws {
    switch release.state {
    case .current, .canary, .staged, .implicit:
      throw ReleaseRefusal(
        "not_draining", "release \(release.name) is \(release.state.rawValue): it drains once another is current",
        hint: release.state == .current ? "sluice deploy, or sluice rollback" : "sluice rollback ends a canary")
    case .draining, .drained, .retired, .rejected: break
    }
    if yield, release.state == .draining {
      let author = JobStore.Author(Installation.actor, reason: "drain --yield")
      let handed = try await installation.desk.yield(release.id, by: author)
      for group in handed.groups where !options.json {
        Console.note(
          "\(group.pipeline): \(group.jobs) job(s) "
            + (group.hasMoved ? "go to \(handed.release.name)" : "stay: it cannot read \(group.unreadable ?? "them")"))
      }
    }
    let watch = DrainWatch(installation: installation, isJSON: options.json, deadline: deadline)
    let isDone = try await InterruptNotice.during(
      "release \(release.name) continues to drain: sluice releases show \(release.name)"
    ) { try await watch.untilDrained(release.id) }
    let work = try await installation.store.work(of: [release.id])[release.id]
    let estimate = try await installation.drainEstimate(of: release.id)
    let after = try await installation.store.release(release.id) ?? release
    options.json
      ? Console.data(
        json: .object([
          ("release", after.json), ("jobs", .int(Int64(work?.jobs ?? 0))),
          ("oldest_seconds", .optional(work?.oldestSeconds)), ("eta_seconds", isDone ? .null : .optional(estimate)),
        ]))
      : Console.data("release \(after.name) is \(after.state.rawValue): \(DrainWatch.text(work))")
    if !isDone { throw ExitStatus.timedOut }
  }

  /// Waits until workers are gone.
  private func empty(
    _ asked: [JobStore.AskedWorker], _ installation: Installation, _ deadline: ContinuousClock.Instant?
  ) async throws {
    if asked.isEmpty, what.hasPrefix("host:") {
      return Console.data(options.json ? "{\"workers\":[]}" : "no worker lives there, and none will be started")
    }
    guard !asked.isEmpty else {
      throw StageFailure(code: "usage", message: "no worker lives at \(what)", hint: "sluice status lists them")
    }
    // Of this machine, they need not wait for their next beat.
    for worker in asked where worker.host == Installation.host {
      installation.processes.send(SIGTERM, toProcess: worker.pid)
    }
    let ids = Set(asked.map(\.id))
    let clock = ContinuousClock()
    try await InterruptNotice.during("the workers continue to drain: sluice status") {
      while true {
        let left = try await installation.store.workers().filter { ids.contains($0.id) }
        if left.isEmpty { break }
        guard deadline.map({ clock.now < $0 }) ?? true else {
          let names = left.map { "worker \($0.id) with \($0.busy) job(s)" }.joined(separator: ", ")
          Console.note("still draining: \(names)")
          throw ExitStatus.timedOut
        }
        try await clock.sleep(for: .milliseconds(100))
      }
    }
    options.json
      ? Console.data(json: .object([("workers", .list(ids.sorted().map { .int($0) }))]))
      : Console.data("\(ids.count) worker(s) are gone")
  }
}
