import Glibc

/// The data folder: made once, whole or not at all.
struct Cluster: Sendable {
  let folders: ServerFolders
  /// Whom the server may run as, the best first.
  let users: [ServerUser]

  /// The role that owns everything.
  static let role = "sluice"

  /// The version that made it; nil where there is none.
  var major: String? {
    FileContent.read(folders.versionFile).map { String($0.prefix { !$0.isWhitespace }) }
  }

  /// Makes the data folder where there is none, under the start lock.
  ///
  /// The work is done in a folder beside it, which becomes the data folder by one rename.
  func createIfMissing(_ binaries: ServerBinaries) throws -> ServerUser {
    if major != nil {
      let user = try ServerUser.choose(among: users, for: folders.data)
      try own(folders.data, by: user)
      return user
    }
    // What a process that was killed in the middle has left.
    if access(folders.draft, F_OK) == 0 { try removeTree(folders.draft) }
    guard listFolder(folders.data).isEmpty else {
      throw EmbeddedPostgresError(
        .folder, "\(folders.data) holds something that is no PostgreSQL database", hint: "move it away")
    }
    let draft = folders.draft
    guard mkdir(draft, 0o700) == 0 else { throw EmbeddedPostgresError.system("cannot create", draft) }
    let user = try ServerUser.choose(among: users, for: draft)
    try initialize(draft, binaries, user)
    guard rename(draft, folders.data) == 0 else { throw EmbeddedPostgresError.system("cannot rename", draft) }
    return user
  }

  private func initialize(_ draft: String, _ binaries: ServerBinaries, _ user: ServerUser) throws {
    let common = [
      binaries.initdb, "--pgdata=\(draft)", "--username=\(Self.role)", "--auth=trust", "--encoding=UTF8",
      "--lc-collate=C", "--lc-messages=C", "--lc-monetary=C", "--lc-numeric=C", "--lc-time=C", "--data-checksums",
      "--no-instructions",
    ]
    // Upper and lower case beyond ASCII where the system has the locale for it.
    var outcome = try user.command(common + ["--lc-ctype=C.UTF-8"]).run()
    if outcome.status != 0, outcome.output.contains("invalid locale") {
      outcome = try user.command(common + ["--lc-ctype=C"]).run()
    }
    guard outcome.status == 0 else { throw failure(outcome) }
  }

  private func failure(_ outcome: Command.Outcome) -> EmbeddedPostgresError {
    // initdb leads with what is wrong and ends with what it cleans up.
    let error = outcome.output.split(separator: "\n").first { $0.contains("error:") || $0.contains("FATAL") }
    return EmbeddedPostgresError(
      .initFailed, "initdb failed in \(folders.data): \(error.map(String.init) ?? outcome.lastLine)",
      hint: "see that the disk has room and that the folder can be written")
  }

  /// Gives a folder to another user where it is not his: a project that moved between machines or between ways of
  /// running. PostgreSQL checks the owner.
  private func own(_ path: String, by user: ServerUser) throws {
    var status = stat()
    guard stat(folders.versionFile, &status) == 0 else { throw EmbeddedPostgresError.system("cannot look at", path) }
    guard status.st_uid != user.uid else { return }
    try walk(path) { entry in
      guard lchown(entry, user.uid, user.gid) == 0 else {
        throw EmbeddedPostgresError.system(
          "cannot give the database to its user:", entry, hint: "run as the user who owns \(path)")
      }
    }
  }
}

/// Visits a folder and all in it, what is inside first; symbolic links are not followed.
func walk(_ path: String, _ visit: (String) throws -> Void) throws {
  var status = stat()
  guard lstat(path, &status) == 0 else { throw EmbeddedPostgresError.system("cannot look at", path) }
  if status.st_mode & S_IFMT == S_IFDIR {
    for name in listFolder(path) { try walk("\(path)/\(name)", visit) }
  }
  try visit(path)
}

func removeTree(_ path: String) throws {
  try walk(path) { entry in
    guard remove(entry) == 0 else { throw EmbeddedPostgresError.system("cannot remove", entry) }
  }
}
