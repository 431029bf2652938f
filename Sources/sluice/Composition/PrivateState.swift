import Glibc
import JobModel
import Logging
import ObjectStore
import PipelineDefinition

/// Keeps what a project has on this machine private: its state under `.sluice`, its storage and its raw zones.
struct PrivateState {
  /// The umask that this process was started with, for files that belong to the user.
  static let userMask = PrivateFiles.restrictProcess()

  private let state: String
  private let storages: [String]
  /// Where objects are, if that is a folder of this machine.
  let storage: String?

  /// - Parameter storage: The location of the environment's storage.
  init(_ project: Project, storage: String, resolver: ValueResolver) {
    state = project.directory + "/.sluice"
    let zones = project.pipelines.compactMap { try? $0.raw.location?.resolved(with: resolver) }
    let folder = { location in
      (try? openObjectStore(location: location, projectDirectory: project.directory) as? LocalObjectStore)?.root
    }
    self.storage = folder(storage)
    storages = ([storage] + zones).compactMap(folder)
  }

  /// Tightens what an older version, or a copy of the folder, left open to others.
  ///
  /// - Parameter thoroughly: Also looks into a folder that is private itself, so that nothing can be reached in it.
  func tighten(thoroughly: Bool, logger: Logger) {
    var open: [String] = []
    if thoroughly || PrivateFiles.isOpen(state) {
      // PostgreSQL keeps its own data folder private, and a storage may be large.
      open += PrivateFiles.tighten(state, except: Set(storages + [state + "/postgres/data"]))
    }
    for folder in storages.flatMap(PrivateFiles.folders(ofStorage:)) where PrivateFiles.isOpen(folder) {
      open += PrivateFiles.tighten(folder)
    }
    guard let first = open.first else { return }
    logger.warning(
      "others can read what Sluice keeps",
      metadata: ["path": "\(first)", "paths": "\(open.count)", "fix": "chmod -R go= \(first), by its owner"])
  }

  /// What others can read now, and the command that changes it.
  var complaint: (path: String, fix: String)? {
    let path = ([state] + storages.flatMap(PrivateFiles.folders(ofStorage:))).first(where: PrivateFiles.isOpen)
    return path.map { ($0, "chmod -R go= '\($0)'") }
  }

  /// Does something with the umask of the user.
  static func withUserMask<T>(_ body: () throws -> T) rethrows -> T {
    let mask = umask(userMask)
    defer { _ = umask(mask) }
    return try body()
  }
}
