import Testing

/// Two subjects under one number keep each other waiting, or take each other for a leader.
@Suite struct AdvisoryLockTests {
  /// The subject of every number, by the files that take it. A shared and an exclusive lock of one subject have one number.
  static let subjects: [String: Set<String>] = [
    "7351904227": ["Migrations"],
    "7351904228": ["claim_lock", "claim_lock_exclusive"],
    "7351904229": ["maintenance_lead"],
    "7351904231": ["JobStore+Schedules"],
    "7351904233": ["pause_lock", "m0003_schedules"],
    "7351904235": ["engine_lock", "engine_lock_exclusive"],
    "7351904237": ["EnvironmentServer"],
    "7351904239": ["JobStore+Deadlines"],
    "7351904241": ["ServingLocks"],
    "7351904": ["worker_session_lock", "beat_revoke", "beat_suspects"],
    // Keys of two numbers: hashes of permits, and numbers of runs. Engines of earlier versions take them so as well.
    "7351905": ["permit_lock", "run_lock", "run_lock_shared"],
    // With the number of a project folder.
    "7351906": ["ServingLocks"],
  ]

  @Test("every number of an advisory lock has one subject")
  func distinct() {
    var found: [String: Set<String>] = [:]
    for file in SourceTree.files where file.pathExtension == "sql" || file.pathExtension == "swift" {
      guard !file.path.hasPrefix("Tests/") else { continue }
      let name = file.path.split(separator: "/").last?.split(separator: ".").first.map(String.init) ?? file.path
      for line in file.lines {
        for match in line.replacing("_", with: "").matches(of: /735190[0-9]+/) {
          found[String(match.output), default: []].insert(name)
        }
      }
    }
    #expect(found == Self.subjects)
  }
}
