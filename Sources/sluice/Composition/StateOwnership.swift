import FoundationEssentials
import Glibc
import PipelineDefinition

/// Whether this user may work with what a project has on this machine. After `sudo sluice …`, part of it belongs to root.
struct StateOwnership {
  let folders: [String]

  /// The folders of an environment's state, whose entries are looked at as well.
  init(_ project: Project) {
    let state = project.directory + "/.sluice"
    let own = Installation.stateDirectory(project)
    folders = [state, own, state + "/postgres", own + "/processes", own + "/logs", state + "/storage"]
  }

  /// - Throws: ``Refusal`` `not_owner`, with the command that gives it to this user.
  func confirm() throws {
    if let refusal = complaint { throw refusal }
  }

  var complaint: Refusal? {
    guard geteuid() != 0 else { return nil }
    for folder in folders {
      guard let owner = Self.owner(of: folder) else { continue }
      if access(folder, R_OK | W_OK | X_OK) != 0 { return refusal(folder, owner) }
      for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] {
        let path = folder + "/" + name
        if let owner = Self.owner(of: path), owner != geteuid(), access(path, R_OK | W_OK) != 0 {
          return refusal(path, owner)
        }
      }
    }
    return nil
  }

  private static func owner(of path: String) -> uid_t? {
    var status = stat()
    return lstat(path, &status) == 0 ? status.st_uid : nil
  }

  private func refusal(_ path: String, _ owner: uid_t) -> Refusal {
    let user = Self.name(of: geteuid())
    return Refusal(
      code: "not_owner",
      message: "\(path) belongs to \(Self.name(of: owner)), and \(user), who runs this, cannot write to it",
      hint: "stop what runs there (sudo sluice down), then: sudo chown -R \(user) '\(folders[0])'; "
        + "from then on run every verb as \(user)")
  }

  private static func name(of user: uid_t) -> String {
    getpwuid(user).flatMap { $0.pointee.pw_name }.map { String(cString: $0) } ?? "\(user)"
  }
}
