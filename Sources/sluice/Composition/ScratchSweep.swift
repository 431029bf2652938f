import FoundationEssentials
import Glibc
import JobModel
import JobStore

/// Removes what was killed left in the scratch folder: each attempt works in `STAGE-JOB-EPOCH`, each rehearsal in
/// `rehearsal@HOST@PID`, the compactions of a process in `compact@HOST@PID`.
struct ScratchSweep {
  let folder: String
  let store: JobStore

  private static let compactionPrefix = "compact@"
  /// Where this process's compactions work: their jobs have ended, so no lease tells that they are under way.
  static var compactions: String { "\(compactionPrefix)\(Installation.host)@\(getpid())" }

  /// Removes the folders of attempts that no longer hold their lease, and of processes of this host that are gone. What cannot be
  /// removed now is left to the next call.
  func run() async throws {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    for prefix in [Rehearsing.folderPrefix, Self.compactionPrefix] {
      let own = "\(prefix)\(Installation.host)@"
      for name in names where name.hasPrefix(own) {
        guard let pid = Int32(name.dropFirst(own.count)), kill(pid, 0) != 0, errno == ESRCH else { continue }
        try? FileManager.default.removeItem(atPath: folder + "/" + name)
      }
    }
    let attempts = names.compactMap { name in Self.holder(of: name).map { (name: name, holder: $0) } }
    guard !attempts.isEmpty else { return }
    let held = try await store.held(attempts.map(\.holder))
    for attempt in attempts where !held.contains(attempt.holder) {
      try? FileManager.default.removeItem(atPath: folder + "/" + attempt.name)
    }
  }

  /// `curate-12-3`: job 12, epoch 3.
  private static func holder(of name: String) -> LeaseHolder? {
    let parts = name.split(separator: "-")
    guard parts.count == 3, let job = Int64(parts[1]), let epoch = Int64(parts[2]) else { return nil }
    return LeaseHolder(jobID: JobID(job), epoch: epoch)
  }
}
