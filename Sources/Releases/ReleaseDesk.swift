import JobModel
import JobStore
import Postgres

/// Moves releases from state to state. Each move is one transaction, in which nothing is claimed and no run begins, and leaves a
/// line in the audit trail.
package struct ReleaseDesk: Sendable {
  package typealias Record = JobStore.ReleaseRecord
  package typealias Author = JobStore.Author

  /// A sweep of the storage takes moments.
  private static let stagings = 25

  private let store: JobStore

  package init(store: JobStore) { self.store = store }

  /// What a promotion or a rollback did.
  package struct Promotion: Sendable {
    package var release: Record
    /// The release that was current before.
    package var previous: Record?
    /// What is on other engines still or was until now.
    package var groups: [JobStore.HandOver]

    package var handedOver: [JobStore.HandOver] { groups.filter(\.hasMoved) }
    /// Goes on to its end where it is.
    package var staying: [JobStore.HandOver] { groups.filter { !$0.hasMoved } }
  }

  /// Stores a release as STAGED.
  ///
  /// - Throws: ``ReleaseRefusal`` `canary_running`, `too_many_releases`, `label_taken`; `release_busy` where the same content is
  ///   at work already.
  package func stage(_ new: JobStore.NewRelease, cap: Int, by author: Author) async throws -> Record {
    for _ in 0..<Self.stagings {
      do { return try await stageNow(new, cap: cap, by: author) } catch is EnginesSwept {
        try await ContinuousClock().sleep(for: .milliseconds(200))
      }
    }
    return try await stageNow(new, cap: cap, by: author)
  }

  private func stageNow(_ new: JobStore.NewRelease, cap: Int, by author: Author) async throws -> Record {
    do {
      return try await store.moveReleases { transaction in
        try await refuseBusy(cap: cap, except: new.contentHash, in: transaction)
        let id = try await store.stage(new, in: transaction)
        guard let record = try await store.release(id, in: transaction) else {
          preconditionFailure("the release was written in the line above")
        }
        try await store.audit("stage", id, by: author, after: Self.json(record), in: transaction)
        return record
      }
    } catch let error as PostgresError where error.sqlState == "23505" {
      throw Self.labelTaken(new.label ?? "")
    }
  }

  package static func labelTaken(_ label: String) -> StageFailure {
    StageFailure(
      code: "usage", message: "another release has the label \(label)",
      hint: "choose another label, or leave it out; sluice releases lists them")
  }

  /// What stands in the way of any deploy.
  ///
  /// - Parameters:
  ///   - cap: How many releases may have work at once.
  ///   - content: Of the release that is to come: it is no obstacle to itself.
  package func refuseBusy(
    cap: Int, except content: String, in session: (any PostgresSession)? = nil
  ) async throws {
    if let canary = try await store.releases(in: .canary, on: session).first {
      throw ReleaseRefusal(
        "canary_running", "release \(canary.name) is in canary since \(canary.changedAt)",
        hint: "end it first: sluice promote, or sluice rollback")
    }
    let draining = try await store.releases(in: .draining, on: session).filter { $0.contentHash != content }
    let needs = try await store.needs(of: draining.map(\.id), in: session)
    let holders = draining.filter { needs[$0.id]?.isPinned == true }
    guard holders.count < cap else {
      let work = try await store.work(of: holders.map(\.id), in: session)
      let names = holders.map { "\($0.name) (\(work[$0.id]?.jobs ?? 0) jobs)" }.joined(separator: ", ")
      throw ReleaseRefusal(
        "too_many_releases", "\(holders.count) releases still have work: \(names)",
        hint: "let them end, hand them over (sluice drain RELEASE --yield), or raise limits.releases in sluice.yaml")
    }
  }

  /// Makes a release the current one, and gives its engine what is to be handed over and what it can read.
  ///
  /// - Parameters:
  ///   - expected: The release that it was compared with, 0 where there was none; nil: whichever is current.
  ///   - schedules: Puts the release's schedules in force, in the same transaction.
  /// - Throws: ``ReleaseRefusal`` `not_promotable`, `canary_running`, `current_changed`, `gate`; nothing was changed then.
  package func promote(
    _ id: Int64, action: String = "promote", replacing expected: Int64? = nil, by author: Author,
    schedules: @escaping @Sendable (PostgresTransaction) async throws -> Void
  ) async throws -> Promotion {
    try await store.moveReleases { transaction in
      guard let before = try await store.release(id, in: transaction), before.engineHash != nil else {
        throw ReleaseRefusal("no_release", "there is no release \(id)", hint: "sluice releases lists them")
      }
      guard before.state != .current else {
        return Promotion(release: before, previous: nil, groups: [])
      }
      try Self.refuseRemoved(before)
      guard ReleaseState.promotable.contains(before.state) else {
        throw ReleaseRefusal(
          "not_promotable",
          "release \(before.name) is \(before.state.rawValue)" + (before.reason.map { ": \($0)" } ?? ""),
          hint: "deploy it again, and it is examined anew: sluice deploy")
      }
      if let canary = try await store.releases(in: .canary, on: transaction).first, canary.id != id {
        throw ReleaseRefusal(
          "canary_running", "release \(canary.name) is in canary since \(canary.changedAt)",
          hint: "end it first: sluice promote \(canary.name), or sluice rollback")
      }
      try await refuseOlderThanSchema(before, in: transaction)
      let gate = CheckpointGate(before.formats)
      if let obstacle = gate.obstacles(among: try await store.liveCheckpoints(in: transaction)).first {
        throw Self.gate(obstacle, before)
      }
      let previous = try await store.releases(in: .current, on: transaction).first
      if let expected, (previous?.id ?? 0) != expected {
        throw ReleaseRefusal(
          "current_changed",
          "release \(previous?.name ?? "none") became current in the meantime, with which it was not compared",
          hint: "look at sluice releases, then try again")
      }
      if let previous {
        let why = "\(before.name) took its place"
        let moved = try await store.move(previous.id, from: [.current], to: .draining, reason: why, in: transaction)
        precondition(moved, "nobody moves releases beside this transaction")
        try await store.audit(
          "drain", previous.id, by: Author(author.actor, reason: author.reason.map { "\(why): \($0)" } ?? why),
          before: Self.json(previous), in: transaction)
      }
      let moved = try await store.move(id, from: [before.state], to: .current, reason: author.reason, in: transaction)
      precondition(moved, "nobody moves releases beside this transaction")
      let groups = try await store.handOver(to: id, in: transaction)
      if let group = groups.first(where: { $0.engine == 0 && !$0.hasMoved }) {
        throw ReleaseRefusal(
          "gate",
          group.doneAloneBy.map { "process \($0) is doing a run of \(group.pipeline) by itself (sluice run)" }
            ?? "release \(before.name) cannot read \(group.unreadable ?? "checkpoints") of \(group.pipeline)",
          hint: "let those runs end, or cancel them: sluice runs")
      }
      try await schedules(transaction)
      guard let after = try await store.release(id, in: transaction) else {
        preconditionFailure("the release was read in this transaction")
      }
      try await store.audit(
        action, id, by: author, before: previous.map(Self.json) ?? Self.json(before), after: Self.json(after),
        in: transaction)
      return Promotion(release: after, previous: previous, groups: groups)
    }
  }

  /// - Throws: ``ReleaseRefusal`` `release_removed`.
  package static func refuseRemoved(_ release: Record) throws {
    guard let removedAt = release.removedAt else { return }
    throw ReleaseRefusal(
      "release_removed", "what was stored of release \(release.name) was removed at \(removedAt)",
      hint: "deploy the same directory and engine again: sluice deploy DIRECTORY --engine PATH")
  }

  /// An engine that does not know a breaking migration of this database cannot work with it.
  private func refuseOlderThanSchema(_ release: Record, in transaction: PostgresTransaction) async throws {
    guard let known = release.schemaNumber, let breaking = try await store.newestBreakingMigration(in: transaction),
      known < breaking
    else { return }
    throw ReleaseRefusal(
      "schema_too_new",
      "the engine of release \(release.name) knows migrations up to \(known); the database has the breaking migration \(breaking)",
      hint: "deploy its definition with a newer engine: sluice deploy DIR --engine PATH")
  }

  private static func gate(_ obstacle: JobStore.LiveCheckpoints, _ release: Record) -> ReleaseRefusal {
    ReleaseRefusal(
      "gate",
      "release \(release.name) cannot read \(obstacle.format), in which \(obstacle.jobs) job(s) of \(obstacle.pipeline) stand "
        + "that began without a release",
      hint: "let those runs end, or cancel them: sluice runs")
  }

  /// Gives a staged release a part of the new runs.
  ///
  /// - Throws: ``ReleaseRefusal`` `nothing_to_compare`, `canary_running`.
  package func beginCanary(
    _ id: Int64, ramp: Int, evidence: Duration, by author: Author
  ) async throws -> Record {
    try await store.moveReleases { transaction in
      guard try await !store.releases(in: .current, on: transaction).isEmpty else {
        throw ReleaseRefusal(
          "nothing_to_compare", "there is no current release that a canary could be compared with",
          hint: "deploy without --canary first")
      }
      if let canary = try await store.releases(in: .canary, on: transaction).first {
        throw ReleaseRefusal(
          "canary_running", "release \(canary.name) is in canary since \(canary.changedAt)",
          hint: "end it first: sluice promote, or sluice rollback")
      }
      let moved = try await store.move(
        id, from: [.staged], to: .canary, reason: author.reason, canary: (ramp, evidence), in: transaction)
      guard moved, let record = try await store.release(id, in: transaction) else {
        throw ReleaseRefusal(
          "not_staged", "release \(id) is not staged: what drains still is no canary",
          hint: "sluice releases shows where it is; sluice promote makes it current")
      }
      try await store.audit("canary", id, by: author, after: Self.json(record), in: transaction)
      return record
    }
  }

  /// Ends a release that is staged or in canary. Its runs are moved by whoever looks after rejected releases.
  ///
  /// One that was current once, and was only staged again, goes back to where it was.
  /// - Returns: False where it was neither.
  package func reject(
    _ id: Int64, from states: [ReleaseState] = [.staged, .canary], by author: Author
  ) async throws -> Bool {
    try await store.moveReleases { transaction in
      guard let before = try await store.release(id, in: transaction) else { return false }
      let isTried = before.state == .staged && before.promotedAt != nil
      let moved = try await store.move(
        id, from: states, to: isTried ? .draining : .rejected, reason: author.reason, in: transaction)
      guard moved, let after = try await store.release(id, in: transaction) else { return false }
      try await store.audit(
        "reject", id, by: author, before: Self.json(before), after: Self.json(after), in: transaction)
      return true
    }
  }

  /// The release that was current before the current one, and the current one.
  ///
  /// Only where the current one was deployed last. After a rollback, the release before is the one that was just left; after the
  /// end of a canary, the rollback that somebody has in mind is done. Both need a release that is named.
  /// - Throws: ``ReleaseRefusal`` `nothing_to_roll_back`, `rolled_back_already`.
  package func predecessor() async throws -> (earlier: Record, current: Record) {
    let current = try await store.releases(in: .current).first
    let earlier = try await store.releases(in: [.draining, .drained, .retired])
      .filter { $0.promotedAt != nil && $0.removedAt == nil && $0.id != current?.id }
      .sorted { ($0.promotedAt ?? "") > ($1.promotedAt ?? "") }
    guard let current, let first = earlier.first else {
      throw ReleaseRefusal(
        "nothing_to_roll_back",
        current == nil ? "there is no current release" : "no other release was ever current",
        hint: "deploy what should be current: sluice deploy")
    }
    try await refuseSecondRollback(current, earlier: first)
    return (first, current)
  }

  private func refuseSecondRollback(_ current: Record, earlier: Record) async throws {
    guard let last = try await store.lastMove(), last.kind != .promotion else { return }
    let left = last.left ?? "another release"
    let why = last.reason.map { " (\($0))" } ?? ""
    throw ReleaseRefusal(
      "rolled_back_already",
      last.kind == .rollback
        ? "the last change was a rollback already: \(current.name) took the place of \(left)\(why) at \(last.at)"
        : "the last change was the end of the canary \(left)\(why) at \(last.at); \(current.name) stayed current",
      hint: last.kind == .rollback
        ? "name the release to go back to: sluice rollback --to RELEASE (sluice releases lists them; \(left) was just left)"
        : "to leave \(current.name) as well, name the release: sluice rollback --to \(earlier.name)")
  }

  /// Draining releases with nothing left to do become drained, then retired.
  package func retire() async throws {
    guard try await hasDraining() else { return }
    try await store.moveReleases { transaction in
      for (release, state) in try await store.retireDrained(in: transaction) {
        let author = Author(
          "sluice", reason: state == .drained ? "nothing of it is left to do" : "its workers are gone")
        try await store.audit(state.rawValue.lowercased(), release, by: author, in: transaction)
      }
    }
  }

  /// Whether any release could be retired: asked before claims are kept waiting.
  private func hasDraining() async throws -> Bool {
    let ending = try await store.releases(in: [.draining, .drained])
    let needs = try await store.needs(of: ending.map(\.id))
    return ending.contains { release in
      guard let need = needs[release.id], !need.isPinned else { return false }
      return release.state == .draining || !need.hasWorkers
    }
  }

  /// Hands everything of a draining release to the current one, as far as that reads it.
  package func yield(_ id: Int64, by author: Author) async throws -> Promotion {
    try await store.moveReleases { transaction in
      guard let release = try await store.release(id, in: transaction), release.state == .draining,
        let current = try await store.releases(in: .current, on: transaction).first
      else {
        throw ReleaseRefusal(
          "not_draining", "release \(id) is not draining", hint: "only what drains is handed over: sluice releases")
      }
      let groups = try await store.handOver(to: current.id, from: id, everything: true, in: transaction)
      let moved = groups.filter(\.hasMoved).map(\.pipeline)
      try await store.audit(
        "hand_over", id, by: author, before: Self.json(release),
        after: "{\"to\":\(current.id),\"pipelines\":[\(moved.map(jsonString).joined(separator: ","))]}", in: transaction
      )
      return Promotion(release: current, previous: release, groups: groups)
    }
  }

  /// What the audit trail keeps of a release.
  static func json(_ release: Record) -> String {
    "{\"release\":\(release.id),\"name\":\(jsonString(release.name)),\"state\":\(jsonString(release.state.rawValue)),"
      + "\"ramp\":\(release.ramp)}"
  }
}
