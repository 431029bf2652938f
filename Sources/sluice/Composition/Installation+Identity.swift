import Catalog
import FoundationEssentials
import Glibc
import JobModel
import JobStore
import JobWorker
import Launchers
import Migrations
import PipelineDefinition
import Postgres

extension Installation {
  /// What a verb is about to do.
  enum Access {
    /// It changes nothing that matters: it warns.
    case reading
    /// It changes rows and reads nothing of the folder. Users of the queue alone call it from a folder without pipelines, which
    /// neither claims the database nor is refused.
    case steering
    /// It is refused where the database belongs to another folder.
    case writing
  }

  /// Makes sure that the control database belongs to this folder and environment. The first verb that writes claims it.
  ///
  /// Two folders on one database would end each other's schedules, and read each other's files.
  ///
  /// - Throws: ``Refusal`` `other_installation` or `copied_folder`, with both folders and the ways out.
  func confirmIdentity(_ access: Access) async throws {
    let owner = try await catalog.projectFolder()
    switch access {
    case .reading: return try noteForeign(owner)
    case .steering where !hasPipelines: return
    case .steering, .writing: break
    }
    guard let owner else { return try await claim() }
    guard let file = try InstallationFile.read(stateDirectory) else {
      // Removed from the folder that is known, or this is another folder.
      guard isEmbedded || isHere(owner) else { throw foreign(owner) }
      let own = try ownFolder(
        try InstallationFile.readOrMake(stateDirectory, newFile(identity: owner.identity)))
      return try await take(own, from: owner)
    }
    let own = try ownFolder(file)
    if own.identity == owner.identity, isSameFolder(own.inode, owner) {
      // Moved on this host: the description is to be right. Another host may know the folder by another path.
      if own.folder != owner.folder, own.host == owner.host { _ = try await catalog.move(from: owner, to: own) }
      return
    }
    if isEmbedded { return try await takeEmbedded(own, from: owner) }
    guard own.identity == owner.identity else { throw foreign(owner) }
    if let original = original(of: owner) { throw copied(original, owner) }
    // Another file of the same identity: restored from a backup, on a file system without lasting numbers, or a copy whose
    // original is elsewhere. The same path says that it is no copy, unless processes elsewhere are at work.
    guard own.folder == owner.folder, try await foreignWorkers().isEmpty else { throw copied(owner.folder, owner) }
    try await take(own, from: owner)
  }

  /// Makes sure that the database is this folder's, and that it has the schema.
  ///
  /// A refused folder changes no schema. A verb that only looks makes one in an empty database, and changes none.
  ///
  /// - Throws: ``Refusal``: those of ``confirmIdentity(_:)``, and `schema_older` to a verb that only looks.
  func prepare(for access: Access) async throws {
    let isKnown = try await knowsOwner()
    if isKnown, access != .reading { try await confirmIdentity(access) }
    if access == .reading, case .older(let number) = try await Migrator().standing(database) {
      throw Refusal(
        code: "schema_older",
        message: "the \(settings) has the schema of an older engine (migration \(number)), and this verb changes none",
        hint: "sluice migrate")
    }
    _ = try await migrate()
    if !isKnown || access == .reading { try await confirmIdentity(access) }
  }

  /// Whether the schema is new enough to say which folder the database belongs to.
  func knowsOwner() async throws -> Bool {
    let row: PostgresRow?
    do {
      row = try await database.query(
        """
        select to_regclass('sluice.project_folder') is not null as present,
          shobj_description(oid, 'pg_database') as marker
        from pg_database where datname = current_database()
        """, []
      ).first
    } catch let error as PostgresError where error.sqlState == "3D000" {
      throw project.copy.map { CopyFile.gone($0) } ?? error
    }
    try confirmEnvironment(EnvironmentMarker(comment: try row?.optionalString("marker")))
    return try row?.bool("present") == true
  }

  /// Makes sure that the database of an environment that `env up` made is used by that environment, and by no other.
  ///
  /// - Throws: ``Refusal`` `environment_gone`, `environment_database`.
  private func confirmEnvironment(_ marker: EnvironmentMarker?) throws {
    guard let copy = project.copy else {
      guard let marker else { return }
      throw Refusal(
        code: "environment_database",
        message:
          "the \(settings) belongs to the environment \(marker.name), made by env up, and this is \(environment)",
        hint: "let `database` in sluice.yaml or SLUICE_DATABASE_URL name the control database; for that environment: "
          + "--env \(marker.name)")
    }
    guard let marker, marker.sluice == .environment, marker.name == copy.name, marker.state == .ready else {
      throw CopyFile.gone(copy)
    }
  }

  /// Gives the database to this folder, which takes a new identity: any other folder is refused from now on.
  ///
  /// - Throws: ``Refusal`` `installation_busy` while workers of another folder live.
  /// - Returns: The folder that it belonged to; nil where it belonged to this one, or to none.
  func adopt() async throws -> ProjectFolder? {
    guard let owner = try await catalog.projectFolder() else {
      try await claim()
      return nil
    }
    if let file = try InstallationFile.read(stateDirectory), file.identity == owner.identity,
      let inode = InstallationFile.inode(stateDirectory), isSameFolder(inode, owner)
    {
      return nil
    }
    try await refuseBusy("\(owner.folder) on \(owner.host)")
    let file = newFile(identity: UUID().uuidString.lowercased())
    try file.replace(in: stateDirectory)
    try await take(try ownFolder(file), from: owner)
    return owner
  }

  /// Users of the queue alone have no pipelines.
  private var hasPipelines: Bool { !project.definitions.isEmpty }

  private func claim() async throws {
    // Workers of an engine from before the identity may serve another folder, which has claimed nothing. A database in the
    // folder is the folder's. Programs that use the queue alone have no folder.
    if !isEmbedded { try await refuseBusy("another project folder", sparing: WorkerSettings.program) }
    let file = try InstallationFile.readOrMake(stateDirectory, newFile(identity: UUID().uuidString.lowercased()))
    if try await catalog.claim(for: try ownFolder(file)) { return }
    // Another process was faster: perhaps another folder's.
    try await confirmIdentity(.writing)
  }

  /// The database lies in the folder, so it is this folder's whatever it says. A copy becomes an installation of its own.
  private func takeEmbedded(_ own: ProjectFolder, from owner: ProjectFolder) async throws {
    guard own.identity == owner.identity, let original = original(of: owner) else {
      return try await take(own, from: owner)
    }
    let file = newFile(identity: UUID().uuidString.lowercased())
    try file.replace(in: stateDirectory)
    try await take(try ownFolder(file), from: owner)
    Console.note(
      "sluice: \(directory) is a copy of \(original); from now on it is an installation of its own, with the database in it\n"
        + "  both load into the same targets: give this one targets of its own, or remove its schedules")
  }

  private func take(_ own: ProjectFolder, from owner: ProjectFolder) async throws {
    if try await catalog.move(from: owner, to: own) { return }
    let now = try await catalog.projectFolder()
    // Another process of this folder may have done the same.
    guard let now, now.identity == own.identity, now.inode == own.inode else { throw foreign(now ?? owner) }
  }

  private func newFile(identity: String) -> InstallationFile {
    InstallationFile(identity: identity, folder: directory, host: Self.host)
  }

  private func ownFolder(_ file: InstallationFile) throws -> ProjectFolder {
    guard let inode = InstallationFile.inode(stateDirectory) else {
      throw StageFailure(
        code: "installation_file", message: "\(InstallationFile.path(stateDirectory)) is gone",
        hint: "another process has removed it; call this again", isTransient: true)
    }
    return ProjectFolder(
      identity: file.identity, environment: environment, folder: directory, host: Self.host, inode: inode)
  }

  private func isHere(_ owner: ProjectFolder) -> Bool {
    owner.folder == directory && owner.host == Self.host && owner.environment == environment
  }

  private func isSameFolder(_ inode: String, _ owner: ProjectFolder) -> Bool {
    InstallationFile.isSame(inode, owner.inode, onOneHost: owner.host == Self.host)
  }

  /// The folder that this one is a copy of, where it can be seen from here.
  private func original(of owner: ProjectFolder) -> String? {
    let state = Self.stateDirectory(owner.folder, environment: owner.environment)
    guard state != stateDirectory, let inode = InstallationFile.inode(state), isSameFolder(inode, owner),
      inode != InstallationFile.inode(stateDirectory),
      (try? InstallationFile.read(state))?.identity == owner.identity
    else { return nil }
    return owner.folder
  }

  /// Workers that live, and are no processes of this folder on this host.
  private func foreignWorkers() async throws -> [WorkerRecord] {
    try await store.workers().filter { $0.host != Self.host || !processes.contains(Int32($0.pid)) }
  }

  private func refuseBusy(_ owner: String, sparing engine: String? = nil) async throws {
    let busy = try await foreignWorkers().filter { $0.engine != engine }
    guard busy.isEmpty else {
      throw Refusal(
        code: "installation_busy",
        message: "\(busy.count) worker(s) of \(owner) are at work on the \(settings): "
          + busy.map { "\($0.host) pid \($0.pid)" }.joined(separator: ", "),
        hint: "stop them there: sluice down; a worker that was killed is forgotten when its lease runs out")
    }
  }

  private func noteForeign(_ owner: ProjectFolder?) throws {
    guard let owner, !isEmbedded, hasPipelines else { return }
    let identity = try InstallationFile.read(stateDirectory)?.identity
    guard identity != owner.identity, !(identity == nil && isHere(owner)) else { return }
    Console.note("sluice: \(foreign(owner).message); what is shown is its")
  }

  private func foreign(_ owner: ProjectFolder) -> Refusal {
    let other = "\(owner.folder) (environment \(owner.environment), host \(owner.host))"
    return Refusal(
      code: "other_installation",
      message: "the \(settings) belongs to the project folder \(other), and this is \(directory) "
        + "(environment \(environment))",
      hint:
        "give this one a database of its own: `database` in sluice.yaml or SLUICE_DATABASE_URL, for each environment "
        + "one. If \(owner.folder) was moved here or is gone for good: sluice migrate --adopt")
  }

  private func copied(_ original: String, _ owner: ProjectFolder) -> Refusal {
    Refusal(
      code: "copied_folder",
      message:
        "\(directory) is a copy of the project folder \(original) (host \(owner.host)), to which the \(settings) "
        + "belongs",
      hint:
        "give the copy a database of its own: `database` in sluice.yaml or SLUICE_DATABASE_URL. If the copy is to go on "
        + "in its place: sluice down there, then here sluice migrate --adopt")
  }
}
