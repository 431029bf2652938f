import FoundationEssentials
import Glibc
import JobModel
import ObjectStore

/// The storage of an environment that `env up` made: a folder that it made itself, with a file that says so.
struct EnvironmentStorage {
  private static let markFile = ".sluice-environment"

  let root: String
  let token: String

  init(location: String, directory: String, token: String) throws {
    guard let store = try openObjectStore(location: location, projectDirectory: directory) as? LocalObjectStore else {
      throw StageFailure(
        code: "storage_kind", message: "an environment can be made in a storage of this machine only, not \(location)",
        hint: "write storage: file:PATH into sluice.yaml")
    }
    root = store.root
    self.token = token
  }

  private var mark: String { root + "/" + Self.markFile }

  /// Makes the folder.
  ///
  /// - Throws: ``Refusal`` `storage_taken` where something is there that is not this environment's.
  func make() throws {
    switch standing {
    case .own: return
    case .others:
      throw Refusal(
        code: "storage_taken", message: "\(root) is there already and is not the storage of this environment",
        hint: "move it away, or choose another name for the environment")
    case .absent, .empty:
      try PrivateFiles.createFolder(root)
      try PrivateFiles.write(Array(token.utf8), to: mark)
    }
  }

  enum Standing { case absent, empty, own, others }

  var standing: Standing {
    var status = stat()
    guard lstat(root, &status) == 0 else { return .absent }
    guard status.st_mode & S_IFMT == S_IFDIR,
      let names = try? FileManager.default.contentsOfDirectory(atPath: root)
    else { return .others }
    if names.isEmpty { return .empty }
    return FileManager.default.contents(atPath: mark) == Data(token.utf8) ? .own : .others
  }

  /// The files and bytes in it.
  func size() -> (files: Int, bytes: Int64) {
    var pending = [root]
    var files = 0
    var bytes: Int64 = 0
    while let path = pending.popLast() {
      var status = stat()
      guard lstat(path, &status) == 0 else { continue }
      guard status.st_mode & S_IFMT == S_IFDIR else {
        files += 1
        bytes += Int64(status.st_size)
        continue
      }
      pending += ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).map { path + "/" + $0 }
    }
    return (files, bytes)
  }

  /// Removes what is this environment's; the mark last, so that a removal that was killed can be continued.
  func remove() throws {
    switch standing {
    case .absent, .others: return
    case .own, .empty: break
    }
    try clear()
    unlink(mark)
    rmdir(root)
  }

  /// Removes what is in it, but for the mark.
  func clear() throws {
    for name in try FileManager.default.contentsOfDirectory(atPath: root) where name != Self.markFile {
      try FileManager.default.removeItem(atPath: root + "/" + name)
    }
  }
}
