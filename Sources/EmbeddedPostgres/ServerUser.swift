import Glibc

/// Whom the server runs as, because PostgreSQL refuses root.
struct ServerUser: Sendable, Equatable {
  /// The owner that the data folder needs, as this process sees it.
  let uid: uid_t
  let gid: gid_t
  /// What stands before a command to run it as this user.
  let prefix: [String]

  private static let keptCapability = ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]

  /// Finds a user for whom `folder` is within reach.
  ///
  /// Not root: this user. Root: the user `postgres`, else `nobody`; where only root can enter a folder above, with the
  /// capability to pass by permissions kept; where a process may not change its user, in a user namespace in which root
  /// has another number.
  ///
  /// - Parameter folder: An existing one; given to the user found.
  static func choose(among candidates: [ServerUser], for folder: String) throws -> ServerUser {
    var refusals: [String] = []
    for candidate in candidates {
      guard chown(folder, candidate.uid, candidate.gid) == 0 else {
        refusals.append("chown to user \(candidate.uid): \(lastSystemError())")
        continue
      }
      let probe = ["/bin/sh", "-c", "cd \"$1\" && test \"$(id -u)\" != 0", "sh", folder]
      let outcome = try candidate.command(probe).run()
      if outcome.status == 0 { return candidate }
      refusals.append("\(candidate.prefix.first ?? ""): \(outcome.lastLine)")
    }
    throw EmbeddedPostgresError(
      .privileges,
      "PostgreSQL does not run as root, and no other user was found for it (\(refusals.joined(separator: "; ")))",
      hint: "run sluice as another user, or set SLUICE_DATABASE_URL to a server that runs elsewhere")
  }

  /// The ways of this machine to be someone whom PostgreSQL accepts, the best first.
  static func candidates() -> [ServerUser] {
    guard geteuid() == 0 else { return [ServerUser(uid: geteuid(), gid: getegid(), prefix: [])] }
    var found: [ServerUser] = []
    if let setpriv = program("setpriv"), let account = account("postgres") ?? account("nobody") {
      let drop = [setpriv, "--reuid=\(account.uid)", "--regid=\(account.gid)", "--clear-groups"]
      // Without the capability where that does: the server then reaches no more than it must.
      found.append(ServerUser(uid: account.uid, gid: account.gid, prefix: drop + ["--"]))
      found.append(ServerUser(uid: account.uid, gid: account.gid, prefix: drop + keptCapability + ["--"]))
    }
    if let unshare = program("unshare") {
      // Files of root are the mapped user's own there.
      let number = account("postgres")?.uid ?? 65_534
      found.append(
        ServerUser(uid: 0, gid: 0, prefix: [unshare, "--user", "--map-user=\(number)", "--map-group=\(number)", "--"]))
    }
    return found
  }

  private static func program(_ name: String) -> String? {
    ["/usr/bin/", "/bin/", "/usr/sbin/", "/sbin/"].map { $0 + name }.first { access($0, X_OK) == 0 }
  }

  private static func account(_ name: String) -> (uid: uid_t, gid: gid_t)? {
    var entry = passwd()
    var found: UnsafeMutablePointer<passwd>?
    var buffer = [CChar](repeating: 0, count: 16 * 1024)
    guard getpwnam_r(name, &entry, &buffer, buffer.count, &found) == 0, found != nil, entry.pw_uid != 0 else {
      return nil
    }
    return (entry.pw_uid, entry.pw_gid)
  }

  func command(_ arguments: [String]) -> Command { Command(prefix + arguments) }
}
