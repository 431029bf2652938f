import Catalog
import ControlPlane
import DuckDB
import EmbeddedPostgres
import FoundationEssentials
import Glibc
import JobModel
import JobStore
import Launchers
import Logging
import Migrations
import ObjectStore
import PipelineDefinition
import Postgres

/// One environment of a project, opened: its control database, its storage, its SQL engine.
struct Installation: Sendable {
  let project: Project
  let settings: PostgresSettings
  let databaseURL: String
  let database: PostgresPool
  let store: JobStore
  let catalog: Catalog
  let storageLocation: String
  let objects: any ObjectStore
  let secrets: SecretStore
  let logger: Logger
  private let embedded: EmbeddedPostgresLease?

  var directory: String { project.directory }
  var environment: String { project.environment }
  /// Where this environment's processes keep what is not in the database: logs, locks, scratch.
  var stateDirectory: String { Self.stateDirectory(project) }

  static func stateDirectory(_ project: Project) -> String {
    stateDirectory(project.directory, environment: project.environment)
  }

  static func stateDirectory(_ directory: String, environment: String) -> String {
    directory + "/.sluice/" + environment
  }

  /// The processes of this environment on this host.
  var processes: ProcessTable { Self.processes(stateDirectory) }
  /// Keeps the project's own server running while this process becomes another program.
  func handOn() -> [String: String] { embedded?.handOn() ?? [:] }
  /// Starts the project's own server again where it was killed or lost its socket.
  func keepServerReachable() async throws { try await embedded?.keepReachable() }
  /// Whether the database lies in the project folder.
  var isEmbedded: Bool { embedded != nil }

  static func processes(_ stateDirectory: String) -> ProcessTable {
    let parts = stateDirectory.split(separator: "/").map(String.init)
    return ProcessTable(
      folder: stateDirectory + "/processes/" + hostFolder,
      // DIRECTORY/.sluice/ENV
      predecessors: parts.count < 2
        ? [] : ["--project", "/" + parts.dropLast(2).joined(separator: "/"), "--env", parts[parts.count - 1]])
  }

  /// Opens the environment, does the work, and closes it whatever happens; the embedded server is stopped when nobody
  /// else uses it.
  static func with<T>(
    _ options: ProjectOptions, logger: Logger = Logs.quiet, access: Access = .writing, migrating: Bool = true,
    _ body: (Installation) async throws -> T
  ) async throws -> T {
    try await with(try options.project(), logger: logger, access: access, migrating: migrating, body)
  }

  static func with<T>(
    _ project: Project, logger: Logger, access: Access = .writing, migrating: Bool = true,
    _ body: (Installation) async throws -> T
  ) async throws -> T {
    let installation = try await open(project, logger: logger)
    do {
      if migrating { try await installation.prepare(for: access) }
      let result = try await body(installation)
      if access != .reading { await installation.tellOfWork() }
      try await installation.close()
      return result
    } catch {
      // The first error is the one to tell; a server that could not be stopped is stopped by the next verb.
      try? await installation.close()
      throw error
    }
  }

  private static func open(_ project: Project, logger: Logger) async throws -> Installation {
    try StateOwnership(project).confirm()
    let secrets = project.secretStore
    let resolver = project.installationSecrets.resolver(placeholders: ["env": project.environment])
    let storage = try storageLocation(project, resolver)
    try privateState(project).tighten(thoroughly: false, logger: logger)
    let (url, embedded) = try await databaseURL(project, resolver, logger)
    do {
      let settings = try PostgresSettings(
        url, applicationName: "sluice",
        // A process that hangs inside a transaction must not keep the reaper from its lease: shorter than a lease.
        // Compiling a statement takes longer than most of them run.
        options: ["idle_in_transaction_session_timeout": "10s", "jit": "off"],
        isPooled: ProcessInfo.processInfo.environment["SLUICE_POLL_ONLY"] == "1")
      let pool = PostgresPool(settings, maximum: 8)
      return Installation(
        project: project, settings: settings, databaseURL: url, database: pool,
        store: JobStore(database: pool, bell: LaneBell()),
        catalog: Catalog(database: pool), storageLocation: storage,
        objects: try openObjectStore(location: storage, projectDirectory: project.directory), secrets: secrets,
        logger: logger, embedded: embedded)
    } catch {
      try? await embedded?.release()
      throw error
    }
  }

  /// A storage that does not name its environment gets a folder for each but the default one.
  private static func storageLocation(_ project: Project, _ resolver: ValueResolver) throws -> String {
    // Where it was made, whatever the settings say since.
    if let copy = project.copy { return copy.storage }
    return try storageLocation(project.settings.storage, environment: project.environment, resolver)
  }

  static func storageLocation(
    _ template: ValueTemplate, environment: String, _ resolver: ValueResolver
  ) throws -> String {
    let location = try template.resolved(with: resolver)
    let namesEnvironment = template.parts.contains(.placeholder("env"))
    return namesEnvironment || environment == Project.defaultEnvironment
      ? location : location.droppingTrailingSlash + "-" + environment
  }

  private static func databaseURL(
    _ project: Project, _ resolver: ValueResolver, _ logger: Logger
  ) async throws -> (String, EmbeddedPostgresLease?) {
    if let url = try externalDatabase(project, resolver) {
      return (try project.copy.map { try PostgresSettings.conninfo(url, database: $0.database) } ?? url, nil)
    }
    let lease = try await EmbeddedPostgres(directory: project.directory + "/.sluice/postgres").acquire()
    // It is there, or the environment is gone: it is never made here.
    if let copy = project.copy { return (lease.url(database: copy.database), lease) }
    guard project.environment != Project.defaultEnvironment else { return (lease.url, lease) }
    let name = "sluice_" + project.environment
    try await lease.createDatabase(name)
    return (lease.url(database: name), lease)
  }

  /// nil: the project has a server of its own.
  static func externalDatabase(_ project: Project, _ resolver: ValueResolver) throws -> String? {
    if let url = ProcessInfo.processInfo.environment["SLUICE_DATABASE_URL"], !url.isEmpty { return url }
    return try project.settings.databaseURL?.resolved(with: resolver)
  }

  /// Whether the control database is a server that the project does not start itself.
  static func hasExternalDatabase(_ project: Project) -> Bool {
    let url = ProcessInfo.processInfo.environment["SLUICE_DATABASE_URL"] ?? ""
    return !url.isEmpty || project.settings.databaseURL != nil
  }

  /// Whether the control database is away: no server answers where processes of this environment expect one. False where it
  /// cannot be told, such as in a shell without `SLUICE_DATABASE_URL`, and where a server refuses the session.
  static func isDatabaseAway(_ project: Project) async throws -> Bool {
    let resolver = project.installationSecrets.resolver(placeholders: ["env": project.environment])
    guard let url = try externalDatabase(project, resolver) else {
      return try EmbeddedPostgres.standing(directory: project.directory + "/.sluice/postgres") == .away
    }
    return try await PostgresConnection.isUnanswered(PostgresSettings(url, connectTimeout: .seconds(10)))
  }

  func migrate() async throws -> [Migration] {
    let connection = try await PostgresConnection.connect(settings)
    do {
      let applied = try await Migrator().migrate(connection)
      await connection.close()
      return applied
    } catch {
      await connection.close()
      throw error
    }
  }

  private func close() async throws {
    await database.close()
    try await embedded?.release()
  }

  /// The SQL engine's limits, from `sluice.yaml`.
  var sqlLimits: DuckDBLimits {
    let limits = project.settings.limits
    var sql = DuckDBLimits(
      memoryBytes: limits.memoryBytes, threads: limits.threads ?? ProcessInfo.processInfo.activeProcessorCount,
      temporaryBytes: limits.temporaryBytes ?? 20_000_000_000)
    // What one worker with one job may have: of what scaling allows, and of the machine.
    let scaling = project.settings.scaling
    let most = [scaling?.memoryBytes.map(Double.init), HostMemory.now().leastLimitBytes].compactMap { $0 }.min()
    sql.mostMemoryBytes = most.map { max(0, Int($0) - (scaling?.workerBytes ?? 0)) }
    return sql
  }

  static func privateState(_ project: Project) throws -> PrivateState {
    let resolver = project.installationSecrets.resolver(placeholders: ["env": project.environment])
    return PrivateState(project, storage: try storageLocation(project, resolver), resolver: resolver)
  }

  /// The same environment over connections that only the caller uses, and closes.
  func overOwnConnections(maximum: Int) -> Installation {
    let pool = PostgresPool(settings, maximum: maximum)
    return Installation(
      project: project, settings: settings, databaseURL: databaseURL, database: pool,
      store: JobStore(database: pool, bell: store.bell), catalog: Catalog(database: pool),
      storageLocation: storageLocation, objects: objects, secrets: secrets, logger: logger, embedded: embedded)
  }

  /// An environment that `env up` made next to this one's control database, over connections that only the caller uses, and closes.
  func copy(_ project: Project, at url: String) throws -> Installation {
    let settings = try PostgresSettings(
      url, applicationName: "sluice", options: ["idle_in_transaction_session_timeout": "10s", "jit": "off"])
    let pool = PostgresPool(settings, maximum: 4)
    let storage = try Self.storageLocation(project, project.installationSecrets.resolver(placeholders: [:]))
    return Installation(
      project: project, settings: settings, databaseURL: url, database: pool,
      store: JobStore(database: pool, bell: LaneBell()), catalog: Catalog(database: pool), storageLocation: storage,
      objects: try openObjectStore(location: storage, projectDirectory: project.directory),
      secrets: project.secretStore, logger: logger, embedded: embedded)
  }

  /// What definitions name: variables, secrets, the environment's name, and in a copy the URL of its own database.
  var resolver: ValueResolver {
    let own = project.copy == nil ? [:] : [EnvironmentCopy.databasePlaceholder: databaseURL]
    return secrets.resolver(placeholders: ["env": environment]).adding(own)
  }

  func duckDB() throws -> DuckDB { try DuckDB.locate(projectDirectory: directory) }

  /// This host's name as the name of a file. Several hosts may share the project folder, and each has processes of its own.
  static var hostFolder: String {
    let name = String(host.map { $0.isASCII && ($0.isLetter || $0.isNumber || "-_".contains($0)) ? $0 : "_" })
    return name.isEmpty ? "localhost" : name
  }

  static var host: String {
    var name = [CChar](repeating: 0, count: 256)
    guard gethostname(&name, name.count - 1) == 0 else { return "localhost" }
    return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
