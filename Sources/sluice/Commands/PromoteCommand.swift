import ArgumentParser
import JobModel
import JobStore
import Releases

struct PromoteCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "promote", abstract: "Make a release the current one: the canary, or one that was stored before.",
    discussion: "It is compared with the checkpoints that live in the queue, as in a deploy.")

  @OptionGroup var options: ProjectOptions
  @Argument(help: "A label, a hash or a number (default: the canary, else what was staged last).") var release: String?
  @Option(help: "Why; kept in the audit trail.") var reason: String?

  func run() async throws {
    let started = ContinuousClock.now
    try await Installation.with(options) { installation in
      let chosen = try await choose(installation)
      let author = JobStore.Author(Installation.actor, reason: reason)
      let report = DeployReport(started: started, isJSON: options.json)
      guard chosen.state != .current else { return report.tell(.alreadyCurrent, chosen) }
      // Its deploy may have been left before its engine was tried.
      if chosen.state == .staged { try await installation.tryOut(chosen) }
      let promotion = try await installation.promote(chosen, by: author)
      report.tell(.promoted, promotion.release, promotion)
    }
  }

  private func choose(_ installation: Installation) async throws -> JobStore.ReleaseRecord {
    if let release { return try await installation.release(named: release) }
    let store = installation.store
    if let canary = try await store.releases(in: .canary).first { return canary }
    if let staged = try await store.releases(in: .staged).first { return staged }
    throw ReleaseRefusal(
      "nothing_to_promote", "no release is in canary or staged", hint: "name one (sluice releases), or sluice deploy")
  }
}

struct RollbackCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rollback", abstract: "End the canary, or make the release current again that was current before.",
    discussion: """
      Runs that began with the release that is left keep their definition. Their jobs go back to the earlier engine where they \
      hand over and it reads their checkpoints; what cannot go back is named, with the time until which it is likely to last.

      Two rollbacks in a row would return to the release that was left first, so the second one, and one right after the end of a \
      canary, is refused (exit code 3) until it names the release: --to RELEASE.
      """)

  @OptionGroup var options: ProjectOptions
  @Argument(
    help: "The release to go back to, or a canary or staged one to end (default: the canary, else the release before).")
  var release: String?
  @Option(
    help: "The same as an option. A second rollback in a row needs it: the release before is then the one just left.")
  var to: String?
  @Option(help: "Why; kept in the audit trail.") var reason: String?

  func validate() throws {
    if release != nil, to != nil { throw ValidationError("name one release: either --to RELEASE or RELEASE") }
  }

  func run() async throws {
    let started = ContinuousClock.now
    try await Installation.with(options) { installation in
      let author = JobStore.Author(Installation.actor, reason: reason ?? "rolled back by hand")
      let report = DeployReport(started: started, isJSON: options.json)
      var named = try await installation.store.releases(in: .canary).first
      if let release = release ?? to { named = try await installation.release(named: release) }
      if let named, named.state == .canary || named.state == .staged {
        guard try await installation.desk.reject(named.id, by: author) else {
          throw ReleaseRefusal(
            "moved_meanwhile", "release \(named.name) has just become something else",
            hint: "look at it: sluice releases")
        }
        let rejected = try await installation.store.release(named.id) ?? named
        try await installation.moveRuns(of: rejected)
        return report.tell(.rolledBack, rejected)
      }
      let target: JobStore.ReleaseRecord
      // What is decided by the current release holds only as long as that is current.
      var replaced: Int64?
      if let named {
        target = named
      } else {
        let (earlier, current) = try await installation.desk.predecessor()
        (target, replaced) = (earlier, current.id)
      }
      guard target.state != .current else {
        throw ReleaseRefusal(
          "nothing_to_roll_back", "release \(target.name) is current already", hint: "name another: sluice releases")
      }
      let promotion = try await installation.promote(
        target, action: "rollback", replacing: replaced, by: author)
      var estimate: Double?
      if let left = promotion.previous, !promotion.staying.isEmpty {
        estimate = try await installation.drainEstimate(of: left.id)
      }
      report.tell(.promoted, promotion.release, promotion, stayingFor: estimate)
      guard !promotion.staying.isEmpty, !options.json else { return }
      Console.data(
        "  what cannot go back ends "
          + (estimate.map { "in about \(DrainWatch.text(seconds: $0))" } ?? "at an unknown time"))
    }
  }
}
